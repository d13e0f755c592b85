/** Checks this machine's folders: frames can be written durably, there is space for them, and file sources can be read. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, open, readdir, rename, rm, rmdir, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { probeWritable } from '../../adapters/storage/index.ts';
import type { Check, Finding } from './run-checks.ts';

const GIB = 1024 ** 3;
const MIN_FREE_BYTES = GIB;
const MEAN_FRAME_BYTES = 100 * 1024;

export interface DiskOptions {
  readonly framesDir: string;
  readonly fileRoots: readonly string[];
  /** Undefined: the system’s folder for temporary files. */
  readonly spoolDir: string | undefined;
}

export function diskChecks({ framesDir, fileRoots, spoolDir = tmpdir() }: DiskOptions): Check[] {
  return [
    { name: 'frames', run: () => checkFramesDir(resolve(framesDir)) },
    { name: 'frames.space', after: ['frames'], run: () => checkFreeSpace(resolve(framesDir)) },
    { name: 'spool', run: () => spoolFinding(spoolDir) },
    { name: 'roots', run: () => checkFileRoots(fileRoots) },
  ];
}

async function checkFramesDir(dir: string): Promise<Finding> {
  let firstCreated: string | undefined;
  try {
    firstCreated = await mkdir(dir, { recursive: true, mode: 0o700 });
    await writeLikeFrameSink(dir);
  } catch (error) {
    const found = `a file cannot be written, flushed, renamed and deleted in BESTFRAME_FRAMES_DIR (${codeOf(error)})`;
    return {
      status: 'fail',
      found,
      advice: 'Give the user that runs the workers write access, or set another folder.',
    };
  } finally {
    if (firstCreated !== undefined) await removeEmpty(dir, firstCreated);
  }
  const created = firstCreated === undefined ? '' : ' (the folder does not exist yet, but can be created)';
  return { status: 'ok', found: `a file was written, flushed, renamed and deleted${created}` };
}

async function writeLikeFrameSink(dir: string): Promise<void> {
  const name = randomUUID();
  const part = join(dir, `.${name}.part`);
  const whole = join(dir, `.${name}.doctor`);
  try {
    const file = await open(part, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      await file.write('bestframe doctor\n');
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, whole);
    await rm(whole);
  } finally {
    await Promise.all([part, whole].map((path) => rm(path, { force: true })));
  }
}

/** Removes the folders that the check created, innermost first. A folder that has come into use stays. */
async function removeEmpty(dir: string, firstCreated: string): Promise<void> {
  for (let path = dir; ; path = dirname(path)) {
    try {
      await rmdir(path);
    } catch {
      return;
    }
    if (path === firstCreated) return;
  }
}

async function checkFreeSpace(dir: string): Promise<Finding> {
  try {
    const { bavail, bsize } = await statfs(await nearestExisting(dir));
    const free = bavail * bsize;
    const found = `${(free / GIB).toFixed(1)} GiB free for frames`;
    if (free >= MIN_FREE_BYTES) return { status: 'ok', found };
    const frames = Math.floor(free / MEAN_FRAME_BYTES);
    const advice = `Free some space: this is enough for about ${frames} frames of 100 kB.`;
    return { status: 'warn', found, advice };
  } catch (error) {
    return { status: 'warn', found: `the free space for frames cannot be determined (${codeOf(error)})` };
  }
}

/** The folder itself, or the nearest parent that exists. */
async function nearestExisting(dir: string): Promise<string> {
  for (let path = dir; ; path = dirname(path)) {
    try {
      await access(path);
      return path;
    } catch (error) {
      if (path === dirname(path)) throw error;
    }
  }
}

/** Checks the spool folder with the same probe as a worker. */
async function spoolFinding(dir: string): Promise<Finding> {
  await probeWritable(dir, 'spool');
  return { status: 'ok', found: 'a file was written and deleted where https sources are spooled' };
}

async function checkFileRoots(roots: readonly string[]): Promise<Finding> {
  if (roots.length === 0) return { status: 'ok', found: 'BESTFRAME_FILE_ROOTS is empty: file sources are refused' };
  const faults: string[] = [];
  for (const [index, root] of roots.entries()) {
    try {
      await access(resolve(root), constants.R_OK | constants.X_OK);
      await readdir(resolve(root));
    } catch (error) {
      faults.push(`number ${index + 1} (${codeOf(error)})`);
    }
  }
  if (faults.length === 0) {
    return { status: 'ok', found: `${roots.length === 1 ? 'the folder' : `all ${roots.length} folders`} can be read` };
  }
  const advice = 'Correct BESTFRAME_FILE_ROOTS, or give the user that runs the workers read access.';
  return { status: 'fail', found: `folders of BESTFRAME_FILE_ROOTS that cannot be read: ${faults.join(', ')}`, advice };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unexpected';
}
