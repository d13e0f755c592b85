/** Reads folders that need not exist yet: a staging folder exists once a file has been sent, whichever test sends it first. */
import { readdir } from 'node:fs/promises';

/** Names of the files in a folder; none if it does not exist. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
