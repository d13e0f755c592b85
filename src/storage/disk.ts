/** What Node's file system does not say in one word. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

export function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** A new name, or that one is gone, is on the disk only when its folder is. */
export async function syncFolder(dir: string): Promise<void> {
  let folder: FileHandle | null = null;
  try {
    folder = await open(dir, constants.O_RDONLY);
    await folder.sync();
  } finally {
    await folder?.close();
  }
}
