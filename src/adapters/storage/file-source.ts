/**
 * Opens a resource in a file inside the configured roots. This module loads neither the SDK nor HTTP, because the clients use it
 * too.
 *
 * What must hold:
 * 1. Only a regular file inside a root is opened. Symbolic links below the root are not followed (`open-beneath.ts`); links in the
 *    path of the root itself are the operator's.
 * 2. The stream has the bytes that were hashed. A small file is read once and kept in memory. A large file is hashed and then
 *    streamed through the same descriptor. A file that is renamed over the path later changes nothing.
 * 3. No message contains a path, and for a path outside the roots, neither the message nor the class depends on whether it exists.
 */
import type { BigIntStats } from 'node:fs';
import { type FileHandle, realpath } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { Failure, inputFailure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { OpenSource } from '../../domain/ports.ts';
import { abortFailure } from '../http/abort-failure.ts';
import { ContentCheck, checkContent, checkSize, type Expectation, HEAD_BYTES } from './content-checks.ts';
import { type Digest, Hasher, sourceChanged, verifyUnchanged } from './hashing.ts';
import { type OpenedFile, openBeneath, openFolder, SymbolicLinkError } from './open-beneath.ts';
import { readAll, readRange } from './read-file.ts';

/** A file of at most this size is kept in memory until it is sent: with 50 slots, up to 25 MiB. */
const KEPT_BYTES = 256 * 1024;

interface FileSourceInput {
  readonly path: string;
  readonly md5?: string | undefined;
}

interface FileSourceOptions extends Expectation {
  readonly roots: readonly string[];
  /** Folders that the tenant's policy allows; the file must lie in one of them and in a root. Undefined: all roots. */
  readonly within?: readonly string[] | undefined;
}

/**
 * Checks a file without keeping it open: that it exists inside the roots, its size, and its format by the first bytes. If the
 * caller stated an MD5, also checks the MD5 and that the file is complete.
 * @throws Failure of class `caller`, naming the field.
 */
export async function inspectFile(
  { path, md5 }: FileSourceInput,
  options: FileSourceOptions,
): Promise<{ sizeBytes: number }> {
  const { field } = options;
  const { file, stats } = await openInsideRoots(path, options);
  try {
    const sizeBytes = Number(stats.size);
    checkSize(sizeBytes, options);
    const head = Buffer.alloc(Math.min(HEAD_BYTES, sizeBytes));
    await file.read(head, 0, head.byteLength, 0);
    checkContent(head, options);
    if (md5 !== undefined) {
      const { digest, check } = await hashFile(file, stats, options);
      check.conclude(digest, md5);
    }
    return { sizeBytes };
  } catch (error) {
    throw explainReadError(error, field);
  } finally {
    await file.close();
  }
}

export async function openFileSource(
  { path, md5 }: FileSourceInput,
  options: FileSourceOptions,
  signal: AbortSignal,
): Promise<OpenSource> {
  const { file, stats } = await openInsideRoots(path, options);
  try {
    checkSize(Number(stats.size), options);
    const kept: Uint8Array[] | null = stats.size <= KEPT_BYTES ? [] : null;
    const { digest, check } = await hashFile(file, stats, options, { signal, kept });
    check.conclude(digest, md5);
    if (kept === null) return sourceFromFile(file, digest);
    await file.close();
    return sourceFromBytes(kept, digest);
  } catch (error) {
    await file.close();
    throw explainReadError(error, options.field);
  }
}

/** Makes a source of an open, hashed file. Closing the source closes the file. */
export function sourceFromFile(file: FileHandle, digest: Digest): OpenSource {
  let closing: Promise<void> | null = null;
  return {
    ...digest,
    stream: () => verifyUnchanged(readAll(file), digest),
    close() {
      closing ??= file.close();
      return closing;
    },
  };
}

function sourceFromBytes(pieces: readonly Uint8Array[], digest: Digest): OpenSource {
  return {
    ...digest,
    async *stream() {
      yield* pieces;
    },
    close: async () => undefined,
  };
}

async function openInsideRoots(
  path: string,
  { roots, within, field }: Pick<FileSourceOptions, 'roots' | 'within' | 'field'>,
): Promise<OpenedFile> {
  const absolute = resolve(path);
  // Symbolic links below a root are not followed, so the text of the path says where the file is.
  if (within !== undefined && placeIn(absolute, within) === null) throw outsideRoots(field);
  const { root, steps } = await findRoot(absolute, roots, field);
  const folder = await openFolder(root).catch((cause: unknown) => {
    throw rootUnreadable(reasonOf(cause), cause);
  });
  let opened: OpenedFile;
  try {
    opened = await openBeneath(folder, steps);
  } catch (error) {
    throw error instanceof SymbolicLinkError ? symbolicLink(field) : explainReadError(error, field);
  } finally {
    await folder.file.close();
  }
  if (opened.stats.isFile()) return opened;
  await opened.file.close();
  throw inputFailure(CODES.SOURCE_UNREADABLE, field, `${field} is not a regular file: give the path of a file`);
}

interface PlaceInRoot {
  readonly root: string;
  /** The names of the folders below the root, and of the file. */
  readonly steps: readonly string[];
}

/**
 * Finds the innermost root that contains a path, by the text of the path alone: the file system is asked only about the roots
 * themselves, so the answer says nothing about other paths.
 * @throws Failure SOURCE_OUTSIDE_ROOTS
 */
async function findRoot(path: string, roots: readonly string[], field: string): Promise<PlaceInRoot> {
  const named = roots.map((root) => resolve(root));
  const place = placeIn(path, named) ?? placeIn(path, await realPaths(named));
  if (place === null) throw outsideRoots(field);
  return place;
}

function placeIn(path: string, roots: readonly string[]): PlaceInRoot | null {
  const [root] = roots.filter((each) => isWithin(path, each)).sort((a, b) => b.length - a.length);
  if (root === undefined) return null;
  return {
    root,
    steps: path
      .slice(root.length)
      .split(sep)
      .filter((step) => step !== ''),
  };
}

function isWithin(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

/** The roots with their symbolic links resolved, because a caller may use either path. A root that cannot be read is left out. */
async function realPaths(roots: readonly string[]): Promise<string[]> {
  return (await Promise.all(roots.map((root) => realpath(root).catch(() => [])))).flat();
}

/** @param reason the system's code for the problem, such as ENOENT. */
export function rootUnreadable(reason: string, cause?: unknown): Failure {
  const message = `a source root cannot be read on this machine (${reason}): mount it, or correct BESTFRAME_FILE_ROOTS`;
  return localFailure(CODES.ROOT_UNREADABLE, message, { service: 'source', cause });
}

function reasonOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unexpected';
}

/**
 * Hashes the whole file.
 * @param kept receives the bytes that were hashed
 * @throws Failure SOURCE_CHANGED if the file changes during the read.
 */
async function hashFile(
  file: FileHandle,
  before: BigIntStats,
  expected: Expectation,
  { signal, kept = null }: { signal?: AbortSignal; kept?: Uint8Array[] | null } = {},
): Promise<{ digest: Digest; check: ContentCheck }> {
  const hasher = new Hasher();
  const check = new ContentCheck(expected);
  for await (const piece of check.watch(readRange(file, 0, Number(before.size) - 1))) {
    hasher.add(piece);
    kept?.push(piece);
    if (signal?.aborted === true) throw abortFailure(signal, 'no');
  }
  const after = await file.stat({ bigint: true });
  const isUnchanged =
    after.size === before.size && after.mtimeNs === before.mtimeNs && BigInt(hasher.sizeBytes) === before.size;
  if (!isUnchanged) throw sourceChanged();
  return { digest: hasher.digest(), check };
}

// ── failures ───────────────────────────────────────────────────────────────────────────────────────────────────────

function symbolicLink(field: string): Failure {
  const message = `${field} leads through a symbolic link: give the path without links, or make the folder a source root`;
  return inputFailure(CODES.SOURCE_UNREADABLE, field, message);
}

function outsideRoots(field: string): Failure {
  const message = `${field} is outside the configured source roots: move it there, or add its folder to them`;
  return inputFailure(CODES.SOURCE_OUTSIDE_ROOTS, field, message);
}

/** Error codes for a fault of this machine (a disk, a mount, a limit) rather than of one file. */
const MACHINE_ERRORS: ReadonlySet<string> = new Set([
  ...['EIO', 'ESTALE', 'ENOTCONN', 'EHOSTDOWN', 'EHOSTUNREACH', 'ETIMEDOUT', 'ENODEV', 'EMFILE', 'ENFILE', 'ENOMEM'],
]);

/** Turns a file system error into a Failure. Returns every other error unchanged. */
function explainReadError(error: unknown, field: string): unknown {
  if (error instanceof Failure || !(error instanceof Error) || !('code' in error)) return error;
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
    const message = `${field} does not exist: correct its path (preferably an absolute one)`;
    return inputFailure(CODES.SOURCE_MISSING, field, message);
  }
  if (MACHINE_ERRORS.has(String(error.code))) return rootUnreadable(reasonOf(error), error);
  const reason = typeof error.code === 'string' ? ` (${error.code})` : '';
  const message = `${field} cannot be read${reason}: correct its permissions, or give another file`;
  return inputFailure(CODES.SOURCE_UNREADABLE, field, message);
}
