/**
 * Opens a file below a folder without following symbolic links.
 *
 * On Linux each step is opened relative to the descriptor of the folder before it (`/proc/self/fd/<n>/<name>`), because Node has no
 * `openat`. Nobody can swap a folder for a link between check and opening. Other systems have no such path: there, each folder is
 * checked by its path, and the opened file is compared with the path again. A folder that is swapped for a link twice in between is
 * not noticed there.
 *
 * What must hold: nothing outside the folder is opened, and no answer depends on what lies outside it.
 */
import { type BigIntStats, constants, existsSync } from 'node:fs';
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises';
import { join } from 'node:path';

/** A part of the path is a symbolic link, whether its target exists or not. */
export class SymbolicLinkError extends Error {}

/** O_PATH of Linux, which Node does not name: it needs no permission to list the folder. */
const O_PATH = 0o10000000;
const FOLDER = constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** O_NONBLOCK: opening a FIFO would otherwise wait forever for a writer. */
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const HAS_DESCRIPTOR_PATHS = process.platform === 'linux' && existsSync('/proc/self/fd');

export interface OpenedFile {
  readonly file: FileHandle;
  readonly stats: BigIntStats;
}

/**
 * @param folder an open folder, from `openFolder`
 * @param steps names below the folder, without `.` and `..`; the last one is the file. Empty means the folder itself.
 * @param byDescriptors whether the system has `/proc/self/fd`
 * @returns what was opened, which may be anything but a symbolic link
 * @throws SymbolicLinkError; the system's error
 */
export function openBeneath(
  folder: OpenedFolder,
  steps: readonly string[],
  byDescriptors: boolean = HAS_DESCRIPTOR_PATHS,
): Promise<OpenedFile> {
  return byDescriptors ? openByDescriptors(folder, steps) : openByPaths(folder, steps);
}

export interface OpenedFolder {
  readonly path: string;
  readonly file: FileHandle;
}

/** Opens a folder from the settings, whose links are followed. */
export async function openFolder(path: string): Promise<OpenedFolder> {
  const flags = HAS_DESCRIPTOR_PATHS ? O_PATH | constants.O_DIRECTORY : constants.O_RDONLY | constants.O_DIRECTORY;
  return { path, file: await open(path, flags) };
}

async function openByDescriptors({ file: root }: OpenedFolder, steps: readonly string[]): Promise<OpenedFile> {
  let folder: FileHandle | null = null;
  try {
    for (const step of steps.slice(0, -1)) {
      const next = await openStep(folder ?? root, step, O_PATH | FOLDER);
      await folder?.close();
      folder = next;
    }
    const file = await openStep(folder ?? root, steps.at(-1) ?? '.', FILE);
    return await withStats(file);
  } finally {
    await folder?.close();
  }
}

async function openStep(folder: FileHandle, name: string, flags: number): Promise<FileHandle> {
  const path = `/proc/self/fd/${folder.fd}/${name}`;
  try {
    return await open(path, flags);
  } catch (error) {
    throw (await isLink(path)) ? new SymbolicLinkError() : error;
  }
}

async function openByPaths({ path: root }: OpenedFolder, steps: readonly string[]): Promise<OpenedFile> {
  const base = await realpath(root);
  let path = base;
  for (const step of steps) {
    path = join(path, step);
    if (await isLink(path)) throw new SymbolicLinkError();
  }
  const opened = await withStats(await open(path, FILE));
  const now = await lstat(path, { bigint: true }).catch(() => null);
  const isSame = now !== null && now.ino === opened.stats.ino && now.dev === opened.stats.dev;
  if (isSame && (await realpath(path)) === path) return opened;
  await opened.file.close();
  throw new SymbolicLinkError();
}

async function isLink(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => null);
  return stats?.isSymbolicLink() ?? false;
}

async function withStats(file: FileHandle): Promise<OpenedFile> {
  try {
    return { file, stats: await file.stat({ bigint: true }) };
  } catch (error) {
    await file.close();
    throw error;
  }
}
