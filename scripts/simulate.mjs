/**
 * Runs the simulator from a checkout. Installs dependencies and builds if necessary, and passes the arguments on.
 * docs/decisions/simulator.md describes the simulator.
 */
import { join } from 'node:path';
import { build } from './build.mjs';
import { root, runChild } from './child-process.mjs';
import { ensureDependencies } from './ensure-dependencies.mjs';

await ensureDependencies();
await build('simulate');
process.chdir(root);
const main = join(root, '.bestframe', 'simulate', 'test', 'simulator', 'main.js');
process.exitCode = await runChild(process.execPath, [main, ...process.argv.slice(2)]);
