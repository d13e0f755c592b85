/**
 * Finds a redis-server or valkey-server on PATH. If PATH has none and this is Debian or Ubuntu, downloads the distribution's
 * package and unpacks it into a cache folder; this does not need root.
 *
 * What must hold:
 * 1. A returned binary has answered `--version` in this process.
 * 2. Two processes may download at the same time: each process unpacks into its own folder and publishes the result by a rename.
 */
import { execFile } from 'node:child_process';
import { access, constants, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type Failure, localFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';

export interface RedisBinary {
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
  readonly origin: string;
}

export interface FindOptions {
  /** @default redis-server, else valkey-server */
  readonly server?: ServerName;
  readonly cacheDir: string;
  readonly log: (line: string) => void;
}

const SERVER_NAMES = ['redis-server', 'valkey-server'] as const;
const TOOL_PACKAGES = { 'redis-server': 'redis-tools', 'valkey-server': 'valkey-tools' } as const;
type ServerName = (typeof SERVER_NAMES)[number];

/** Libraries to download if apt cannot determine which ones the server depends on. */
const LIBRARY_PACKAGES = ['libjemalloc2', 'liblzf1', 'libatomic1'];

const run = promisify(execFile);

/** @throws Failure REDIS_UNAVAILABLE with instructions for installing Redis. */
export async function findRedis(options: FindOptions): Promise<RedisBinary> {
  const { server, log } = options;
  const wanted: Wanted = server === undefined ? SERVER_NAMES : [server];
  for (const name of wanted) {
    const command = await findOnPath(name);
    const binary = command === null ? null : { command, env: {}, origin: `${name} from PATH` };
    if (binary !== null && (await canRun(binary))) return binary;
  }
  const cacheDir = resolve(options.cacheDir);
  const cached = await findInFolder(cacheFolderFor(cacheDir, wanted), wanted);
  if (cached !== null) return cached;
  let cause: unknown;
  if ((await findOnPath('apt-get')) !== null && (await findOnPath('dpkg')) !== null) {
    try {
      return await fetchPackage(cacheDir, wanted, log);
    } catch (error) {
      cause = error;
      log(`the package of ${wanted.join(' or ')} cannot be used: ${lastLine(error)}`);
    }
  }
  throw notInstalled(wanted[0], cause);
}

/** Acceptable servers, in order of preference. */
type Wanted = readonly [ServerName, ...ServerName[]];

function cacheFolderFor(cacheDir: string, wanted: Wanted): string {
  return join(cacheDir, wanted[0] === 'redis-server' ? 'redis' : 'valkey');
}

function notInstalled(name: ServerName, cause: unknown): Failure {
  const formula = name === 'redis-server' ? 'redis' : 'valkey';
  const how = process.platform === 'darwin' ? `run \`brew install ${formula}\`` : `install ${name} or set REDIS_URL`;
  return localFailure(CODES.REDIS_UNAVAILABLE, `${name} is not installed: ${how}`, { cause });
}

async function findOnPath(name: string): Promise<string | null> {
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

/** A binary may exist and still not run: it may be for another architecture, or lack a library after an upgrade. */
function canRun({ command, env }: RedisBinary): Promise<boolean> {
  return run(command, ['--version'], { env: { PATH: process.env.PATH, ...env }, timeout: 10_000 }).then(
    ({ stdout }) => /\bv=\d/.test(stdout),
    () => false,
  );
}

async function findInFolder(dir: string, wanted: Wanted): Promise<RedisBinary | null> {
  const usr = join(dir, 'root', 'usr');
  for (const name of wanted) {
    const command = join(usr, 'bin', name);
    if (!(await isExecutable(command))) continue;
    const folders = await readdir(join(usr, 'lib')).catch(() => []);
    const libraries = folders.filter((folder) => folder.includes('-linux-')).map((folder) => join(usr, 'lib', folder));
    const binary = { command, env: { LD_LIBRARY_PATH: libraries.join(':') }, origin: `${name} package` };
    if (await canRun(binary)) return binary;
  }
  return null;
}

async function fetchPackage(cacheDir: string, wanted: Wanted, log: (line: string) => void): Promise<RedisBinary> {
  const target = cacheFolderFor(cacheDir, wanted);
  await mkdir(cacheDir, { recursive: true });
  const temp = await mkdtemp(`${target}-new-`);
  try {
    log(`${wanted[0]} is not on PATH: downloading the package of this distribution once`);
    const debs = await downloadPackages(temp, wanted, log);
    const unpacked = join(temp, 'unpacked');
    await mkdir(join(unpacked, 'root'), { recursive: true });
    for (const deb of debs) await run('dpkg', ['-x', deb, join(unpacked, 'root')]);
    if ((await findInFolder(unpacked, wanted)) === null) throw new Error(`the unpacked ${wanted[0]} does not run`);
    await publish({ unpacked, target, trash: join(temp, 'old'), wanted });
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
  const binary = await findInFolder(target, wanted);
  if (binary === null) throw new Error(`the cached ${wanted[0]} does not run`);
  return binary;
}

interface Publication {
  readonly unpacked: string;
  readonly target: string;
  /** Start of the path to which a broken copy is moved. */
  readonly trash: string;
  readonly wanted: Wanted;
}

/** Renames the unpacked folder to its final path. An existing copy at the final path is kept if it can run, else moved away. */
async function publish({ unpacked, target, trash, wanted }: Publication): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await rename(unpacked, target);
    } catch (error) {
      if ((await findInFolder(target, wanted)) !== null) return;
      if (attempt === 5) throw error;
      await rename(target, `${trash}-${attempt}`).catch(() => undefined);
    }
  }
}

/** Uses the machine's package lists first. If they are empty or stale, downloads fresh lists into our own folder. */
async function downloadPackages(temp: string, wanted: Wanted, log: (line: string) => void): Promise<string[]> {
  const failures: string[] = [];
  for (const lists of ['system', 'private'] as const) {
    const apt: string[] = [];
    try {
      if (lists === 'private')
        apt.push(...(await fetchPackageLists({ folder: temp, withBackports: !wanted.includes('redis-server'), log })));
    } catch (error) {
      failures.push(lastLine(error));
      break;
    }
    for (const name of wanted) {
      const dir = join(temp, `debs-${failures.length}`);
      try {
        await mkdir(dir);
        await run('apt-get', [...apt, 'download', '-q', ...(await requiredPackages(apt, name))], {
          cwd: dir,
          timeout: 180_000,
        });
        return (await readdir(dir)).filter((file) => file.endsWith('.deb')).map((file) => join(dir, file));
      } catch (error) {
        failures.push(lastLine(error));
      }
    }
  }
  throw new Error(failures.join('; '));
}

/**
 * The packages of the server, of its tools (which contain the binary), and of the libraries that this machine lacks according to
 * apt.
 */
async function requiredPackages(apt: readonly string[], name: ServerName): Promise<string[]> {
  const serverPackages = [name, TOOL_PACKAGES[name]];
  try {
    const args = [...apt, 'install', '--simulate', '--no-install-recommends', ...serverPackages];
    const { stdout } = await run('apt-get', args, { timeout: 60_000 });
    const installed = [...stdout.matchAll(/^Inst (\S+)/gm)].map(([, name = '']) => name);
    const libraries = installed.filter((each) => /^(?:lib|lua)/.test(each));
    return [...serverPackages, ...libraries];
  } catch {
    return [...serverPackages, ...LIBRARY_PACKAGES];
  }
}

interface PackageListOptions {
  readonly folder: string;
  /** Whether to include Debian's backports. */
  readonly withBackports: boolean;
  readonly log: (line: string) => void;
}

/** Downloads package lists into a folder. @returns the apt-get options that use them. */
export async function fetchPackageLists({ folder, withBackports, log }: PackageListOptions): Promise<string[]> {
  const state = join(folder, 'apt');
  await mkdir(join(state, 'lists', 'partial'), { recursive: true });
  await mkdir(join(state, 'cache', 'archives', 'partial'), { recursive: true });
  const file = join(state, 'apt.conf');
  // The options are in a file, because `-o` cannot clear the machine's apt hooks. The hooks need root and would fail.
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
  if (withBackports) conf.push(...(await addBackports(state)));
  await writeFile(file, `${conf.join('\n')}\n`);
  log('the package lists of this machine are not sufficient: downloading fresh ones');
  await run('apt-get', ['-c', file, '-q', 'update'], { timeout: 300_000, maxBuffer: 16 * 1024 * 1024 });
  return ['-c', file];
}

/** Debian 12 has Valkey only in its backports. @returns lines for apt.conf; none on other systems. */
async function addBackports(state: string): Promise<string[]> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1];
  if (codename === undefined || !/^ID=debian$/m.test(release)) return [];
  const { stdout } = await run('apt-get', ['update', '--print-uris'], { timeout: 60_000 });
  const mirror = new RegExp(`'([^']+)/dists/${codename}/InRelease'`).exec(stdout)?.[1];
  if (mirror === undefined) return [];
  const sources = await readFile('/etc/apt/sources.list', 'utf8').catch(() => '');
  const signed = 'signed-by=/usr/share/keyrings/debian-archive-keyring.gpg';
  const file = join(state, 'sources.list');
  await writeFile(file, `${sources}\ndeb [${signed}] ${mirror} ${codename}-backports main\n`);
  return [`Dir::Etc::sourcelist "${file}";`];
}

function lastLine(error: unknown): string {
  const { stderr } = error as { stderr?: unknown };
  const text = typeof stderr === 'string' && stderr.trim() !== '' ? stderr : String(error);
  return text.trim().split('\n').at(-1) ?? '';
}
