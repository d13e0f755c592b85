/**
 * Runs the command line from a checkout. Installs dependencies and builds if necessary, and passes the arguments on. stdout
 * carries only the output of the command line, and the exit code is that of the command line.
 */
import { join } from 'node:path';
import { build } from './build.mjs';
import { root, runChild } from './child-process.mjs';
import { ensureDependencies } from './ensure-dependencies.mjs';

await ensureDependencies();
await build();
const main = join(root, 'dist', 'src', 'cli', 'main.js');
process.exitCode = await runChild(process.execPath, [main, ...process.argv.slice(2)], { channel: true });
