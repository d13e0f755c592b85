/**
 * Frames as files of one folder.
 *
 * 1. A file is there whole, with the right MD5, or not at all: written beside its place, flushed, checked, renamed.
 * 2. What a failed attempt wrote is removed; what a killed process left behind is removed within two hours, by whoever
 *    writes or removes here, and of a frame that is erased on demand at once.
 * 3. Nothing is written, read or removed outside the folder.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import { isGone, syncFolder } from './disk.ts';
import { type Digest, Hasher } from './hashing.ts';
import { readAll } from './reading.ts';
import { checkDigest, checkSize, limitedBy, type Shelf, sinkFailure, type ToShelve } from './shelf.ts';
import { diskFailure, writeWhole } from './spool.ts';

export interface FrameFolder extends Shelf {
  /** Makes the folder where it is missing, and tidies it up now and then. */
  prepare(): Promise<void>;
}

const LEFT_BEHIND_MS = 3_600_000;
const PART = /^\..+\.part$/;

/** @param folder made where it is missing, for its owner only. */
export function frameFolder(folder: string): FrameFolder {
  // Paths are kept, and mean the same to a process that was started elsewhere.
  const dir = resolve(folder);
  let tidiedAt = 0;

  async function prepare(): Promise<void> {
    try {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      if (Date.now() - tidiedAt < LEFT_BEHIND_MS) return;
      await removeLeftBehind(dir);
      tidiedAt = Date.now();
    } catch (error) {
      throw diskFailure(error);
    }
  }

  return {
    prepare,
    pathOf: (name) => join(dir, name),

    async write(name, what, signal) {
      refuseOutside(name);
      await prepare();
      const path = join(dir, name);
      const part = join(dir, `.${name}.${randomUUID()}.part`);
      try {
        const digest = await writePart(part, what, signal);
        await rename(part, path);
        await syncFolder(dir);
        return { path, md5: digest.md5, bytes: digest.sizeBytes };
      } catch (error) {
        await rm(part, { force: true }).catch(() => undefined); // the first error says why
        throw diskFailure(error);
      }
    },

    read(name, limitBytes) {
      refuseOutside(name);
      return reading(join(dir, name), async (file) => {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(limitBytes + 1), 0, limitBytes + 1, 0);
        return bytesRead > limitBytes ? null : buffer.toString('utf8', 0, bytesRead);
      });
    },

    async holds(name, bytes) {
      refuseOutside(name);
      return (await reading(join(dir, name), (file) => isWhole(file, bytes))) ?? false;
    },

    async open(name, bytes) {
      refuseOutside(name);
      const file = await openIfThere(join(dir, name));
      if (file === null) return null;
      try {
        if (await isWhole(file, bytes)) return file;
      } catch (error) {
        await file.close();
        throw diskFailure(error);
      }
      await file.close();
      return null;
    },

    async remove(name) {
      refuseOutside(name);
      await prepare();
      try {
        await unlinkIfThere(join(dir, name));
        await syncFolder(dir);
      } catch (error) {
        throw diskFailure(error);
      }
    },

    async removeParts(name) {
      refuseOutside(name);
      await prepare();
      try {
        const parts = (await readdir(dir)).filter((file) => file.startsWith(`.${name}.`) && isPartOf(file, name));
        for (const part of parts) await unlinkIfThere(join(dir, part));
        await syncFolder(dir);
      } catch (error) {
        throw diskFailure(error);
      }
    },
  };
}

/** As `write` names them: between name and ending is a UUID and nothing else. */
function isPartOf(file: string, name: string): boolean {
  return /^[0-9a-f-]{36}\.part$/.test(file.slice(`.${name}.`.length));
}

async function writePart(part: string, { pieces, md5 }: ToShelve, signal: AbortSignal): Promise<Digest> {
  const file = await open(
    part,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    const hasher = new Hasher();
    for await (const piece of limitedBy(signal, pieces)) {
      const position = hasher.sizeBytes;
      hasher.add(piece);
      checkSize(hasher.sizeBytes);
      await writeWhole(file, piece, position);
    }
    const digest = hasher.digest();
    checkDigest(digest, md5);
    await file.sync();
    return digest;
  } finally {
    await file.close();
  }
}

async function isWhole(file: FileHandle, { sizeBytes, md5 }: Digest): Promise<boolean> {
  if ((await file.stat()).size !== sizeBytes) return false;
  const hasher = new Hasher();
  for await (const piece of readAll(file)) hasher.add(piece);
  const seen = hasher.digest();
  return seen.sizeBytes === sizeBytes && seen.md5 === md5;
}

/** @returns null where it is gone, or a link lies in its place; a folder that may not be read is a failure, no missing frame. */
async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isGone(error) || (error instanceof Error && 'code' in error && error.code === 'ELOOP')) return null;
    throw diskFailure(error);
  }
}

/** @returns null where it is not there or cannot be read: then nothing of it counts. */
async function reading<T>(path: string, read: (file: FileHandle) => Promise<T>): Promise<T | null> {
  let file: FileHandle | null = null;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    return await read(file);
  } catch (error) {
    if (error instanceof Failure || !(error instanceof Error && 'code' in error)) throw error;
    return null;
  } finally {
    await file?.close();
  }
}

/** The schema says so too; a name in an old record, or an id, has not been through it. */
function refuseOutside(name: string): void {
  if (isPlainName(name)) return;
  throw sinkFailure(
    CODES.INVALID_VERIFICATION,
    'frame.name is no plain file name: use letters, digits, ".", "_" and "-"',
    'frame.name',
  );
}

export function isPlainName(name: string): boolean {
  return /^(?!\.)[A-Za-z0-9._-]+$/.test(name);
}

async function removeLeftBehind(dir: string): Promise<void> {
  const parts = (await readdir(dir)).filter((name) => PART.test(name)).map((name) => join(dir, name));
  await Promise.all(parts.map(removeIfLeftBehind));
}

/** Young ones may belong to another worker that is writing right now. */
async function removeIfLeftBehind(part: string): Promise<void> {
  try {
    if (Date.now() - (await stat(part)).mtimeMs > LEFT_BEHIND_MS) await rm(part, { force: true });
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}
