/**
 * A private file without a name: mode 0600, unlinked as soon as it is open. It vanishes with its descriptor, after a crash
 * too, and nobody else can open it.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import { type Digest, Hasher } from './hashing.ts';

export interface Spooled {
  readonly file: FileHandle;
  readonly digest: Digest;
  /** The first bytes. */
  readonly head: Uint8Array;
}

/**
 * Writes a stream to such a file and hashes it on the way. The caller closes the file.
 * @param checkSize called with the count so far; throws where it is too much.
 */
export async function spool(
  pieces: AsyncIterable<Uint8Array>,
  folder: string,
  checkSize: (sizeBytes: number) => void,
): Promise<Spooled> {
  const file = await openNameless(folder);
  try {
    const hasher = new Hasher();
    for await (const piece of pieces) {
      const position = hasher.sizeBytes;
      hasher.add(piece);
      checkSize(hasher.sizeBytes);
      await writeWhole(file, piece, position);
    }
    return { file, digest: hasher.digest(), head: hasher.head() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openNameless(folder: string): Promise<FileHandle> {
  const path = join(folder, `.spool-${randomUUID()}`);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = await open(
      path,
      constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      await unlink(path);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  } catch (error) {
    throw diskFailure(error);
  }
}

/** One `write` may take less than it was given. */
export async function writeWhole(file: FileHandle, piece: Uint8Array, position: number): Promise<void> {
  try {
    for (let done = 0; done < piece.byteLength; ) {
      const { bytesWritten } = await file.write(piece, done, piece.byteLength - done, position + done);
      done += bytesWritten;
    }
  } catch (error) {
    throw diskFailure(error);
  }
}

/** What a disk refused. @returns anything that is no refusal of a disk as it is. */
export function diskFailure(error: unknown): unknown {
  if (error instanceof Failure || !(error instanceof Error) || !('code' in error)) return error;
  const full = error.code === 'ENOSPC' || error.code === 'EDQUOT';
  const message = full
    ? 'the disk is full: make room; what was half written has been removed'
    : `the folder cannot be written to (${String(error.code)}): correct its path, permissions or limits`;
  const code = full ? CODES.SINK_FULL : CODES.SINK_UNWRITABLE;
  return new Failure({ service: 'sink', channel: 'local', code, sent: 'no' }, message, { cause: error });
}
