/**
 * Keeps bytes in a private file without a name: mode 0600, unlinked as soon as it is open. The file vanishes with its
 * descriptor, also after a crash, and no other process can open it.
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { createFile, diskFailure, type WrittenFolder, writePiece } from './disk.ts';
import { type Digest, Hasher } from './hashing.ts';

export interface Spooled {
  readonly file: FileHandle;
  readonly digest: Digest;
}

/** A folder and its purpose. */
export interface SpoolFolder {
  readonly path: string;
  readonly kind: WrittenFolder;
}

/**
 * Writes a stream to an unnamed file and hashes it at the same time. The caller closes the file.
 *
 * @param checkSize called with the number of bytes so far; throws if this number exceeds the limit. @default no limit
 */
export async function spool(
  pieces: AsyncIterable<Uint8Array>,
  folder: SpoolFolder,
  checkSize: (sizeBytes: number) => void = () => undefined,
): Promise<Spooled> {
  const file = await createUnnamedFile(folder);
  try {
    const hasher = new Hasher();
    for await (const piece of pieces) {
      const position = hasher.sizeBytes;
      hasher.add(piece);
      checkSize(hasher.sizeBytes);
      await writePiece(file, piece, position, folder.kind);
    }
    return { file, digest: hasher.digest() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

export async function createUnnamedFile(folder: SpoolFolder): Promise<FileHandle> {
  const path = join(folder.path, `.spool-${randomUUID()}`);
  try {
    await mkdir(folder.path, { recursive: true, mode: 0o700 });
    const file = await createFile(path, 'read_and_write');
    try {
      await unlink(path);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  } catch (error) {
    throw diskFailure(error, folder.kind);
  }
}
