/** Makes a fresh checkout ready: Node is new enough, and node_modules is what package-lock.json says. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, runTool } from './child.mjs';

const LEAST = [20, 19];
const modules = join(root, 'node_modules');
const stamp = join(modules, '.bestframe-lock');

export async function ensureDependencies() {
  checkNode();
  const text = readFileSync(join(root, 'package-lock.json'));
  const hash = createHash('sha256').update(text).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  if (!isInstalled(JSON.parse(text))) {
    process.stderr.write('installing dependencies (npm ci)\n');
    // --include: NODE_ENV=production must not leave out the compiler. --prefix: whatever folder we are called from.
    await runTool('npm', ['ci', '--no-audit', '--no-fund', '--include=dev', '--prefix', root]);
  }
  writeFileSync(stamp, hash);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])) return;
  process.stderr.write(`Node ${LEAST.join('.')} or newer is needed, and this is ${process.versions.node}.\n`);
  process.exit(2);
}

/** Somebody may have run npm by hand: npm lists what it put there. Packages of other platforms are left out. */
function isInstalled(lock) {
  const list = join(modules, '.package-lock.json');
  if (!existsSync(list)) return false;
  const { packages: found } = JSON.parse(readFileSync(list, 'utf8'));
  return Object.entries(lock.packages).every(([path, { version, optional, devOptional }]) => {
    if (path === '') return true;
    return found[path] === undefined ? (optional ?? devOptional ?? false) : found[path].version === version;
  });
}
