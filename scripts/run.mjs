/**
 * The command line from a checkout: dependencies and build where they are needed, then the CLI with the arguments
 * given. stdout carries what the CLI prints and nothing else; the exit code is the CLI's.
 */
import { join } from 'node:path';
import { build } from './build.mjs';
import { root, runChild } from './child.mjs';
import { ensureDependencies } from './setup.mjs';

await ensureDependencies();
await build();
const main = join(root, 'dist', 'src', 'cli', 'main.js');
process.exitCode = await runChild(process.execPath, [main, ...process.argv.slice(2)], 'inherit', true);
