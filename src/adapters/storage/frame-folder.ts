/**
 * Stores frames as files in one folder.
 *
 * What must hold:
 * 1. A file is complete with the right MD5, or absent: it is written under a temporary name, checked, flushed and renamed.
 * 2. A failed attempt removes its partial file. Partial files of killed processes are removed when they are one to two hours old,
 *    at a write or removal in the folder. An erasure on demand removes the partial files of its frame at once.
 * 3. Nothing outside the folder is written, read or removed.
 * 4. A file is replaced or removed only by the verification that wrote it. Its receipt names that verification, and so does a file
 *    name that begins with its id.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import {
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  opendir,
  readdir,
  rename,
  rm,
  stat,
  unlink,
} from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { Failure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { FrameReceipt } from '../../domain/verification/frame-receipt.ts';
import type { StoredFrame } from '../../domain/verification/outcomes.ts';
import { createFile, diskFailure, isMissing, syncFolder, writePiece } from './disk.ts';
import {
  checkFrameDigest,
  checkFrameSize,
  type FrameStore,
  frameTaken,
  MAX_RECEIPT_BYTES,
  type NewPicture,
  parseReceipt,
  receiptName,
  sinkFailure,
  untilAborted,
} from './frame-store.ts';
import { type Digest, Hasher, isSameDigest } from './hashing.ts';
import { readAll } from './read-file.ts';

const STALE_MS = 3_600_000;
const PART = /^\..+\.part$/;
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

export class FrameFolder implements FrameStore {
  readonly #dir: string;
  #cleanedAt = 0;

  /** @param dir created if it is missing, for its owner only. */
  constructor(dir: string) {
    // Records keep absolute paths, because other processes may run in another working directory.
    this.#dir = resolve(dir);
  }

  /** Creates the folder if it is missing, and removes stale partial files at most once an hour. */
  async prepare(): Promise<void> {
    try {
      await mkdir(this.#dir, { recursive: true, mode: 0o700 });
      if (Date.now() - this.#cleanedAt < STALE_MS) return;
      await removeStaleParts(this.#dir);
      this.#cleanedAt = Date.now();
    } catch (error) {
      throw diskFailure(error, 'frames');
    }
  }

  pathOf(name: string): string {
    return join(this.#dir, name);
  }

  /**
   * The receipt is placed before the frame, so that a frame always has an owner. A receipt without exactly its frame is not valid.
   */
  async store(name: string, picture: NewPicture, signal: AbortSignal): Promise<StoredFrame> {
    refuseOutside(name);
    await this.prepare();
    const path = this.pathOf(name);
    const [part, receiptPart] = [this.#partOf(name), this.#partOf(receiptName(name))];
    try {
      const digest = await writePart(part, picture, signal);
      const stored = { path, md5: digest.md5, bytes: digest.sizeBytes };
      const receipt = Readable.from([Buffer.from(picture.receiptFor(stored))]);
      await writePart(receiptPart, { pieces: receipt, md5: null }, signal);
      const claim = await this.#claim(name, picture.owner, { receiptPart, digest });
      try {
        await (claim.isFree ? placeNew(part, path) : rename(part, path));
      } catch (error) {
        if (claim.isFirst) await rm(this.pathOf(receiptName(name)), { force: true });
        throw error;
      }
      await syncFolder(this.#dir);
      return stored;
    } catch (error) {
      for (const each of [part, receiptPart]) await rm(each, { force: true }).catch(() => undefined); // only the first error is reported
      throw diskFailure(error, 'frames');
    }
  }

  /**
   * Places the receipt.
   * @returns `isFree`: nothing has the name of the frame; otherwise the owner wrote it, and it may be replaced. `isFirst`: there was
   * no receipt before.
   * @throws Failure FRAME_TAKEN
   */
  async #claim(
    name: string,
    owner: string,
    { receiptPart, digest }: { readonly receiptPart: string; readonly digest: Digest },
  ): Promise<{ readonly isFree: boolean; readonly isFirst: boolean }> {
    const path = this.pathOf(receiptName(name));
    const receipt = await this.#receiptOf(name);
    if (receipt === 'none' && !isNameOf(owner, name) && !(await exists(this.pathOf(name)))) {
      if (await tryPlaceNew(receiptPart, path)) return { isFree: true, isFirst: true };
      return this.#claim(name, owner, { receiptPart, digest }); // another attempt was faster, of this or another verification
    }
    if (!isNameOf(owner, name) && (receipt === 'none' || receipt?.id !== owner)) throw frameTaken();
    // Without its old receipt, an old picture that is not replaced after all would have no owner.
    if (typeof receipt === 'object' && receipt !== null && receipt.frame.md5 !== digest.md5)
      await unlinkIfPresent(this.pathOf(name));
    await rename(receiptPart, path);
    return { isFree: false, isFirst: receipt === 'none' };
  }

  /** @returns `none` if there is no receipt; null if something else has its name. */
  async #receiptOf(name: string): Promise<FrameReceipt | 'none' | null> {
    if (!(await exists(this.pathOf(receiptName(name))))) return 'none';
    return parseReceipt(await this.read(receiptName(name), MAX_RECEIPT_BYTES));
  }

  #partOf(name: string): string {
    return join(this.#dir, `.${name}.${randomUUID()}.part`);
  }

  async read(name: string, limitBytes: number): Promise<string | null> {
    refuseOutside(name);
    return readIfPossible(this.pathOf(name), async (file) => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(limitBytes + 1), 0, limitBytes + 1, 0);
      return bytesRead > limitBytes ? null : buffer.toString('utf8', 0, bytesRead);
    });
  }

  async holds(name: string, bytes: Digest): Promise<boolean> {
    refuseOutside(name);
    return (await readIfPossible(this.pathOf(name), (file) => hasBytes(file, bytes))) ?? false;
  }

  async open(name: string, bytes: Digest): Promise<FileHandle | null> {
    refuseOutside(name);
    const file = await openIfPresent(this.pathOf(name));
    if (file === null) return null;
    try {
      if (await hasBytes(file, bytes)) return file;
    } catch (error) {
      await file.close();
      throw diskFailure(error, 'frames');
    }
    await file.close();
    return null;
  }

  async remove(name: string, owner: string): Promise<void> {
    refuseOutside(name);
    await this.prepare();
    if (isNameOf(owner, name)) return this.#unlinkAll([name, receiptName(name)]);
    const receipt = await this.#receiptOf(name);
    if (receipt === 'none' || receipt?.id !== owner) return;
    const { md5, bytes: sizeBytes } = receipt.frame;
    const isOurs = await this.holds(name, { md5, sizeBytes });
    await this.#unlinkAll(isOurs ? [name, receiptName(name)] : [receiptName(name)]);
  }

  /** Names of all files in the folder. */
  async *names(): AsyncGenerator<string> {
    await this.prepare();
    try {
      for await (const entry of await opendir(this.#dir)) if (entry.isFile()) yield entry.name;
    } catch (error) {
      throw diskFailure(error, 'frames');
    }
  }

  async removeParts(name: string): Promise<void> {
    refuseOutside(name);
    await this.prepare();
    try {
      await this.#unlinkAll((await readdir(this.#dir)).filter((file) => isPartOf(file, name)));
    } catch (error) {
      throw diskFailure(error, 'frames');
    }
  }

  async #unlinkAll(names: readonly string[]): Promise<void> {
    try {
      for (const name of names) await unlinkIfPresent(join(this.#dir, name));
      await syncFolder(this.#dir);
    } catch (error) {
      throw diskFailure(error, 'frames');
    }
  }
}

/** Whether `file` is a partial file of `name`. `write` names partial files `.<name>.<UUID>.part`. */
function isPartOf(file: string, name: string): boolean {
  const start = `.${name}.`;
  return file.startsWith(start) && /^[0-9a-f-]{36}\.part$/.test(file.slice(start.length));
}

/** A name that begins with the id of a verification is reserved for it, see the schema of `frame.name`. */
function isNameOf(owner: string, name: string): boolean {
  return name.startsWith(`${owner}.`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw diskFailure(error, 'frames');
  }
}

/** Gives a file its name, unless the name is taken: a link, in contrast to a rename, never replaces anything. */
async function tryPlaceNew(part: string, path: string): Promise<boolean> {
  try {
    await link(part, path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    // Some file systems have no hard links. Between the check for the name and the rename, somebody else could still take it.
    if (!(error instanceof Error && 'code' in error && NO_LINKS.has(String(error.code)))) throw error;
    await rename(part, path);
    return true;
  }
  await unlinkIfPresent(part);
  return true;
}

async function placeNew(part: string, path: string): Promise<void> {
  if (!(await tryPlaceNew(part, path))) throw frameTaken();
}

async function writePart(
  part: string,
  { pieces, md5 }: Pick<NewPicture, 'pieces' | 'md5'>,
  signal: AbortSignal,
): Promise<Digest> {
  const file = await createFile(part, 'write');
  try {
    const hasher = new Hasher();
    for await (const piece of untilAborted(pieces, signal)) {
      const position = hasher.sizeBytes;
      hasher.add(piece);
      checkFrameSize(hasher.sizeBytes);
      await writePiece(file, piece, position, 'frames');
    }
    const digest = hasher.digest();
    checkFrameDigest(digest, md5);
    await file.sync();
    return digest;
  } finally {
    await file.close();
  }
}

async function hasBytes(file: FileHandle, expected: Digest): Promise<boolean> {
  if ((await file.stat()).size !== expected.sizeBytes) return false;
  const hasher = new Hasher();
  for await (const piece of readAll(file)) hasher.add(piece);
  return isSameDigest(hasher.digest(), expected);
}

/** @returns null if the file is missing or is a symbolic link. An unreadable folder is a Failure, not a missing frame. */
async function openIfPresent(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isMissing(error) || (error instanceof Error && 'code' in error && error.code === 'ELOOP')) return null;
    throw diskFailure(error, 'frames');
  }
}

/** @returns null if the file is missing or cannot be read. */
async function readIfPossible<T>(path: string, read: (file: FileHandle) => Promise<T>): Promise<T | null> {
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

/**
 * Refuses a name with a path in it. The schema checks names in requests, but not names that come from old records or are built
 * from an id.
 */
function refuseOutside(name: string): void {
  if (isPlainName(name)) return;
  throw sinkFailure(
    CODES.INVALID_VERIFICATION,
    'frame.name is not a plain file name: use letters, digits, ".", "_" and "-"',
    'frame.name',
  );
}

export function isPlainName(name: string): boolean {
  return /^(?!\.)[A-Za-z0-9._-]+$/.test(name);
}

async function removeStaleParts(dir: string): Promise<void> {
  const parts = (await readdir(dir)).filter((name) => PART.test(name)).map((name) => join(dir, name));
  await Promise.all(parts.map(removeIfStale));
}

/** A recent partial file may belong to another worker that is still writing it. */
async function removeIfStale(part: string): Promise<void> {
  try {
    if (Date.now() - (await stat(part)).mtimeMs > STALE_MS) await rm(part, { force: true });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function unlinkIfPresent(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
