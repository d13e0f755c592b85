/** Probes of this machine's folders, to run every few seconds. Each throws the Failure with which a verification would fail. */
import { opendir, stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { diskFailure, folderFull, type WrittenFolder, writePiece } from './disk.ts';
import { rootUnreadable } from './file-source.ts';
import { createUnnamedFile } from './spool.ts';

/** With less free space than this, a folder counts as full: the frames and sources of all running jobs must fit. */
const LEAST_FREE_BYTES = 16 * 1024 * 1024;
const SAMPLE = Buffer.alloc(4_096, 'bestframe');

/** @throws Failure SPOOL_FULL, SPOOL_UNWRITABLE, SINK_FULL or SINK_UNWRITABLE */
export async function probeWritable(path: string, kind: WrittenFolder): Promise<void> {
  const folder = resolve(path);
  const file = await createUnnamedFile({ path: folder, kind });
  try {
    await writePiece(file, SAMPLE, 0, kind);
  } finally {
    await file.close();
  }
  let free: number;
  try {
    const { bavail, bsize } = await statfs(folder);
    free = bavail * bsize;
  } catch (error) {
    throw diskFailure(error, kind);
  }
  if (free < LEAST_FREE_BYTES) throw folderFull(kind);
}

/**
 * Notices roots that are no longer mounted. An unmounted root still exists as an empty folder, so the probe remembers which roots
 * were mount points.
 */
export class RootProbe {
  readonly #roots: readonly string[];
  readonly #mounted = new Set<string>();

  constructor(roots: readonly string[]) {
    this.#roots = roots.map((root) => resolve(root));
  }

  /** @throws Failure ROOT_UNREADABLE if a root cannot be read or is no longer mounted */
  async run(): Promise<void> {
    for (const root of this.#roots) {
      try {
        await (await opendir(root)).close();
        const [self, above] = await Promise.all([stat(root), stat(dirname(root))]);
        if (self.dev !== above.dev) this.#mounted.add(root);
        else if (this.#mounted.has(root)) throw rootUnreadable('no longer mounted');
      } catch (error) {
        if (error instanceof Error && 'code' in error && 'syscall' in error)
          throw rootUnreadable(String(error.code), error);
        throw error;
      }
    }
  }
}
