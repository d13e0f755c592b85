/**
 * Where a redis-server (or valkey-server) comes from: PATH, or on Debian and Ubuntu the distribution's own package,
 * unpacked without root into a cache folder. What is handed out has answered `--version` in this process. Two
 * processes that fetch at once do not disturb each other: each unpacks into a folder of its own, and a rename puts
 * it in place.
 */
import { execFile } from 'node:child_process';
import { access, constants, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';

export interface RedisBinary {
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
  readonly origin: string;
}

export interface FindOptions {
  readonly cacheDir: string;
  readonly log: (line: string) => void;
}

const NAMES = ['redis-server', 'valkey-server'] as const;
const TOOLS = { 'redis-server': 'redis-tools', 'valkey-server': 'valkey-tools' } as const;
type Name = (typeof NAMES)[number];

/** Asked for by name where apt cannot say what else the server needs. */
const LIBRARIES = ['libjemalloc2', 'liblzf1', 'libatomic1'];

const run = promisify(execFile);

/** @throws Failure REDIS_UNAVAILABLE that says how to install it. */
export async function findRedis(options: FindOptions): Promise<RedisBinary> {
  for (const name of NAMES) {
    const command = await onPath(name);
    const binary = command === null ? null : { command, env: {}, origin: `${name} from PATH` };
    if (binary !== null && (await answers(binary))) return binary;
  }
  const cacheDir = resolve(options.cacheDir);
  const cached = await cachedIn(join(cacheDir, 'redis'));
  if (cached !== null) return cached;
  let cause: unknown;
  if ((await onPath('apt-get')) !== null && (await onPath('dpkg')) !== null) {
    try {
      return await fetchPackage(cacheDir, options.log);
    } catch (error) {
      cause = error;
      options.log(`no Redis package: ${lastLine(error)}`);
    }
  }
  throw missing(cause);
}

function missing(cause: unknown): Failure {
  const how = process.platform === 'darwin' ? 'run `brew install redis`' : 'install redis-server or set REDIS_URL';
  const facts = { service: 'bestframe', channel: 'local', code: CODES.REDIS_UNAVAILABLE, sent: 'no' } as const;
  return new Failure(facts, `there is no redis-server on this machine: ${how}`, { cause });
}

async function onPath(name: string): Promise<string | null> {
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(dir, name);
    if (dir !== '' && (await isExecutable(file))) return file;
  }
  return null;
}

function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** A binary may lie there and still not run: another architecture, a library that an upgrade took away. */
function answers({ command, env }: RedisBinary): Promise<boolean> {
  return run(command, ['--version'], { env: { PATH: process.env.PATH, ...env }, timeout: 10_000 }).then(
    ({ stdout }) => /\bv=\d/.test(stdout),
    () => false,
  );
}

async function cachedIn(dir: string): Promise<RedisBinary | null> {
  const usr = join(dir, 'root', 'usr');
  for (const name of NAMES) {
    const command = join(usr, 'bin', name);
    if (!(await isExecutable(command))) continue;
    const folders = await readdir(join(usr, 'lib')).catch(() => []);
    const libraries = folders.filter((folder) => folder.includes('-linux-')).map((folder) => join(usr, 'lib', folder));
    const binary = { command, env: { LD_LIBRARY_PATH: libraries.join(':') }, origin: `${name} package` };
    if (await answers(binary)) return binary;
  }
  return null;
}

async function fetchPackage(cacheDir: string, log: (line: string) => void): Promise<RedisBinary> {
  await mkdir(cacheDir, { recursive: true });
  const temp = await mkdtemp(join(cacheDir, 'redis-new-'));
  try {
    log('no redis-server on PATH: fetching the package of this distribution (once)');
    const debs = await download(temp, log);
    const made = join(temp, 'redis');
    await mkdir(join(made, 'root'), { recursive: true });
    for (const deb of debs) await run('dpkg', ['-x', deb, join(made, 'root')]);
    if ((await cachedIn(made)) === null) throw new Error('the unpacked redis-server does not run');
    await putInPlace(made, join(cacheDir, 'redis'), join(temp, 'old'));
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
  const binary = await cachedIn(join(cacheDir, 'redis'));
  if (binary === null) throw new Error('the cached redis-server does not run');
  return binary;
}

/** Where another process was faster, its copy stays if it runs; one that does not run is moved aside. */
async function putInPlace(made: string, place: string, aside: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await rename(made, place);
    } catch (error) {
      if ((await cachedIn(place)) !== null) return;
      if (attempt === 5) throw error;
      await rename(place, `${aside}-${attempt}`).catch(() => undefined);
    }
  }
}

/** With the machine's package lists first; where those are empty or stale, with fresh ones that are ours alone. */
async function download(temp: string, log: (line: string) => void): Promise<string[]> {
  const failures: string[] = [];
  for (const lists of ['of the machine', 'of our own'] as const) {
    const apt: string[] = [];
    try {
      if (lists === 'of our own') apt.push(...(await ownLists(temp, log)));
    } catch (error) {
      failures.push(lastLine(error));
      break;
    }
    for (const name of NAMES) {
      const dir = join(temp, `debs-${failures.length}`);
      try {
        await mkdir(dir);
        await run('apt-get', [...apt, 'download', '-q', ...(await needed(apt, name))], { cwd: dir, timeout: 180_000 });
        return (await readdir(dir)).filter((file) => file.endsWith('.deb')).map((file) => join(dir, file));
      } catch (error) {
        failures.push(lastLine(error));
      }
    }
  }
  throw new Error(failures.join('; '));
}

/** The server, its tools (they hold the binary) and the libraries that this machine lacks: apt works that out. */
async function needed(apt: readonly string[], name: Name): Promise<string[]> {
  const own = [name, TOOLS[name]];
  try {
    const args = [...apt, 'install', '--simulate', '--no-install-recommends', ...own];
    const { stdout } = await run('apt-get', args, { timeout: 60_000 });
    const found = [...stdout.matchAll(/^Inst (\S+)/gm)].map(([, found = '']) => found);
    const wanted = found.filter((each) => /^(?:lib|lua)/.test(each));
    return [...own, ...wanted];
  } catch {
    return [...own, ...LIBRARIES];
  }
}

/** @returns the apt-get options that use them. */
async function ownLists(temp: string, log: (line: string) => void): Promise<string[]> {
  const state = join(temp, 'apt');
  await mkdir(join(state, 'lists', 'partial'), { recursive: true });
  await mkdir(join(state, 'cache', 'archives', 'partial'), { recursive: true });
  const file = join(state, 'apt.conf');
  // A file, not -o: only a file can clear the machine's hooks, which want root and would fail the update.
  const conf = [
    `Dir::State "${state}";`,
    `Dir::State::lists "${join(state, 'lists')}";`,
    'Dir::State::status "/var/lib/dpkg/status";',
    `Dir::Cache "${join(state, 'cache')}";`,
    'APT::Sandbox::User "root";',
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
  ];
  await writeFile(file, `${conf.join('\n')}\n`);
  log('the package lists of this machine do not help: fetching fresh ones');
  await run('apt-get', ['-c', file, '-q', 'update'], { timeout: 300_000, maxBuffer: 16 * 1024 * 1024 });
  return ['-c', file];
}

function lastLine(error: unknown): string {
  const said = (error as { stderr?: unknown }).stderr;
  const text = typeof said === 'string' && said.trim() !== '' ? said : String(error);
  return text.trim().split('\n').at(-1) ?? '';
}
