/**
 * Checks the types of every program. `tsconfig.json` includes all files, also declarations that a program alone does not see. So the
 * programs that are compiled by themselves are checked by themselves, too.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, runChild } from './child-process.mjs';

const configs = readdirSync(root).filter((name) => /^tsconfig(\.\w+)?\.json$/.test(name));
const tsc = join(root, 'node_modules', '.bin', 'tsc');
for (const config of configs) {
  process.exitCode = await runChild(tsc, ['--noEmit', '-p', join(root, config)]);
  if (process.exitCode !== 0) break;
}
