/** What a bucket holds, page by page: objects (`GET /`), and versions (`GET /?versions`), as COS says it in XML. */
import type { CosError } from './cos-signature.ts';
import type { StoredObject, Version } from './objects.ts';
import { element } from './xml.ts';

export interface Listed {
  /** Of the bucket. */
  readonly name: string;
  /** Of each object its versions, the newest first. */
  readonly histories: readonly (readonly Version[])[];
  etagOf(stored: StoredObject): string;
}

const MOST_KEYS = 1_000;

/** What both kinds of lists are asked for. */
interface Asked {
  readonly prefix: string;
  readonly maxKeys: number;
  /** Keys in the answer. */
  written(key: string): string;
  readonly encodingType: string | null;
}

interface Entry {
  readonly version: Version;
  readonly latest: boolean;
}

/** Objects as a GET of each would see them. */
export function objectsXml({ name, histories, etagOf }: Listed, query: URLSearchParams): string | CosError {
  const asked = askedOf(query);
  if (asked === null) return invalidArgument();
  const marker = query.get('marker') ?? '';
  const objects = inOrder(histories, asked.prefix).flatMap(([latest]) =>
    latest?.kind === 'object' && isAfter(latest.key, marker) ? [latest] : [],
  );
  const page = objects.slice(0, asked.maxKeys);
  const truncated = page.length > 0 && page.length < objects.length;
  const contents = page.map((stored) => {
    const fields = [keyXml(stored, asked), timeXml(stored), contentXml(stored, etagOf), ownerXml(name), CLASS];
    return `<Contents>${fields.join('')}</Contents>`;
  });
  return documentXml('ListBucketResult', [
    ...headXml(name, asked),
    element('Marker', asked.written(marker)),
    element('MaxKeys', String(asked.maxKeys)),
    element('IsTruncated', String(truncated)),
    ...(truncated ? [element('NextMarker', asked.written(page.at(-1)?.key ?? ''))] : []),
    ...contents,
  ]);
}

/** @param versioned whether versioning was ever on: where not, versions have no ids. */
export function versionsXml(
  { name, histories, etagOf }: Listed,
  query: URLSearchParams,
  versioned: boolean,
): string | CosError {
  const asked = askedOf(query);
  if (asked === null) return invalidArgument();
  const keyMarker = query.get('key-marker') ?? '';
  const idMarker = query.get('version-id-marker') ?? '';
  const entries = inOrder(histories, asked.prefix).flatMap((versions) =>
    versions.map((version, index) => ({ version, latest: index === 0 })),
  );
  const rest = entries.slice(firstAfter(entries, keyMarker, idMarker));
  const page = rest.slice(0, asked.maxKeys);
  const truncated = page.length > 0 && page.length < rest.length;
  const last = page.at(-1)?.version;
  const idOf = (version: Version | undefined) => (versioned ? (version?.versionId ?? '') : '');
  const items = page.map(({ version, latest }) => {
    const fields = [
      keyXml(version, asked),
      element('VersionId', idOf(version)),
      element('IsLatest', String(latest)),
      timeXml(version),
    ];
    if (version.kind === 'marker') return `<DeleteMarker>${fields.join('')}${ownerXml(name)}</DeleteMarker>`;
    return `<Version>${fields.join('')}${contentXml(version, etagOf)}${CLASS}${ownerXml(name)}</Version>`;
  });
  return documentXml('ListVersionsResult', [
    ...headXml(name, asked),
    element('KeyMarker', asked.written(keyMarker)),
    element('VersionIdMarker', idMarker),
    element('MaxKeys', String(asked.maxKeys)),
    element('IsTruncated', String(truncated)),
    ...(truncated
      ? [element('NextKeyMarker', asked.written(last?.key ?? '')), element('NextVersionIdMarker', idOf(last))]
      : []),
    ...items,
  ]);
}

/** @returns null where it makes no sense. */
function askedOf(query: URLSearchParams): Asked | null {
  const most = query.get('max-keys') ?? '';
  const encodingType = query.get('encoding-type');
  if (!/^\d{0,9}$/.test(most) || (encodingType !== null && encodingType !== 'url')) return null;
  return {
    prefix: query.get('prefix') ?? '',
    maxKeys: most === '' ? MOST_KEYS : Math.min(Number(most), MOST_KEYS),
    written: (key) => (encodingType === null ? key : encodeURIComponent(key).replaceAll('%2F', '/')),
    encodingType,
  };
}

/** The UTF-8 order of keys. */
function inOrder(histories: Listed['histories'], prefix: string): (readonly Version[])[] {
  const keyOf = (versions: readonly Version[]) => versions[0]?.key ?? '';
  const matching = histories.filter((versions) => keyOf(versions).startsWith(prefix));
  return matching.sort((one, other) => Buffer.compare(Buffer.from(keyOf(one)), Buffer.from(keyOf(other))));
}

function isAfter(key: string, marker: string): boolean {
  return Buffer.compare(Buffer.from(key), Buffer.from(marker)) > 0;
}

/** Behind the version that is named; where it is gone meanwhile, the versions of its object begin anew: none is missed. */
function firstAfter(entries: readonly Entry[], keyMarker: string, idMarker: string): number {
  const named = entries.findIndex(({ version }) => version.key === keyMarker && version.versionId === idMarker);
  if (named >= 0) return named + 1;
  const first = entries.findIndex(
    ({ version: { key } }) => isAfter(key, keyMarker) || (idMarker !== '' && key === keyMarker),
  );
  return first < 0 ? entries.length : first;
}

const CLASS = element('StorageClass', 'STANDARD');

function headXml(name: string, { prefix, encodingType, written }: Asked): string[] {
  return [
    ...(encodingType === null ? [] : [element('EncodingType', encodingType)]),
    element('Name', name),
    element('Prefix', written(prefix)),
  ];
}

function keyXml({ key }: Version, { written }: Asked): string {
  return element('Key', written(key));
}

function timeXml({ at }: Version): string {
  return element('LastModified', new Date(at).toISOString());
}

function contentXml(stored: StoredObject, etagOf: Listed['etagOf']): string {
  return element('ETag', etagOf(stored)) + element('Size', String(stored.sizeBytes));
}

/** The APPID is the end of a bucket's name. */
function ownerXml(name: string): string {
  const appId = name.slice(name.lastIndexOf('-') + 1);
  return `<Owner>${element('ID', appId)}${element('DisplayName', appId)}</Owner>`;
}

function documentXml(name: string, parts: readonly string[]): string {
  return `<?xml version='1.0' encoding='utf-8' ?>\n<${name}>${parts.join('')}</${name}>`;
}

function invalidArgument(): CosError {
  return { status: 400, code: 'InvalidArgument', message: 'max-keys or encoding-type is not valid.' };
}
