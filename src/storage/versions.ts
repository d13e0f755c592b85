/**
 * What a bucket holds under a prefix, deleted: every version and every delete marker, until none is listed.
 *
 * 1. Only what was listed is deleted, by key and version, and of that only what is meant.
 * 2. A list that cannot be read as a whole deletes nothing.
 * 3. It ends: what is still listed after so many rounds is left to the next try, which begins with less.
 */
import COS from 'cos-nodejs-sdk-v5';
import { z } from 'zod';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';

export interface Version {
  readonly key: string;
  /** Empty where versioning never was on. */
  readonly versionId: string;
}

export interface VersionIo {
  /** The first of them, as XML. */
  list(query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<string>;
  remove(version: Version, signal: AbortSignal): Promise<void>;
}

/** Deleted at once. */
const PAGE = 20;
const MOST_ROUNDS = 50;

/** @param isMeant of keys that begin with the prefix. @returns how many were deleted. */
export async function removeVersions(
  io: VersionIo,
  prefix: string,
  isMeant: (key: string) => boolean,
  signal: AbortSignal,
): Promise<number> {
  const query = { versions: '', prefix, 'max-keys': String(PAGE), 'encoding-type': 'url' };
  let removed = 0;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const listed = parseList(await io.list(query, signal));
    if (listed.some(({ key }) => !key.startsWith(prefix))) throw unreadable();
    // A key sorts before all that begin with it: one that is meant is among the first.
    const meant = listed.filter(({ key }) => isMeant(key));
    if (meant.length === 0) return removed;
    await Promise.all(meant.map((version) => io.remove(version, signal)));
    removed += meant.length;
  }
  const facts = { service: 'cos', channel: 'local', code: CODES.HTTP_5XX, sent: 'answered' } as const;
  throw new Failure(facts, 'versions are still listed after they were deleted: they will be deleted again');
}

const entry = z.object({ Key: z.string(), VersionId: z.string().default('') });
/** The SDK's reader makes one element an object, several an array. */
const entries = z.union([z.array(entry), entry.transform((one) => [one])]).default([]);

const list = z.object({
  ListVersionsResult: z.object({
    EncodingType: z.string().optional(),
    Version: entries,
    DeleteMarker: entries,
  }),
});

function parseList(xml: string): Version[] {
  // The reader takes half a document for a whole one.
  if (!/<\/ListVersionsResult>\s*$/.test(xml)) throw unreadable();
  try {
    const { EncodingType, Version, DeleteMarker } = list.parse(COS.util.xml2json(xml)).ListVersionsResult;
    const keyOf = (key: string) => (EncodingType === 'url' ? decodeURIComponent(key) : key);
    return [...Version, ...DeleteMarker].map(({ Key, VersionId }) => ({ key: keyOf(Key), versionId: VersionId }));
  } catch {
    throw unreadable(); // its own words quote the content
  }
}

function unreadable(): Failure {
  const facts = { service: 'cos', channel: 'local', code: CODES.MALFORMED_REPLY, sent: 'answered' } as const;
  return new Failure(facts, 'the list of versions cannot be read as a whole: nothing that is in it was deleted');
}
