/**
 * unit: no clock, no network, no Redis. contract: both sides of a boundary against one suite. integration: with Redis.
 * e2e: whole worlds of processes, one test file at a time and after all others, since they measure and kill.
 */
import { defineConfig } from 'vitest/config';

const MINUTE = 60_000;
/** Tests wait more than they work: one more than two cores. */
const WORKERS = 3;

function project(name: string, timeout: number, options: object) {
  const include = [`test/${name}/**/*.test.ts`];
  return { test: { name, include, environment: 'node', testTimeout: timeout, hookTimeout: timeout, ...options } };
}

const globalSetup = 'test/support/global-setup.ts';

export default defineConfig({
  test: {
    projects: [
      project('unit', MINUTE, { maxWorkers: WORKERS }),
      project('contract', MINUTE, { globalSetup, maxWorkers: WORKERS }),
      project('integration', MINUTE, { globalSetup, maxWorkers: WORKERS }),
      project('e2e', 3 * MINUTE, { globalSetup, fileParallelism: false, sequence: { groupOrder: 1 } }),
    ],
  },
});
