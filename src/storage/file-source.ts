/**
 * A resource in a file inside the configured roots. Loads no SDK and no HTTP: the producer uses it at the border too.
 *
 * 1. What is opened is a regular file that lies, with all symbolic links followed, inside a root; opening by path and
 *    judging by path are tied together by device and inode, so that a link swapped in between is noticed.
 * 2. One descriptor is hashed and then streamed: a file renamed over the path later changes nothing.
 * 3. No message names a path.
 */
import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import type { ResourceRule } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import { Failure, inputFailure } from '../domain/failure.ts';
import type { OpenSource } from '../domain/ports.ts';
import { abortFailure } from '../transport/abort.ts';
import { contentProblem, HEAD_BYTES, md5Problem, sizeProblem } from './content.ts';
import { type Digest, Hasher, sourceChanged, unchanged } from './hashing.ts';
import { readAll } from './reading.ts';

/**
 * Looks at a file without keeping it: exists, inside the roots, size, kind by its first bytes, and MD5 where one is given.
 * @throws Failure of class `caller`, naming `field`.
 */
export async function inspectFile(
  path: string,
  roots: readonly string[],
  rule: ResourceRule,
  field: string,
  md5?: string,
): Promise<{ sizeBytes: number }> {
  const { file, facts } = await openInside(path, roots, field);
  try {
    const sizeBytes = Number(facts.size);
    throwIf(sizeProblem(sizeBytes, rule, field));
    const head = Buffer.alloc(Math.min(HEAD_BYTES, sizeBytes));
    await file.read(head, 0, head.byteLength, 0);
    throwIf(contentProblem(head, rule, field));
    if (md5 !== undefined) throwIf(md5Problem((await hashed(file, facts)).digest.md5, md5, field));
    return { sizeBytes };
  } catch (error) {
    throw asFailure(error, field);
  } finally {
    await file.close();
  }
}

export async function openFileSource(
  from: { readonly path: string; readonly md5?: string | undefined },
  roots: readonly string[],
  rule: ResourceRule,
  field: string,
  signal: AbortSignal,
): Promise<OpenSource> {
  const { file, facts } = await openInside(from.path, roots, field);
  try {
    throwIf(sizeProblem(Number(facts.size), rule, field));
    const { digest, head } = await hashed(file, facts, signal);
    throwIf(contentProblem(head, rule, field));
    throwIf(md5Problem(digest.md5, from.md5, field));
    return openedFile(file, digest);
  } catch (error) {
    await file.close();
    throw asFailure(error, field);
  }
}

/** An open, hashed descriptor as a source. Closing the source closes the descriptor. */
export function openedFile(file: FileHandle, digest: Digest): OpenSource {
  let closing: Promise<void> | null = null;
  return {
    ...digest,
    stream: () => unchanged(readAll(file), digest),
    close() {
      closing ??= file.close();
      return closing;
    },
  };
}

async function openInside(
  path: string,
  roots: readonly string[],
  field: string,
): Promise<{ file: FileHandle; facts: BigIntStats }> {
  const realRoots = await Promise.all(roots.map(realRoot));
  const inside = (real: string) => within(real, realRoots);
  const lexical = resolve(path);
  let file: FileHandle | null = null;
  try {
    const real = await realpath(lexical);
    if (!inside(real)) throw outside(field);
    // Not blocking: a FIFO would wait for a writer for ever.
    file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const facts = await file.stat({ bigint: true });
    const again = await realpath(lexical);
    const named = await stat(again, { bigint: true });
    if (!inside(again)) throw outside(field);
    if (named.ino !== facts.ino || named.dev !== facts.dev) throw sourceChanged();
    if (!facts.isFile()) {
      throw inputFailure(CODES.SOURCE_UNREADABLE, field, `${field} is not a regular file: give the path of a file`);
    }
    return { file, facts };
  } catch (error) {
    await file?.close();
    if (error instanceof Failure) throw error;
    // Of what lies outside the roots nothing is told, not even whether it is there.
    throw inside(lexical) ||
      within(
        lexical,
        roots.map((root) => resolve(root)),
      )
      ? asFailure(error, field)
      : outside(field);
  }
}

function within(path: string, roots: readonly string[]): boolean {
  return roots.some((root) => path === root || path.startsWith(root.endsWith(sep) ? root : root + sep));
}

async function realRoot(root: string): Promise<string> {
  try {
    return await realpath(resolve(root));
  } catch (cause) {
    const message = 'a source root cannot be read: correct the setting, or create the folder';
    const facts = { service: 'bestframe', channel: 'local', code: CODES.INVALID_SETTINGS, sent: 'no' } as const;
    throw new Failure(facts, message, { cause });
  }
}

/** Hashes the whole, and makes sure that nobody wrote to the file meanwhile. */
async function hashed(
  file: FileHandle,
  before: BigIntStats,
  signal?: AbortSignal,
): Promise<{ digest: Digest; head: Uint8Array }> {
  const hasher = new Hasher();
  for await (const piece of readAll(file)) {
    hasher.add(piece);
    if (BigInt(hasher.sizeBytes) > before.size) break;
    if (signal?.aborted === true) throw abortFailure(signal, 'no');
  }
  const after = await file.stat({ bigint: true });
  const same =
    after.size === before.size && after.mtimeNs === before.mtimeNs && BigInt(hasher.sizeBytes) === before.size;
  if (!same) throw sourceChanged();
  return { digest: hasher.digest(), head: hasher.head() };
}

// ── failures ───────────────────────────────────────────────────────────────────────────────────────────────────────

export function throwIf(problem: Failure | null): void {
  if (problem !== null) throw problem;
}

function outside(field: string): Failure {
  return inputFailure(
    CODES.SOURCE_OUTSIDE_ROOTS,
    field,
    `${field} is outside the configured source roots: move it there, or add its folder to them`,
  );
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

function asFailure(error: unknown, field: string): unknown {
  if (error instanceof Failure || !(error instanceof Error) || !('code' in error)) return error;
  if (isMissing(error)) {
    return inputFailure(
      CODES.SOURCE_MISSING,
      field,
      `${field} does not exist: correct its path (best an absolute one)`,
    );
  }
  const reason = typeof error.code === 'string' ? ` (${error.code})` : '';
  return inputFailure(
    CODES.SOURCE_UNREADABLE,
    field,
    `${field} cannot be read${reason}: correct its permissions, or give another file`,
  );
}
