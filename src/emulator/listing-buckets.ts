/** Lists the account's buckets in COS's XML (`GET /` of a service or region host). */
import { CosFailure, invalidArgument } from './cos-error.ts';
import type { Bucket } from './settings.ts';
import { documentXml, element } from './xml.ts';

const MAX_KEYS = 2_000;
export interface AccountBuckets {
  readonly buckets: readonly Bucket[];
  readonly appId: string;
  /** The region of the host, if the host has one. */
  readonly region: string | undefined;
}

/** @throws CosFailure if the query is invalid. */
export function listBucketsXml({ buckets, appId, region }: AccountBuckets, query: URLSearchParams): string {
  const wanted = region ?? (query.get('region') || undefined);
  const marker = query.get('marker') ?? '';
  const maxKeys = Number(query.get('max-keys') || MAX_KEYS);
  if (!Number.isInteger(maxKeys) || maxKeys < 0) throw new CosFailure(invalidArgument('max-keys is not valid.'));
  const isInTime = readTimeFilter(query);
  const listed = buckets
    .filter((bucket) => bucket.name.endsWith(`-${appId}`) && (wanted === undefined || bucket.region === wanted))
    .filter((bucket) => bucket.name > marker && isInTime(bucket.createdAt ?? 0))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
  const page = listed.slice(0, Math.min(maxKeys, MAX_KEYS));
  const isTruncated = page.length > 0 && page.length < listed.length;
  const items = page.map((bucket) => {
    const created = element('CreationDate', new Date(bucket.createdAt ?? 0).toISOString().replace(/\.\d+/, ''));
    return `<Bucket>${element('Name', bucket.name)}${element('Location', bucket.region)}${created}</Bucket>`;
  });
  return documentXml('ListAllMyBucketsResult', [
    `<Owner>${element('ID', appId)}${element('DisplayName', appId)}</Owner>`,
    `<Buckets>${items.join('')}</Buckets>`,
    element('IsTruncated', String(isTruncated)),
    ...(isTruncated ? [element('NextMarker', page.at(-1)?.name ?? '')] : []),
    ...(marker === '' ? [] : [element('Marker', marker)]),
  ]);
}

/**
 * A filter for the time at which a bucket was created: `range` (gt, gte, lt, lte) compares it with `create-time`, in s since
 * 1970.
 */
function readTimeFilter(query: URLSearchParams): (at: number) => boolean {
  const range = query.get('range') ?? '';
  if (range === '') return () => true;
  const time = Number(query.get('create-time') || Number.NaN);
  const compare: Readonly<Record<string, (seconds: number) => boolean>> = {
    gt: (seconds) => seconds > time,
    gte: (seconds) => seconds >= time,
    lt: (seconds) => seconds < time,
    lte: (seconds) => seconds <= time,
  };
  const test = compare[range];
  if (test === undefined || Number.isNaN(time))
    throw new CosFailure(invalidArgument('range or create-time is not valid.'));
  return (at) => test(Math.floor(at / 1000));
}
