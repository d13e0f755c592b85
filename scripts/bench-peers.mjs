/**
 * Compares Bestframe's machinery with other systems that record each step: graphile-worker, DBOS and Restate. They are installed into
 * .bestframe/ when this is first run, so that `npm ci` does not grow. They need a newer Node than Bestframe does, so all sides run on the
 * one that is installed with them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { root, runChild, runTool } from './child-process.mjs';
import { ensureDependencies } from './ensure-dependencies.mjs';

const NODE = `node-${process.platform}-${process.arch}`;
const PACKAGES = {
  'graphile-worker': '0.18.0',
  '@dbos-inc/dbos-sdk': '5.3.0',
  '@restatedev/restate-sdk': '1.17.2',
  '@restatedev/restate-server': '1.7.12',
  [NODE]: '24',
};
const tools = join(root, '.bestframe', 'peers', 'tools');

await ensureDependencies();
await installPeers();
await build();
await build('bench');
const node = join(tools, 'node_modules', NODE, 'bin', 'node');
const main = join(root, '.bestframe', 'bench', 'bench', 'peers', 'main.js');
process.chdir(root);
process.exitCode = await runChild(node, [main, ...process.argv.slice(2)]);

async function installPeers() {
  const wanted = Object.entries(PACKAGES);
  if (wanted.every(([name, version]) => `${installedVersion(name)}.`.startsWith(`${version}.`))) return;
  process.stderr.write('installing graphile-worker, DBOS, Restate and the Node that they need\n');
  const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', tools];
  await runTool('npm', ['install', ...options, ...wanted.map(([name, version]) => `${name}@${version}`)]);
}

function installedVersion(name) {
  const manifest = join(tools, 'node_modules', name, 'package.json');
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : null;
}
