/**
 * Where a redis-server (or valkey-server) comes from: PATH, or on Debian and Ubuntu the distribution's own package,
 * unpacked without root into a cache folder. What is handed out has answered `--version` in this process. Two
 * processes that fetch at once do not disturb each other: each unpacks into a folder of its own, and a rename puts
 * it in place.
 */
import { execFile } from 'node:child_process';
import { access, constants, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
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
  /** Default: redis-server, else valkey-server. */
  readonly server?: ServerName;
  readonly cacheDir: string;
  readonly log: (line: string) => void;
}

const NAMES = ['redis-server', 'valkey-server'] as const;
const TOOLS = { 'redis-server': 'redis-tools', 'valkey-server': 'valkey-tools' } as const;
type ServerName = (typeof NAMES)[number];

/** Asked for by name where apt cannot say what else the server needs. */
const LIBRARIES = ['libjemalloc2', 'liblzf1', 'libatomic1'];

const run = promisify(execFile);

/** @throws Failure REDIS_UNAVAILABLE that says how to install it. */
export async function findRedis(options: FindOptions): Promise<RedisBinary> {
  const { server, log } = options;
  const wanted: Wanted = server === undefined ? NAMES : [server];
  for (const name of wanted) {
    const command = await onPath(name);
    const binary = command === null ? null : { command, env: {}, origin: `${name} from PATH` };
    if (binary !== null && (await answers(binary))) return binary;
  }
  const cacheDir = resolve(options.cacheDir);
  const cached = await cachedIn(placeOf(cacheDir, wanted), wanted);
  if (cached !== null) return cached;
  let cause: unknown;
  if ((await onPath('apt-get')) !== null && (await onPath('dpkg')) !== null) {
    try {
      return await fetchPackage(cacheDir, wanted, log);
    } catch (error) {
      cause = error;
      log(`no package of ${wanted.join(' or ')}: ${lastLine(error)}`);
    }
  }
  throw missing(wanted[0], cause);
}

/** Any of them, the first one rather. */
type Wanted = readonly [ServerName, ...ServerName[]];

function placeOf(cacheDir: string, wanted: Wanted): string {
  return join(cacheDir, wanted[0] === 'redis-server' ? 'redis' : 'valkey');
}

function missing(name: ServerName, cause: unknown): Failure {
  const formula = name === 'redis-server' ? 'redis' : 'valkey';
  const how = process.platform === 'darwin' ? `run \`brew install ${formula}\`` : `install ${name} or set REDIS_URL`;
  const facts = { service: 'bestframe', channel: 'local', code: CODES.REDIS_UNAVAILABLE, sent: 'no' } as const;
  return new Failure(facts, `there is no ${name} on this machine: ${how}`, { cause });
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

async function cachedIn(dir: string, wanted: Wanted): Promise<RedisBinary | null> {
  const usr = join(dir, 'root', 'usr');
  for (const name of wanted) {
    const command = join(usr, 'bin', name);
    if (!(await isExecutable(command))) continue;
    const folders = await readdir(join(usr, 'lib')).catch(() => []);
    const libraries = folders.filter((folder) => folder.includes('-linux-')).map((folder) => join(usr, 'lib', folder));
    const binary = { command, env: { LD_LIBRARY_PATH: libraries.join(':') }, origin: `${name} package` };
    if (await answers(binary)) return binary;
  }
  return null;
}

async function fetchPackage(cacheDir: string, wanted: Wanted, log: (line: string) => void): Promise<RedisBinary> {
  const place = placeOf(cacheDir, wanted);
  await mkdir(cacheDir, { recursive: true });
  const temp = await mkdtemp(`${place}-new-`);
  try {
    log(`no ${wanted[0]} on PATH: fetching the package of this distribution (once)`);
    const debs = await download(temp, wanted, log);
    const made = join(temp, 'made');
    await mkdir(join(made, 'root'), { recursive: true });
    for (const deb of debs) await run('dpkg', ['-x', deb, join(made, 'root')]);
    if ((await cachedIn(made, wanted)) === null) throw new Error(`the unpacked ${wanted[0]} does not run`);
    await putInPlace(made, place, join(temp, 'old'), wanted);
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
  const binary = await cachedIn(place, wanted);
  if (binary === null) throw new Error(`the cached ${wanted[0]} does not run`);
  return binary;
}

/** Where another process was faster, its copy stays if it runs; one that does not run is moved aside. */
async function putInPlace(made: string, place: string, aside: string, wanted: Wanted): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await rename(made, place);
    } catch (error) {
      if ((await cachedIn(place, wanted)) !== null) return;
      if (attempt === 5) throw error;
      await rename(place, `${aside}-${attempt}`).catch(() => undefined);
    }
  }
}

/** With the machine's package lists first; where those are empty or stale, with fresh ones that are ours alone. */
async function download(temp: string, wanted: Wanted, log: (line: string) => void): Promise<string[]> {
  const failures: string[] = [];
  for (const lists of ['of the machine', 'of our own'] as const) {
    const apt: string[] = [];
    try {
      if (lists === 'of our own') apt.push(...(await ownLists(temp, !wanted.includes('redis-server'), log)));
    } catch (error) {
      failures.push(lastLine(error));
      break;
    }
    for (const name of wanted) {
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
async function needed(apt: readonly string[], name: ServerName): Promise<string[]> {
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

/** Package lists of our own in a folder of ours. @returns the apt-get options that use them. */
export async function ownLists(temp: string, backports: boolean, log: (line: string) => void): Promise<string[]> {
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
  if (backports) conf.push(...(await withBackports(state)));
  await writeFile(file, `${conf.join('\n')}\n`);
  log('the package lists of this machine do not help: fetching fresh ones');
  await run('apt-get', ['-c', file, '-q', 'update'], { timeout: 300_000, maxBuffer: 16 * 1024 * 1024 });
  return ['-c', file];
}

/** Valkey is younger than Debian 12, which has it in its backports. @returns lines for apt.conf; none on other systems. */
async function withBackports(state: string): Promise<string[]> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1];
  if (codename === undefined || !/^ID=debian$/m.test(release)) return [];
  const { stdout } = await run('apt-get', ['update', '--print-uris'], { timeout: 60_000 });
  const mirror = new RegExp(`'([^']+)/dists/${codename}/InRelease'`).exec(stdout)?.[1];
  if (mirror === undefined) return [];
  const own = await readFile('/etc/apt/sources.list', 'utf8').catch(() => '');
  const signed = 'signed-by=/usr/share/keyrings/debian-archive-keyring.gpg';
  const file = join(state, 'sources.list');
  await writeFile(file, `${own}\ndeb [${signed}] ${mirror} ${codename}-backports main\n`);
  return [`Dir::Etc::sourcelist "${file}";`];
}

function lastLine(error: unknown): string {
  const said = (error as { stderr?: unknown }).stderr;
  const text = typeof said === 'string' && said.trim() !== '' ? said : String(error);
  return text.trim().split('\n').at(-1) ?? '';
}
