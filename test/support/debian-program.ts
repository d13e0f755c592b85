/**
 * Finds a program on PATH, or else in the distribution's package, which is unpacked into the cache folder without root.
 *
 * What must hold:
 * 1. A program is used only if it says its version. A cached program that does not is fetched again.
 * 2. Concurrent callers, in any process, fetch a program only once: the others wait for the first one.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, constants, link, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { fetchPackageLists } from '../../src/dev/redis-binary.ts';
import { HOME } from './rig.ts';

const run = promisify(execFile);

const LOCK_WAIT_MS = 10 * 60_000;
const LOCK_POLL_MS = 200;
const VERSION_MS = 60_000;

export interface DebianProgram {
  /** Names that the program may have on PATH. The first one is also the name of its folder in the cache. */
  readonly names: readonly [string, ...string[]];
  readonly packages: readonly string[];
  /** Path of the program inside the unpacked packages. */
  readonly path: string;
  /** Arguments that make the program print its version and exit. */
  readonly versionArgs: readonly string[];
  /** Further environment of the program. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Binary {
  readonly path: string;
  readonly env: Record<string, string>;
}

/** @throws Error that says what to install if the program is not found and cannot be fetched */
export async function findProgram(program: DebianProgram): Promise<Binary> {
  const place = placeOf(program);
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of program.names) {
      const path = join(dir, name);
      if (dir === '' || !(await isExecutable(path))) continue;
      const binary = { path, env: { ...program.env } };
      if ((await whyBroken(program, binary)) === null) return binary;
    }
  }
  const cached = await unpackedIn(program, place);
  if ((await whyBroken(program, cached)) === null) return cached;
  return withLock(`${place}.lock`, async () => {
    const fetched = await unpackedIn(program, place); // another caller may have fetched it by now
    if ((await whyBroken(program, fetched)) === null) return fetched;
    await fetchPackages(program);
    return unpackedIn(program, place);
  });
}

function placeOf({ names: [name] }: DebianProgram): string {
  return join(HOME, 'cache', name);
}

/** @returns where the program should be in a folder of unpacked packages. It may not exist there. */
async function unpackedIn({ path, env }: DebianProgram, place: string): Promise<Binary> {
  const root = join(place, 'root');
  const machine = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  const places = [join(root, 'usr', 'lib', machine), join(root, 'lib', machine)];
  const inner = await Promise.all(places.map((each) => foldersIn(each)));
  const share = [join(root, 'usr', 'share'), '/usr/local/share', '/usr/share'];
  const libraries = [...places, ...inner.flat()].join(':');
  return {
    path: join(root, path),
    env: { LD_LIBRARY_PATH: libraries, XDG_DATA_DIRS: share.join(':'), ...env },
  };
}

/** Some packages keep private libraries in a subfolder of the library folder. @returns these subfolders */
async function foldersIn(place: string): Promise<string[]> {
  const entries = await readdir(place, { withFileTypes: true }).catch(() => []); // the folder may not exist
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(place, name));
}

/** @returns the reason why the program does not run, or null if it runs. */
async function whyBroken({ versionArgs }: DebianProgram, { path, env }: Binary): Promise<unknown> {
  try {
    const options = { env: { PATH: process.env.PATH, ...env }, timeout: VERSION_MS };
    const { stdout, stderr } = await run(path, [...versionArgs], options);
    const printed = stdout + stderr;
    return /\d+\.\d+/.test(printed) ? null : new Error(`${path} printed ${JSON.stringify(printed)} as its version`);
  } catch (error) {
    return error;
  }
}

/** Runs the task while no other process holds the lock. A lock whose process has ended counts as free. */
export async function withLock<T>(lock: string, task: () => Promise<T>): Promise<T> {
  await mkdir(join(HOME, 'cache'), { recursive: true });
  const mine = `${lock}-${process.pid}-${randomBytes(4).toString('hex')}`;
  await writeFile(mine, String(process.pid));
  try {
    const giveUpAt = Date.now() + LOCK_WAIT_MS;
    while (!(await tryLink(lock, mine))) {
      if (Date.now() > giveUpAt) throw new Error(`another process fetches the package: if none does, remove ${lock}`);
      if (!(await removeStaleLock(lock, mine))) await sleep(LOCK_POLL_MS);
    }
    try {
      return await task();
    } finally {
      await rm(lock, { force: true });
    }
  } finally {
    await rm(mine, { force: true });
  }
}

/**
 * Takes the lock by creating a link, which is atomic: the lock appears with its content, and only one caller can create it.
 * @returns whether this caller took the lock
 */
async function tryLink(lock: string, mine: string): Promise<boolean> {
  try {
    await link(mine, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** @returns whether it removed a stale lock. */
async function removeStaleLock(lock: string, mine: string): Promise<boolean> {
  const holder = await readFile(lock, 'utf8').catch(() => null);
  if (holder === null || isRunning(Number(holder))) return false;
  const aside = `${mine}-stale`;
  const moved = await rename(lock, aside).then(
    () => true,
    () => false, // another caller was faster
  );
  if (!moved) return false;
  const taken = await readFile(aside, 'utf8');
  // Between reading and renaming, another caller may have replaced the stale lock by its own. That lock is valid, so it is put
  // back.
  if (taken !== holder) await link(aside, lock).catch(() => undefined);
  await rm(aside, { force: true });
  return taken === holder;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Fetches and unpacks the packages. Uses the machine's package lists first; if they are empty or stale, fetches fresh lists into
 * a folder of its own.
 */
async function fetchPackages(program: DebianProgram): Promise<void> {
  const { names, packages } = program;
  const place = placeOf(program);
  const temp = await mkdtemp(`${place}-new-`);
  const log = (line: string) => process.stderr.write(`${line}\n`);
  try {
    log(`no ${names[0]} on PATH: fetching the package of this distribution (once)`);
    const debs = await download(temp, packages, []).catch(async () =>
      download(temp, packages, await fetchPackageLists({ folder: temp, withBackports: false, log })),
    );
    const unpacked = join(temp, 'unpacked');
    const root = join(unpacked, 'root');
    await mkdir(root, { recursive: true });
    for (const deb of debs) await run('dpkg', ['-x', deb, root]);
    const broken = await whyBroken(program, await unpackedIn(program, unpacked));
    if (broken !== null) throw new Error(`the unpacked ${names[0]} does not run`, { cause: broken });
    await rename(place, join(temp, 'old')).catch(() => undefined); // the folder may not exist
    await rename(unpacked, place);
  } catch (cause) {
    throw new Error(`there is no ${names[0]} on this machine, and its package cannot be fetched: install ${names[0]}`, {
      cause,
    });
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
}

async function download(temp: string, packages: readonly string[], apt: readonly string[]): Promise<string[]> {
  const dir = await mkdtemp(join(temp, 'debs-'));
  const simulated = [...apt, 'install', '--simulate', '--no-install-recommends', ...packages];
  const { stdout } = await run('apt-get', simulated, { timeout: 60_000 });
  const missing = [...stdout.matchAll(/^Inst (\S+)/gm)].map(([, name = '']) => name);
  const names = [...new Set([...packages, ...missing])];
  await run('apt-get', [...apt, 'download', '-q', ...names], {
    cwd: dir,
    timeout: 300_000,
    maxBuffer: 16 * 1024 * 1024,
  });
  const files = (await readdir(dir)).filter((file) => file.endsWith('.deb'));
  const absent = names.filter((name) => !files.some((file) => file.startsWith(`${name}_`)));
  if (absent.length > 0) throw new Error(`apt-get downloaded no archive of ${absent.join(', ')}`);
  return files.map((file) => join(dir, file));
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
