/** The folders of this machine: frames can be written durably, there is room for them, sources can be read. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, open, readdir, rename, rm, rmdir, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Check, Finding } from './check.ts';

const GIB = 1024 ** 3;
const LEAST_BYTES = GIB;
const MEAN_FRAME_BYTES = 100 * 1024;

export interface DiskOptions {
  readonly framesDir: string;
  readonly fileRoots: readonly string[];
}

export function diskChecks({ framesDir, fileRoots }: DiskOptions): Check[] {
  return [
    { name: 'frames', run: () => framesFinding(resolve(framesDir)) },
    { name: 'frames.space', after: ['frames'], run: () => spaceFinding(resolve(framesDir)) },
    { name: 'roots', run: () => rootsFinding(fileRoots) },
  ];
}

async function framesFinding(dir: string): Promise<Finding> {
  let made: string | undefined;
  try {
    made = await mkdir(dir, { recursive: true, mode: 0o700 });
    await writeAsASinkDoes(dir);
  } catch (error) {
    const found = `a file cannot be written, flushed, renamed and deleted in BESTFRAME_FRAMES_DIR (${codeOf(error)})`;
    return { status: 'fail', found, advice: 'Let the user that runs the workers write there, or set another folder.' };
  } finally {
    if (made !== undefined) await removeEmpty(dir, made);
  }
  const missing = made === undefined ? '' : ' (it is not there yet, and can be made)';
  return { status: 'ok', found: `a file was written, flushed, renamed and deleted${missing}` };
}

async function writeAsASinkDoes(dir: string): Promise<void> {
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

/** Folders that were made for the check, from the inmost out; one that somebody uses by now stays. */
async function removeEmpty(dir: string, first: string): Promise<void> {
  for (let path = dir; ; path = dirname(path)) {
    try {
      await rmdir(path);
    } catch {
      return;
    }
    if (path === first) return;
  }
}

async function spaceFinding(dir: string): Promise<Finding> {
  try {
    const { bavail, bsize } = await statfs(await nearest(dir));
    const free = bavail * bsize;
    const found = `${(free / GIB).toFixed(1)} GiB free where frames go`;
    if (free >= LEAST_BYTES) return { status: 'ok', found };
    const frames = Math.floor(free / MEAN_FRAME_BYTES);
    const advice = `Make room: it is enough for about ${frames} frames of 100 kB.`;
    return { status: 'warn', found, advice };
  } catch (error) {
    return { status: 'warn', found: `the free space where frames go cannot be told (${codeOf(error)})` };
  }
}

/** The folder itself, or the first one above it that is there. */
async function nearest(dir: string): Promise<string> {
  for (let path = dir; ; path = dirname(path)) {
    try {
      await access(path);
      return path;
    } catch (error) {
      if (path === dirname(path)) throw error;
    }
  }
}

async function rootsFinding(roots: readonly string[]): Promise<Finding> {
  if (roots.length === 0) return { status: 'ok', found: 'none is set: file sources are refused' };
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
    return { status: 'ok', found: `${roots.length === 1 ? 'it' : `all ${roots.length}`} can be read` };
  }
  const advice = 'Correct BESTFRAME_FILE_ROOTS, or let the user that runs the workers read the folder.';
  return { status: 'fail', found: `of BESTFRAME_FILE_ROOTS cannot be read: ${faults.join(', ')}`, advice };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unexpected';
}
