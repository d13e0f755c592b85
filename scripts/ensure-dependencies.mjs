/** Prepares a fresh checkout: checks the version of Node, and installs node_modules according to package-lock.json. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, runTool } from './child-process.mjs';

const MIN_NODE = [20, 19];
const modules = join(root, 'node_modules');
const stamp = join(modules, '.bestframe-lock');

export async function ensureDependencies() {
  checkNode();
  const text = readFileSync(join(root, 'package-lock.json'));
  const hash = createHash('sha256').update(text).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  if (!isInstalled(JSON.parse(text))) {
    process.stderr.write('installing dependencies (npm ci)\n');
    // --include: install the compiler even if NODE_ENV=production. --prefix: the script may run in any folder.
    await runTool('npm', ['ci', '--no-audit', '--no-fund', '--include=dev', '--prefix', root]);
  }
  writeFileSync(stamp, hash);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1])) return;
  process.stderr.write(`This is Node ${process.versions.node}: install Node ${MIN_NODE.join('.')} or newer.\n`);
  process.exit(2);
}

/** Whether npm's list of installed packages matches package-lock.json. The list omits packages for other platforms. */
function isInstalled(lock) {
  const installedLock = join(modules, '.package-lock.json');
  if (!existsSync(installedLock)) return false;
  const { packages: installed } = JSON.parse(readFileSync(installedLock, 'utf8'));
  return Object.entries(lock.packages).every(([path, { version, optional, devOptional }]) => {
    if (path === '') return true;
    return installed[path] === undefined ? (optional ?? devOptional ?? false) : installed[path].version === version;
  });
}
