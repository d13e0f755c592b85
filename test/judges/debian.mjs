/** Provides programs from the distribution's packages. The packages are unpacked into a folder, which does not need root. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../../scripts/child-process.mjs';

const run = promisify(execFile);
const MINUTE_MS = 60_000;

/** @returns the folder into which these packages and their dependencies are unpacked, as if it were `/` */
export async function unpackPackages(name, packages) {
  const place = join(root, '.bestframe', 'judges-packages', name);
  if (existsSync(place)) return place;
  const temp = `${place}-new`;
  const debs = join(temp, 'debs');
  rmSync(temp, { recursive: true, force: true });
  mkdirSync(debs, { recursive: true });
  const simulated = ['install', '--simulate', '--no-install-recommends', ...packages];
  const { stdout } = await run('apt-get', simulated, { timeout: MINUTE_MS });
  const missing = [...stdout.matchAll(/^Inst (\S+)/gm)].map(([, each]) => each);
  const names = [...new Set([...packages, ...missing])];
  await run('apt-get', ['download', '-q', ...names], { cwd: debs, timeout: 10 * MINUTE_MS, maxBuffer: 2 ** 24 });
  const unpacked = join(temp, 'unpacked');
  mkdirSync(unpacked);
  for (const file of readdirSync(debs)) await run('dpkg', ['-x', join(debs, file), unpacked]);
  renameSync(unpacked, place);
  rmSync(temp, { recursive: true });
  return place;
}
