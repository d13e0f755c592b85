/**
 * Deletes every version and delete marker under a prefix, until the bucket lists no more of them.
 *
 * What must hold:
 * 1. Only listed versions are deleted, by key and version id, and only those whose key the caller selects.
 * 2. A list that cannot be parsed completely deletes nothing.
 * 3. The number of rounds in one call is limited. Another call continues with the versions that are still listed.
 */
import { z } from 'zod';
import { type Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { parseXml } from './cos-xml.ts';

export interface ObjectVersion {
  readonly key: string;
  /** Empty if versioning was never enabled. */
  readonly versionId: string;
  readonly isMarker: boolean;
}

export interface ListedVersion extends ObjectVersion {
  /** ms since 1970; NaN if the list does not say it. */
  readonly modifiedAt: number;
}

export interface VersionStore {
  /** Lists the first versions, as XML. */
  list(query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<string>;
  remove(version: ObjectVersion, signal: AbortSignal): Promise<void>;
}

/** The number of versions that are listed, and deleted concurrently, in one round. */
const PAGE_SIZE = 20;
const MAX_ROUNDS = 50;
/** The number of versions that are listed at once if nothing is deleted. */
const LONG_PAGE_SIZE = 250;

/**
 * @param isSelected decides for each key with the prefix whether it is deleted.
 * @returns how many versions were deleted.
 */
export async function removeVersions(
  store: VersionStore,
  prefix: string,
  isSelected: (key: string) => boolean,
  signal: AbortSignal,
): Promise<number> {
  const query = { versions: '', prefix, 'max-keys': String(PAGE_SIZE), 'encoding-type': 'url' };
  let removed = 0;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const { listed } = parseVersions(await store.list(query, signal));
    if (listed.some(({ key }) => !key.startsWith(prefix))) throw unreadableList();
    // A caller that selects one key passes that key as the prefix. That key sorts before all longer keys, so it is on the first
    // page.
    const selected = listed.filter(({ key }) => isSelected(key));
    if (selected.length === 0) return removed;
    await Promise.all(selected.map((version) => store.remove(version, signal)));
    removed += selected.length;
  }
  throw stillListed();
}

/** Lists all versions and delete markers under a prefix, page by page. The versions of one object are listed one after the other. */
export async function* listVersions(
  list: VersionStore['list'],
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<ListedVersion> {
  const query = { versions: '', prefix, 'max-keys': String(LONG_PAGE_SIZE), 'encoding-type': 'url' };
  let markers: Readonly<Record<string, string>> = {};
  for (;;) {
    const { listed, next } = parseVersions(await list({ ...query, ...markers }, signal));
    if (listed.some(({ key }) => !key.startsWith(prefix))) throw unreadableList();
    yield* listed.sort(byKeyAndAge);
    if (next === null) return;
    markers = next;
  }
}

function byKeyAndAge(one: ListedVersion, other: ListedVersion): number {
  if (one.key === other.key) return other.modifiedAt - one.modifiedAt;
  return one.key < other.key ? -1 : 1;
}

function stillListed(): Failure {
  const message = 'versions are still listed after they were deleted: they will be deleted again';
  return localFailure(CODES.HTTP_5XX, message, { service: 'cos', sent: 'answered' });
}

/**
 * Deletes the versions of one object that `isOurs` selects. If no version of anybody else is left, deletes the delete markers too.
 * Otherwise they stay: without its delete marker, an object would appear again that somebody else has deleted.
 */
export async function removeOwnedVersions(
  store: VersionStore,
  key: string,
  isOurs: (version: ObjectVersion) => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  const query = { versions: '', prefix: key, 'max-keys': String(PAGE_SIZE), 'encoding-type': 'url' };
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const page = parseVersions(await store.list(query, signal));
    const listed = page.listed.filter((version) => version.key === key);
    const contents = listed.filter(({ isMarker }) => !isMarker);
    const ours = await Promise.all(contents.map(isOurs));
    const selected = contents.length === 0 ? listed : contents.filter((_, index) => ours[index]);
    if (selected.length === 0) return;
    await Promise.all(selected.map((version) => store.remove(version, signal)));
  }
  throw stillListed();
}

const version = z.object({ Key: z.string(), VersionId: z.string().default(''), LastModified: z.string().default('') });
/** The parser yields an object for one element, and an array for several. */
const versions = z.union([z.array(version), version.transform((one) => [one])]).default([]);

const versionList = z.strictObject({
  ListVersionsResult: z.object({
    EncodingType: z.string().optional(),
    IsTruncated: z.string().optional(),
    NextKeyMarker: z.string().default(''),
    NextVersionIdMarker: z.string().default(''),
    Version: versions,
    DeleteMarker: versions,
  }),
});

interface VersionPage {
  readonly listed: ListedVersion[];
  /** The parameters of the next page; null if this page is the last one. */
  readonly next: Readonly<Record<string, string>> | null;
}

function parseVersions(xml: string): VersionPage {
  const list = parseXml(xml, versionList)?.ListVersionsResult;
  if (list === undefined) throw unreadableList();
  const decodeKey = (key: string) => (list.EncodingType === 'url' ? decodeURIComponent(key) : key);
  try {
    const read =
      (isMarker: boolean) =>
      ({ Key, VersionId, LastModified }: z.infer<typeof version>) => ({
        key: decodeKey(Key),
        versionId: VersionId,
        isMarker,
        modifiedAt: Date.parse(LastModified),
      });
    const next = { 'key-marker': decodeKey(list.NextKeyMarker), 'version-id-marker': list.NextVersionIdMarker };
    return {
      listed: [...list.Version.map(read(false)), ...list.DeleteMarker.map(read(true))],
      next: list.IsTruncated === 'true' ? next : null,
    };
  } catch {
    throw unreadableList(); // the URIError's message would quote the key
  }
}

function unreadableList(): Failure {
  const message = 'the list of versions cannot be read completely, so nothing in it was deleted';
  return localFailure(CODES.MALFORMED_REPLY, message, { service: 'cos', sent: 'answered' });
}
