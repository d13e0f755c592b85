/**
 * Stages files in a folder among the workers' roots. API and workers share this folder. A file under its final name is complete
 * and flushed to disk.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { RESOURCE_NAMES } from '../../domain/verification/actions.ts';
import { ContentCheck, checkMaxSize, type Expectation } from './content-checks.ts';
import { createFile, diskFailure, isMissing, syncFolder, writePiece } from './disk.ts';
import { type Digest, Hasher } from './hashing.ts';
import type { KeptFile, StagedFile, Staging } from './staging.ts';

const STALE_MS = 3_600_000;
const PART = /^\.[0-9a-f-]{36}\.part$/;
/** Names that older versions of Bestframe gave have no random part at the end. */
const NAME = new RegExp(
  `^(v[0-9a-z]{25})\\.(?:${RESOURCE_NAMES.join('|')})\\.[A-Za-z0-9_-]{22}(?:\\.[A-Za-z0-9_-]{22})?$`,
);

/** @param folder created if it is missing, for its owner only. */
export function openStagingFolder(folder: string): Staging {
  const dir = resolve(folder);

  async function moveInPlace(part: string, replayName: string): Promise<KeptFile> {
    const name = `${replayName}.${randomBytes(16).toString('base64url')}`;
    if (!NAME.test(name)) throw new Error('`list` would not find a file with this name');
    const path = join(dir, name);
    try {
      await rename(part, path);
      await syncFolder(dir);
      const replaySource = { from: 'file', path: join(dir, replayName) } as const;
      return { path, source: { from: 'file', path }, replaySource };
    } catch (error) {
      throw diskFailure(error, 'staging');
    }
  }

  return {
    async receive(name, rule, field, pieces) {
      const part = join(dir, `.${randomUUID()}.part`);
      let isKept = false;
      try {
        const digest = await writePart(part, { rule, field }, pieces);
        return {
          ...digest,
          refuseLarger: (other, otherField) => checkMaxSize(digest.sizeBytes, { rule: other, field: otherField }),
          keep: async ({ id }, payload) => {
            const kept = await moveInPlace(part, `${id}.${name}.${payload}`);
            isKept = true;
            return kept;
          },
          discard: async () => {
            if (!isKept) await rm(part, { force: true });
          },
        };
      } catch (error) {
        await rm(part, { force: true }).catch(() => undefined); // only the first error is reported
        throw diskFailure(error, 'staging');
      }
    },

    holds: ({ path }) => typeof path === 'string' && `${resolve(path)}/`.startsWith(`${dir}/`),

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
  const file = await createPart(part);
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

/** Creates the folder too, if it is missing: before the first file, or after somebody has removed it. */
async function createPart(part: string): Promise<FileHandle> {
  try {
    return await createFile(part, 'write');
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  await mkdir(dirname(part), { recursive: true, mode: 0o700 });
  return createFile(part, 'write');
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
