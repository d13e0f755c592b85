/**
 * Runs the chaos kit from a checkout. Installs dependencies and builds if necessary, and passes the arguments on.
 * docs/reliability.md describes the kit.
 */
import { join } from 'node:path';
import { build } from './build.mjs';
import { root, runChild } from './child-process.mjs';
import { ensureDependencies } from './ensure-dependencies.mjs';

await ensureDependencies();
await build();
await build('chaos');
process.chdir(root);
const main = join(root, '.bestframe', 'chaos', 'test', 'chaos', 'main.js');
process.exitCode = await runChild(process.execPath, [main, ...process.argv.slice(2)]);
