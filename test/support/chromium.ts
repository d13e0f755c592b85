/**
 * A browser: Chromium from PATH, or the distribution's package, unpacked without root into the cache folder. Its pages are ours
 * alone, on 127.0.0.1, so that it runs without a sandbox, as it must where tests are root.
 */
import { execFile } from 'node:child_process';
import { access, constants, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';
import { ownLists } from '../../src/world/redis-binary.ts';
import { HOME } from './rig.ts';

const run = promisify(execFile);

const PLACE = join(HOME, 'cache', 'chromium');
const ROOT = join(PLACE, 'root');
const UNPACKED = join(ROOT, 'usr', 'lib', 'chromium', 'chromium');
/** The second one has Chinese letters. */
const PACKAGES = ['chromium', 'fonts-wqy-microhei'];
/** Nothing that asks the world for anything. */
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

interface Binary {
  readonly path: string;
  readonly env: Record<string, string>;
}

/** @throws Error that says how to install it, where there is none and none can be had */
export async function openBrowser(): Promise<Browser> {
  const { path, env } = await find();
  return chromium.launch({ executablePath: path, args: ARGS, env: { PATH: process.env.PATH ?? '', ...env } });
}

async function find(): Promise<Binary> {
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
      const path = join(dir, name);
      if (dir !== '' && (await isExecutable(path))) return { path, env: { HOME: join(HOME, 'browser') } };
    }
  }
  if (!(await isExecutable(UNPACKED))) await fetchPackages();
  const machine = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  const places = [join(ROOT, 'usr', 'lib', machine), join(ROOT, 'lib', machine)];
  const inner = await Promise.all(places.map((place) => foldersIn(place)));
  const share = [join(ROOT, 'usr', 'share'), '/usr/local/share', '/usr/share'];
  const libraries = [...places, ...inner.flat()].join(':');
  return {
    path: UNPACKED,
    env: { LD_LIBRARY_PATH: libraries, XDG_DATA_DIRS: share.join(':'), HOME: join(HOME, 'browser') },
  };
}

/** Some libraries have private ones beside them. */
async function foldersIn(place: string): Promise<string[]> {
  const entries = await readdir(place, { withFileTypes: true }).catch(() => []); // a package may have none
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(place, name));
}

/** With the machine's package lists first; where those are empty or stale, with fresh ones that are ours alone. */
async function fetchPackages(): Promise<void> {
  await mkdir(join(HOME, 'cache'), { recursive: true });
  const temp = await mkdtemp(`${PLACE}-new-`);
  const log = (line: string) => process.stderr.write(`${line}\n`);
  try {
    log('no chromium on PATH: fetching the package of this distribution (once)');
    const debs = await download(temp, []).catch(async () => download(temp, await ownLists(temp, false, log)));
    const root = join(temp, 'made', 'root');
    await mkdir(root, { recursive: true });
    for (const deb of debs) await run('dpkg', ['-x', deb, root]);
    await rename(join(temp, 'made'), PLACE);
  } catch (cause) {
    throw new Error('there is no chromium on this machine, and its package cannot be fetched: install chromium', {
      cause,
    });
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
}

async function download(temp: string, apt: readonly string[]): Promise<string[]> {
  const dir = await mkdtemp(join(temp, 'debs-'));
  const simulated = [...apt, 'install', '--simulate', '--no-install-recommends', ...PACKAGES];
  const { stdout } = await run('apt-get', simulated, { timeout: 60_000 });
  const names = [...stdout.matchAll(/^Inst (\S+)/gm)].map(([, name = '']) => name);
  await run('apt-get', [...apt, 'download', '-q', ...names], {
    cwd: dir,
    timeout: 300_000,
    maxBuffer: 16 * 1024 * 1024,
  });
  return (await readdir(dir)).filter((file) => file.endsWith('.deb')).map((file) => join(dir, file));
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
