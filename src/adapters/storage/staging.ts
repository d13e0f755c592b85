/**
 * Keeps files that were uploaded over HTTP in a folder among the workers' roots, until no worker needs them. Loads no SDK.
 *
 * What must hold:
 * 1. A file under its final name is complete and flushed to disk.
 * 2. Each file has its own name, even if the same request arrives twice at once: no request can replace, use or remove another
 *    request's file. One of these requests wins the claim, and its record names the files that are used.
 * 3. Files that are no longer needed can be found by name alone, even after a crash.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { RESOURCE_NAMES, type ResourceName, type ResourceRule } from '../../domain/verification/actions.ts';
import { ContentCheck, checkMaxSize, type Expectation } from './content-checks.ts';
import { createFile, diskFailure, isMissing, syncFolder, writePiece } from './disk.ts';
import { type Digest, Hasher } from './hashing.ts';

export interface Received extends Digest {
  /**
   * Gives the file its final name.
   * @param payload fingerprint of the request.
   */
  keep(id: string, payload: string): Promise<KeptFile>;
  /** Checks the file against the size limit of another rule. @throws Failure SOURCE_TOO_LARGE naming `field` */
  refuseLarger(rule: ResourceRule, field: string): void;
  /** Removes a file that was not kept. Idempotent. */
  discard(): Promise<void>;
}

export interface KeptFile {
  readonly path: string;
  /**
   * A path that is the same for every replay of the request. The verification's fingerprint is computed with this path instead of
   * `path`.
   */
  readonly replayPath: string;
}

export interface StagedFile {
  readonly id: string;
  readonly path: string;
  readonly ageMs: number;
}

export interface Staging {
  /**
   * Reads a resource completely, or up to its size limit.
   * @throws Failure SOURCE_TOO_LARGE, SOURCE_EMPTY, SOURCE_WRONG_KIND, … naming `field`; SINK_FULL, SINK_UNWRITABLE
   */
  receive(name: ResourceName, rule: ResourceRule, field: string, pieces: AsyncIterable<Uint8Array>): Promise<Received>;
  /** Whether a path leads into the staging folder. */
  holds(path: string): boolean;
  /** Lists the files that have their final name. Removes stale partial files of killed processes. */
  list(): Promise<StagedFile[]>;
  /** Removes files. A missing file is not an error. */
  remove(files: readonly Pick<StagedFile, 'path'>[]): Promise<void>;
}

const STALE_MS = 3_600_000;
const PART = /^\.[0-9a-f-]{36}\.part$/;
/** Names that older versions of Bestframe gave have no random part at the end. */
const NAME = new RegExp(
  `^(v[0-9a-z]{25})\\.(?:${RESOURCE_NAMES.join('|')})\\.[A-Za-z0-9_-]{22}(?:\\.[A-Za-z0-9_-]{22})?$`,
);

/** @param folder created if it is missing, for its owner only. */
export function openStaging(folder: string): Staging {
  const dir = resolve(folder);

  async function moveInPlace(part: string, replayName: string): Promise<KeptFile> {
    const name = `${replayName}.${randomBytes(16).toString('base64url')}`;
    if (!NAME.test(name)) throw new Error('`list` would not find a file with this name');
    const path = join(dir, name);
    try {
      await rename(part, path);
      await syncFolder(dir);
      return { path, replayPath: join(dir, replayName) };
    } catch (error) {
      throw diskFailure(error, 'staging');
    }
  }

  return {
    async receive(name, rule, field, pieces) {
      const part = join(dir, `.${randomUUID()}.part`);
      try {
        await mkdir(dir, { recursive: true, mode: 0o700 });
        const digest = await writePart(part, { rule, field }, pieces);
        return {
          ...digest,
          refuseLarger: (other, otherField) => checkMaxSize(digest.sizeBytes, { rule: other, field: otherField }),
          keep: (id, payload) => moveInPlace(part, `${id}.${name}.${payload}`),
          discard: () => rm(part, { force: true }),
        };
      } catch (error) {
        await rm(part, { force: true }).catch(() => undefined); // only the first error is reported
        throw diskFailure(error, 'staging');
      }
    },

    holds: (path) => `${resolve(path)}/`.startsWith(`${dir}/`),

    async list() {
      const now = Date.now();
      const files: StagedFile[] = [];
      for (const name of await listNames(dir)) {
        const path = join(dir, name);
        const [, id] = NAME.exec(name) ?? [];
        if (id === undefined && !PART.test(name)) continue;
        const stats = await statIfPresent(path);
        if (stats === null) continue;
        const ageMs = now - stats.mtimeMs;
        if (id !== undefined) files.push({ id, path, ageMs });
        else if (ageMs > STALE_MS) await rm(path, { force: true });
      }
      return files;
    },

    async remove(files) {
      for (const { path } of files) await rm(path, { force: true });
      if (files.length > 0) await syncFolder(dir);
    },
  };
}

async function writePart(part: string, expected: Expectation, pieces: AsyncIterable<Uint8Array>): Promise<Digest> {
  const file = await createFile(part, 'write');
  try {
    const hasher = new Hasher();
    const check = new ContentCheck(expected);
    for await (const piece of check.watch(pieces)) {
      const position = hasher.sizeBytes;
      hasher.add(piece);
      await writePiece(file, piece, position, 'staging');
    }
    const digest = hasher.digest();
    check.conclude(digest);
    await file.sync();
    return digest;
  } finally {
    await file.close();
  }
}

/** @throws Failure SOURCE_OUTSIDE_ROOTS if the file is staged: it belongs to the verification with which it was uploaded. */
export function refuseStaged(staging: Staging | null, path: string, field: string): void {
  if (staging?.holds(path) !== true) return;
  const message = `${field} is in the staging folder: send the file with the verification, or give a path outside it`;
  throw inputFailure(CODES.SOURCE_OUTSIDE_ROOTS, field, message);
}

async function listNames(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (isMissing(error)) return []; // nothing was uploaded yet
    throw diskFailure(error, 'staging');
  }
}

async function statIfPresent(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (isMissing(error)) return null; // another process has just removed it
    throw diskFailure(error, 'staging');
  }
}
