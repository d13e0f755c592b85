/**
 * The chaos kit from a checkout: dependencies and builds where they are needed, then its runs with the arguments given.
 * docs/reliability.md says what it does.
 */
import { join } from 'node:path';
import { build } from './build.mjs';
import { root, runChild } from './child.mjs';
import { ensureDependencies } from './setup.mjs';

await ensureDependencies();
await build();
await build('chaos');
process.chdir(root);
const main = join(root, '.bestframe', 'chaos', 'test', 'chaos', 'main.js');
process.exitCode = await runChild(process.execPath, [main, ...process.argv.slice(2)]);
