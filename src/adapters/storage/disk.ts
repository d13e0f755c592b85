/** File system operations that several adapters share. Their errors become Failures. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { sharedRun } from './shared-run.ts';

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** Creates a file that only its owner may open. Fails if the path exists, even as a symbolic link. */
export function createFile(path: string, access: 'write' | 'read_and_write'): Promise<FileHandle> {
  const mode = access === 'write' ? constants.O_WRONLY : constants.O_RDWR;
  return open(path, mode | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
}

/** Writes a whole piece. One `write` call may write only a part of the piece, so the calls are repeated. */
export async function writePiece(
  file: FileHandle,
  piece: Uint8Array,
  position: number,
  folder: WrittenFolder,
): Promise<void> {
  try {
    for (let done = 0; done < piece.byteLength; ) {
      const { bytesWritten } = await file.write(piece, done, piece.byteLength - done, position + done);
      done += bytesWritten;
    }
  } catch (error) {
    throw diskFailure(error, folder);
  }
}

/** By folder. */
const flushes = new Map<string, () => Promise<void>>();

/** Flushes a folder to disk. Only then is the creation, renaming or removal of a file in it durable. Calls at the same time share a flush. */
export function syncFolder(dir: string): Promise<void> {
  const flush = flushes.get(dir) ?? sharedRun(() => flushFolder(dir));
  flushes.set(dir, flush);
  return flush();
}

async function flushFolder(dir: string): Promise<void> {
  const folder = await open(dir, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The folders that Bestframe writes to: their names in messages, and the codes of their faults. */
const FOLDERS = {
  frames: {
    full: CODES.SINK_FULL,
    unwritable: CODES.SINK_UNWRITABLE,
    words: 'the frames folder (BESTFRAME_FRAMES_DIR)',
  },
  spool: {
    full: CODES.SPOOL_FULL,
    unwritable: CODES.SPOOL_UNWRITABLE,
    words: 'the spool folder (BESTFRAME_SPOOL_DIR, or the system’s folder for temporary files)',
  },
  staging: {
    full: CODES.STAGING_FULL,
    unwritable: CODES.STAGING_UNWRITABLE,
    words: 'the staging folder (BESTFRAME_STAGING_DIR)',
  },
} as const;
export type WrittenFolder = keyof typeof FOLDERS;

/** Turns a file system error from writing into a Failure. Returns every other error unchanged. */
export function diskFailure(error: unknown, folder: WrittenFolder): unknown {
  if (error instanceof Failure || !(error instanceof Error) || !('code' in error)) return error;
  if (error.code === 'ENOSPC' || error.code === 'EDQUOT') return folderFull(folder, error);
  return folderUnwritable(folder, String(error.code), error);
}

export function folderFull(folder: WrittenFolder, cause?: unknown): Failure {
  const { full, words } = FOLDERS[folder];
  const message = `the disk of ${words} is full: free some space; nothing partial is left`;
  return localFailure(full, message, { service: 'sink', cause });
}

export function folderUnwritable(folder: WrittenFolder, reason: string, cause?: unknown): Failure {
  const { unwritable, words } = FOLDERS[folder];
  const message = `${words} cannot be written to (${reason}): correct its path, permissions or limits`;
  return localFailure(unwritable, message, { service: 'sink', cause });
}
