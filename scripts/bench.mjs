/**
 * The benchmarks from a checkout: dependencies and builds where they are needed, then their runs with the arguments given.
 * docs/performance.md says what is measured.
 */
import { join } from 'node:path';
import { build } from './build.mjs';
import { root, runChild } from './child.mjs';
import { ensureDependencies } from './setup.mjs';

await ensureDependencies();
await build();
await build('bench');
const main = join(root, '.bestframe', 'bench', 'bench', 'main.js');
process.exitCode = await runChild(process.execPath, [main, ...process.argv.slice(2)]);
