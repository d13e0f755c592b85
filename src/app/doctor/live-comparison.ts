/**
 * Compares Tencent's answers with the emulator's, point by point. A difference means that the emulator, and with it every
 * test, is wrong about Tencent. Pure functions.
 *
 * What must hold: no point contains a link or a secret. Links are described by their shape.
 */
import { createHash } from 'node:crypto';
import type { Inspection } from '../../adapters/faceid/index.ts';
import type { Region } from '../../domain/verification/regions.ts';

export interface Point {
  readonly name: string;
  /** What the emulator answers at this point. */
  readonly expected: string;
  readonly actual: string;
}

const LINK_LIFE_S = 7_200;
/** How far a link's lifetime may differ from the expected one, because of differing clocks, rounding to seconds, and latency. */
const LINK_LIFE_TOLERANCE_S = 10;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Of the regions that serve CreateUploadUrl. */
const REGION_ABBREVIATIONS: Readonly<Partial<Record<Region, string>>> = {
  'ap-singapore': 'sg',
  'ap-hongkong': 'hk',
  'ap-bangkok': 'bk',
};
const QUERY_PARAMETERS = [
  'q-sign-algorithm',
  'q-ak',
  'q-sign-time',
  'q-key-time',
  'q-header-list',
  'q-url-param-list',
  'q-signature',
];

export function differences(points: readonly Point[]): readonly Point[] {
  return points.filter(({ expected, actual }) => expected !== actual);
}

/** Points of CreateUploadUrl's answer if the call succeeds. @param now time on the vendor's clock, ms. */
export function uploadUrlPoints(reply: NonNullable<Inspection['reply']>, now: number): Point[] {
  const { ExpiredTimestamp: expires, RequestId: requestId } = reply;
  const life = typeof expires === 'number' ? Math.round(expires - now / 1_000) : Number.NaN;
  return [
    point('fields', 'ExpiredTimestamp, RequestId, ResourceUrl, UploadUrl', Object.keys(reply).sort().join(', ')),
    point('ExpiredTimestamp', 'whole seconds', Number.isInteger(expires) ? 'whole seconds' : kindOf(expires)),
    point(
      'link lifetime',
      `${LINK_LIFE_S} s`,
      Math.abs(life - LINK_LIFE_S) <= LINK_LIFE_TOLERANCE_S ? `${LINK_LIFE_S} s` : `${life} s`,
    ),
    requestIdPoint(requestId),
  ];
}

/** Points of the two links: host, path, query, and how the two differ. */
export function linkPoints(
  reply: NonNullable<Inspection['reply']>,
  { region, target }: { readonly region: Region; readonly target: string },
): Point[] {
  const { UploadUrl: put, ResourceUrl: get, ExpiredTimestamp: expires } = reply;
  if (typeof put !== 'string' || typeof get !== 'string') {
    return [point('UploadUrl and ResourceUrl', 'two strings', `${kindOf(put)} and ${kindOf(get)}`)];
  }
  const expiresAt = typeof expires === 'number' ? String(expires) : '';
  return [
    ...(
      [
        ['UploadUrl', put],
        ['ResourceUrl', get],
      ] as const
    ).flatMap(([name, link]) => shapePoints(name, link, { region, target, expiresAt })),
    point('difference between the links', 'q-signature', differingParts(put, get)),
  ];
}

function shapePoints(
  name: string,
  link: string,
  { region, target, expiresAt }: { region: Region; target: string; expiresAt: string },
): Point[] {
  const parts = /^(https?):\/\/([^/?#]+)(\/[^?#]*)\??(.*)$/.exec(link);
  const [, scheme = '', host = '', path = '', query = ''] = parts ?? [];
  const pairs = query.split('&').map((part) => part.split('=', 2) as [string, string?]);
  const field = (wanted: string) => pairs.find(([each]) => each === wanted)?.[1] ?? '(absent)';
  const [start = '', end = ''] = decoded(field('q-sign-time')).split(';');
  const isEncoded = /^\d+%3B\d+$/.test(field('q-sign-time'));
  return [
    point(`${name}, scheme`, 'https', scheme),
    point(
      `${name}, host`,
      `faceid-resource-${REGION_ABBREVIATIONS[region]}-<appid>.cos.${region}.myqcloud.com`,
      host.replace(/-\d{6,}(?=\.)/, '-<appid>'),
    ),
    point(`${name}, path`, `/faceid%2F${target}%2F<appid>%2F<uuid>`, pathShape(path)),
    point(`${name}, query parameters`, QUERY_PARAMETERS.join(', '), pairs.map(([each]) => each).join(', ')),
    point(`${name}, signed headers`, 'host', field('q-header-list')),
    point(`${name}, signed parameters`, 'none', field('q-url-param-list') || 'none'),
    point(`${name}, q-sign-time`, '<start>%3B<end>', isEncoded ? '<start>%3B<end>' : shapeOf(field('q-sign-time'))),
    point(`${name}, starts before it ends`, 'yes', Number(start) < Number(end) ? 'yes' : 'no'),
    point(
      `${name}, ends at`,
      'ExpiredTimestamp',
      end === expiresAt ? 'ExpiredTimestamp' : `${Number(end) - Number(expiresAt)} s off`,
    ),
  ];
}

/** Points of the answer to a PUT or GET of sample bytes. */
export function objectPoints(
  name: string,
  answer: { readonly status: number; readonly etag: string | null; readonly type?: string | null },
  content: Uint8Array,
): Point[] {
  const md5 = createHash('md5').update(content).digest('hex');
  const etag = answer.etag === `"${md5}"` ? 'MD5 in quotes' : (answer.etag ?? '(absent)');
  const type =
    answer.type === undefined ? [] : [point(`${name}, Content-Type`, 'as uploaded', answer.type ?? '(absent)')];
  return [
    point(`${name}, status`, '200', String(answer.status)),
    point(`${name}, ETag`, 'MD5 in quotes', etag),
    ...type,
  ];
}

/** Points of the answer to a call with wrong MD5s. */
export function refusalPoints({ reply, failure }: Pick<Inspection, 'reply' | 'failure'>): Point[] {
  if (reply !== null) {
    return [
      point('channel', 'error', 'result'),
      point('code', 'InvalidParameterValue', String(reply.Result)),
      point('message', 'MD5 Error', String(reply.Description)),
      point('fields', 'Error, RequestId', Object.keys(reply).sort().join(', ')),
      requestIdPoint(reply.RequestId),
    ];
  }
  return [
    point('channel', 'error', failure?.channel ?? 'none'),
    point('code', 'InvalidParameterValue', failure?.code ?? 'none'),
    point('message', 'MD5 Error', failure?.message ?? 'none'),
    requestIdPoint(failure?.requestId),
  ];
}

/**
 * Whether Tencent may bill the call. Follows Tencent's price list for the whole product, because the action has no price list of
 * its own.
 */
export function mayBeBilled({ reply, failure }: Pick<Inspection, 'reply' | 'failure'>): boolean {
  const code = reply === null ? failure?.code : String(reply.Result);
  return code === 'Success' || code?.endsWith('.CompareLowSimilarity') === true || failure?.sent === 'maybe';
}

function point(name: string, expected: string, actual: string): Point {
  return { name, expected, actual };
}

function requestIdPoint(requestId: unknown): Point {
  const isUuid = typeof requestId === 'string' && UUID.test(requestId);
  return point('RequestId', 'a UUID', isUuid ? 'a UUID' : shapeOf(requestId));
}

function pathShape(path: string): string {
  return path
    .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi, '<uuid>')
    .replace(/(?<=%2F|\/)\d{6,}(?=%2F|\/)/g, '<appid>');
}

function differingParts(one: string, other: string): string {
  const [left = [], right = []] = [one, other].map((link) => link.split(/[?&]/));
  const names = left.flatMap((part, index) =>
    part === right[index] ? [] : [index === 0 ? 'host or path' : (part.split('=')[0] ?? '')],
  );
  const rest = right.length > left.length ? ['number of parameters'] : [];
  return [...names, ...rest].join(', ') || 'nothing';
}

/** Describes only the shape of a value, because the value may be secret: digits become 9, letters become a. */
function shapeOf(value: unknown): string {
  return typeof value === 'string'
    ? `a string like ${value.replace(/[0-9]/g, '9').replace(/[a-z]/gi, 'a').slice(0, 60)}`
    : kindOf(value);
}

function kindOf(value: unknown): string {
  return value === undefined ? '(absent)' : value === null ? 'null' : typeof value;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
