/**
 * Runs the explorer from a checkout. Installs dependencies and builds if necessary, and passes the arguments on.
 * docs/decisions/explorer.md describes the explorer.
 */
import { join } from 'node:path';
import { build } from './build.mjs';
import { root, runChild } from './child-process.mjs';
import { ensureDependencies } from './ensure-dependencies.mjs';

await ensureDependencies();
await build('explore');
process.chdir(root);
const main = join(root, '.bestframe', 'explore', 'test', 'explorer', 'main.js');
process.exitCode = await runChild(process.execPath, [main, ...process.argv.slice(2)]);
