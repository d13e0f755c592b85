/**
 * Runs the benchmarks from a checkout. Installs dependencies and builds if necessary, and passes the arguments on.
 * docs/performance.md describes what is measured.
 */
import { join } from 'node:path';
import { build } from './build.mjs';
import { root, runChild } from './child-process.mjs';
import { ensureDependencies } from './ensure-dependencies.mjs';

await ensureDependencies();
await build();
await build('bench');
const main = join(root, '.bestframe', 'bench', 'bench', 'main.js');
process.exitCode = await runChild(process.execPath, [main, ...process.argv.slice(2)]);
