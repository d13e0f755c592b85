/** Lists a bucket page by page in COS's XML: objects (`GET /`) and versions (`GET /?versions`). */
import { CosFailure } from './cos-error.ts';
import type { StoredObject, Version } from './object-store.ts';
import { documentXml, element } from './xml.ts';

export interface BucketContent {
  readonly bucketName: string;
  /** The versions of each object, the newest first. */
  readonly histories: readonly (readonly Version[])[];
  etagOf(stored: StoredObject): string;
}

export interface VersionedBucketContent extends BucketContent {
  /** False for a bucket in which versioning was never enabled: its versions have empty ids. */
  readonly showVersionIds: boolean;
}

const MAX_KEYS = 1_000;

/** The query parameters that all kinds of lists share. */
export interface ListQuery {
  readonly prefix: string;
  /** Empty if the list has no folders. */
  readonly delimiter: string;
  readonly maxKeys: number;
  readonly encodingType: string | null;
  /** Encodes a key in the way that the parameter `encoding-type` names. */
  encodeKey(key: string): string;
}

interface VersionEntry {
  readonly version: Version;
  readonly isLatest: boolean;
}

/** Lists the current objects. @throws CosFailure if the query is invalid. */
export function listObjectsXml({ bucketName, histories, etagOf }: BucketContent, query: URLSearchParams): string {
  const listQuery = readListQuery(query, 'max-keys');
  const { maxKeys, encodeKey } = listQuery;
  const marker = query.get('marker') ?? '';
  const objects = sortByKey(histories, listQuery.prefix).flatMap(([latest]) =>
    latest?.kind === 'object' ? [latest] : [],
  );
  const entries = groupByFolder(objects, ({ key }) => key, listQuery);
  const remaining = entries.filter(({ name }) => isKeyAfter(name, marker));
  const page = remaining.slice(0, maxKeys);
  const isTruncated = page.length > 0 && page.length < remaining.length;
  const contents = page.flatMap(({ items }) =>
    items.map((stored) => {
      const fields = [
        keyXml(stored, listQuery),
        lastModifiedXml(stored),
        contentXml(stored, etagOf),
        ownerXml(bucketName),
        STORAGE_CLASS,
      ];
      return `<Contents>${fields.join('')}</Contents>`;
    }),
  );
  return documentXml('ListBucketResult', [
    ...headXml(bucketName, listQuery),
    element('Marker', encodeKey(marker)),
    element('MaxKeys', String(maxKeys)),
    element('IsTruncated', String(isTruncated)),
    ...(isTruncated ? [element('NextMarker', encodeKey(page.at(-1)?.name ?? ''))] : []),
    ...contents,
    ...foldersXml(page, listQuery),
  ]);
}

/** Lists all versions and delete markers. @throws CosFailure if the query is invalid. */
export function listVersionsXml(content: VersionedBucketContent, query: URLSearchParams): string {
  const { bucketName, histories, etagOf, showVersionIds } = content;
  const listQuery = readListQuery(query, 'max-keys');
  const { maxKeys, encodeKey } = listQuery;
  const keyMarker = query.get('key-marker') ?? '';
  const versionIdMarker = query.get('version-id-marker') ?? '';
  const versions = sortByKey(histories, listQuery.prefix).flatMap((history) =>
    history.map((version, index) => ({ version, isLatest: index === 0 })),
  );
  const entries = groupByFolder(versions, ({ version }) => version.key, listQuery);
  const remaining = entries.slice(indexAfterMarkers(entries, keyMarker, versionIdMarker));
  const page = remaining.slice(0, maxKeys);
  const isTruncated = page.length > 0 && page.length < remaining.length;
  const last = page.at(-1);
  const idOf = (version: Version | undefined) => (showVersionIds ? (version?.versionId ?? '') : '');
  const listed = page.flatMap(({ items }) => items);
  const items = listed.map(({ version, isLatest }) => {
    const fields = [
      keyXml(version, listQuery),
      element('VersionId', idOf(version)),
      element('IsLatest', String(isLatest)),
      lastModifiedXml(version),
    ].join('');
    const owner = ownerXml(bucketName);
    if (version.kind === 'marker') return `<DeleteMarker>${fields}${owner}</DeleteMarker>`;
    return `<Version>${fields}${contentXml(version, etagOf)}${STORAGE_CLASS}${owner}</Version>`;
  });
  return documentXml('ListVersionsResult', [
    ...headXml(bucketName, listQuery),
    element('KeyMarker', encodeKey(keyMarker)),
    element('VersionIdMarker', versionIdMarker),
    element('MaxKeys', String(maxKeys)),
    element('IsTruncated', String(isTruncated)),
    ...(isTruncated
      ? [
          element('NextKeyMarker', encodeKey(last?.name ?? '')),
          element('NextVersionIdMarker', idOf(last?.items[0]?.version)),
        ]
      : []),
    ...items,
    ...foldersXml(page, listQuery),
  ]);
}

/** @param maximum the name of the parameter that limits the page. @throws CosFailure if a parameter is invalid. */
export function readListQuery(query: URLSearchParams, maximum: string): ListQuery {
  const maxKeys = query.get(maximum) ?? '';
  const encodingType = query.get('encoding-type');
  if (!/^\d{0,9}$/.test(maxKeys) || (encodingType !== null && encodingType !== 'url')) {
    throw new CosFailure({
      status: 400,
      code: 'InvalidArgument',
      message: `${maximum} or encoding-type is not valid.`,
    });
  }
  return {
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') ?? '',
    maxKeys: maxKeys === '' ? MAX_KEYS : Math.min(Number(maxKeys), MAX_KEYS),
    encodingType,
    encodeKey: (key) => (encodingType === null ? key : encodeURIComponent(key).replaceAll('%2F', '/')),
  };
}

/** Selects the objects whose keys have this prefix, and sorts them by the UTF-8 bytes of their keys. */
function sortByKey(histories: BucketContent['histories'], prefix: string): (readonly Version[])[] {
  const keyOf = (versions: readonly Version[]) => versions[0]?.key ?? '';
  const matching = histories.filter((versions) => keyOf(versions).startsWith(prefix));
  return matching.sort((one, other) => Buffer.compare(Buffer.from(keyOf(one)), Buffer.from(keyOf(other))));
}

export function isKeyAfter(key: string, marker: string): boolean {
  return Buffer.compare(Buffer.from(key), Buffer.from(marker)) > 0;
}

/**
 * Finds where the page begins: after the version that the markers name. If that version has been removed, the page
 * restarts at the newest version of its object, so that no version is missed.
 */
function indexAfterMarkers(
  entries: readonly ListEntry<VersionEntry>[],
  keyMarker: string,
  versionIdMarker: string,
): number {
  const named = entries.findIndex(
    ({ name, items }) => name === keyMarker && items.some(({ version }) => version.versionId === versionIdMarker),
  );
  if (named >= 0) return named + 1;
  const first = entries.findIndex(
    ({ name }) => isKeyAfter(name, keyMarker) || (versionIdMarker !== '' && name === keyMarker),
  );
  return first < 0 ? entries.length : first;
}

/** An entry of a list: a folder, or one object, version or upload under its key. */
export interface ListEntry<T> {
  /** The folder with its delimiter, or the key. */
  readonly name: string;
  readonly isFolder: boolean;
  /** The object, version or upload. Empty for a folder. */
  readonly items: readonly T[];
}

/** If the query has a delimiter, replaces all things in a folder by one entry for the folder. @param things sorted by key. */
export function groupByFolder<T>(
  things: readonly T[],
  keyOf: (thing: T) => string,
  { prefix, delimiter }: ListQuery,
): ListEntry<T>[] {
  const entries: ListEntry<T>[] = [];
  for (const thing of things) {
    const key = keyOf(thing);
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    if (end < 0) entries.push({ name: key, isFolder: false, items: [thing] });
    else {
      const name = key.slice(0, end + delimiter.length);
      const last = entries.at(-1);
      if (last?.isFolder !== true || last.name !== name) entries.push({ name, isFolder: true, items: [] });
    }
  }
  return entries;
}

export function foldersXml(page: readonly ListEntry<unknown>[], { encodeKey }: ListQuery): string[] {
  const folders = page.filter(({ isFolder }) => isFolder);
  return folders.map(({ name }) => `<CommonPrefixes>${element('Prefix', encodeKey(name))}</CommonPrefixes>`);
}

export const STORAGE_CLASS = element('StorageClass', 'STANDARD');

function headXml(bucketName: string, { prefix, delimiter, encodingType, encodeKey }: ListQuery): string[] {
  return [
    ...(encodingType === null ? [] : [element('EncodingType', encodingType)]),
    element('Name', bucketName),
    element('Prefix', encodeKey(prefix)),
    ...(delimiter === '' ? [] : [element('Delimiter', encodeKey(delimiter))]),
  ];
}

function keyXml({ key }: Version, { encodeKey }: ListQuery): string {
  return element('Key', encodeKey(key));
}

function lastModifiedXml({ at }: Version): string {
  return element('LastModified', new Date(at).toISOString());
}

function contentXml(stored: StoredObject, etagOf: BucketContent['etagOf']): string {
  return element('ETag', etagOf(stored)) + element('Size', String(stored.sizeBytes));
}

/** The owner's APPID is the last part of the bucket's name. */
export function ownerXml(bucketName: string, name = 'Owner'): string {
  const appId = bucketName.slice(bucketName.lastIndexOf('-') + 1);
  return `<${name}>${element('ID', appId)}${element('DisplayName', appId)}</${name}>`;
}
