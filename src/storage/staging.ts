/**
 * Files that came over HTTP, in a folder among the workers' roots, until no worker has a use for them. Loads no SDK.
 *
 * 1. A file is there whole, and on the disk, under its name, or not at all.
 * 2. A name follows from the verification and from all that is asked of it: a replay finds its file and adds none, and what is
 *    refused under somebody's key never takes the place of what was accepted under it.
 * 3. What nobody needs is found by its name alone, after a crash too.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { RESOURCE_NAMES, type ResourceName, type ResourceRule } from '../domain/actions.ts';
import { inputFailure } from '../domain/failure.ts';
import { contentProblem, HEAD_BYTES, sizeProblem, tooLarge } from './content.ts';
import { isGone, syncFolder } from './disk.ts';
import { throwIf } from './file-source.ts';
import { Hasher } from './hashing.ts';
import { diskFailure, writeWhole } from './spool.ts';

export interface Received {
  /** 32 hex digits. */
  readonly md5: string;
  /** Gives it its name. @param payload tells what is asked from anything else under the same id. @returns its path. */
  keep(id: string, payload: string): Promise<string>;
  /** Of one that was not kept. Idempotent. */
  discard(): Promise<void>;
}

export interface StagedFile {
  readonly id: string;
  readonly path: string;
  readonly ageMs: number;
}

export interface Staging {
  /**
   * Reads a resource to its end, or to where it is too much.
   * @throws Failure SOURCE_TOO_LARGE, SOURCE_EMPTY, SOURCE_WRONG_KIND, … naming `field`; SINK_FULL, SINK_UNWRITABLE
   */
  receive(name: ResourceName, rule: ResourceRule, field: string, pieces: AsyncIterable<Uint8Array>): Promise<Received>;
  /** Whether a path leads to what others have staged. */
  holds(path: string): boolean;
  /** Those that have their name; what killed processes left without one is removed. */
  list(): Promise<StagedFile[]>;
  /** What is away already is fine. */
  remove(files: readonly Pick<StagedFile, 'path'>[]): Promise<void>;
}

const LEFT_BEHIND_MS = 3_600_000;
const PART = /^\.[0-9a-f-]{36}\.part$/;
const NAME = new RegExp(`^(v[0-9a-z]{25})\\.(?:${RESOURCE_NAMES.join('|')})\\.[A-Za-z0-9_-]{22}$`);

/** @param folder made where it is missing, for its owner only. */
export function openStaging(folder: string): Staging {
  const dir = resolve(folder);

  async function named(part: string, name: string): Promise<string> {
    if (!NAME.test(name)) throw new Error('a name that would not be found again');
    const path = join(dir, name);
    try {
      await rename(part, path);
      await syncFolder(dir);
      return path;
    } catch (error) {
      throw diskFailure(error);
    }
  }

  return {
    async receive(name, rule, field, pieces) {
      const part = join(dir, `.${randomUUID()}.part`);
      try {
        await mkdir(dir, { recursive: true, mode: 0o700 });
        const md5 = await write(part, rule, field, pieces);
        return {
          md5,
          keep: (id, payload) => named(part, `${id}.${name}.${payload}`),
          discard: () => rm(part, { force: true }),
        };
      } catch (error) {
        await rm(part, { force: true }).catch(() => undefined); // the first error says why
        throw diskFailure(error);
      }
    },

    holds: (path) => `${resolve(path)}/`.startsWith(`${dir}/`),

    async list() {
      const now = Date.now();
      const files: StagedFile[] = [];
      for (const name of await namesIn(dir)) {
        const path = join(dir, name);
        const [, id] = NAME.exec(name) ?? [];
        if (id === undefined && !PART.test(name)) continue;
        const seen = await statIfThere(path);
        if (seen === null) continue;
        const ageMs = now - seen.mtimeMs;
        if (id !== undefined) files.push({ id, path, ageMs });
        else if (ageMs > LEFT_BEHIND_MS) await rm(path, { force: true });
      }
      return files;
    },

    async remove(files) {
      for (const { path } of files) await rm(path, { force: true });
      if (files.length > 0) await syncFolder(dir);
    },
  };
}

async function write(
  part: string,
  rule: ResourceRule,
  field: string,
  pieces: AsyncIterable<Uint8Array>,
): Promise<string> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(part, flags, 0o600);
  try {
    const hasher = new Hasher();
    let judged = false;
    for await (const piece of pieces) {
      const position = hasher.sizeBytes;
      hasher.add(piece);
      if (hasher.sizeBytes > rule.maxBytes) throw tooLarge(rule, field);
      if (!judged && hasher.sizeBytes >= HEAD_BYTES) {
        throwIf(contentProblem(hasher.head(), rule, field));
        judged = true;
      }
      await writeWhole(file, piece, position);
    }
    const { sizeBytes, md5 } = hasher.digest();
    throwIf(sizeProblem(sizeBytes, rule, field));
    if (!judged) throwIf(contentProblem(hasher.head(), rule, field));
    await file.sync();
    return md5;
  } finally {
    await file.close();
  }
}

/** @throws Failure SOURCE_OUTSIDE_ROOTS: what came over HTTP is nobody's source but the verification's that it came with. */
export function refuseStaged(staging: Staging | null, path: string, field: string): void {
  if (staging?.holds(path) !== true) return;
  const message = `${field} is in the staging folder: send the file with the verification, or name one of your own`;
  throw inputFailure('SOURCE_OUTSIDE_ROOTS', field, message);
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (isGone(error)) return []; // nothing came yet
    throw diskFailure(error);
  }
}

async function statIfThere(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (isGone(error)) return null; // another process has just removed it
    throw diskFailure(error);
  }
}
