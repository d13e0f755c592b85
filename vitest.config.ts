/**
 * unit: no clock, no network, no Redis. contract: both sides of a boundary against one suite. integration: with Redis.
 * e2e: whole worlds of processes, two at a time. alone: those of them that measure, or break everything there is.
 */
import { defineConfig } from 'vitest/config';

const MINUTE = 60_000;
/** Tests wait more than they work: one more than two cores. */
const WORKERS = 3;

const ALONE = ['rate', 'memory', 'chaos', 'bench'].map((name) => `test/e2e/${name}.test.ts`);

function project(name: string, timeout: number, options: object) {
  return {
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      environment: 'node',
      testTimeout: timeout,
      hookTimeout: timeout,
      ...options,
    },
  };
}

const globalSetup = 'test/support/global-setup.ts';

export default defineConfig({
  test: {
    projects: [
      project('unit', MINUTE, { maxWorkers: WORKERS }),
      project('contract', MINUTE, { globalSetup, maxWorkers: WORKERS }),
      project('integration', MINUTE, { globalSetup, maxWorkers: WORKERS }),
      project('e2e', 3 * MINUTE, { globalSetup, exclude: ALONE, maxWorkers: 2, sequence: { groupOrder: 1 } }),
      project('alone', 3 * MINUTE, {
        globalSetup,
        include: ALONE,
        fileParallelism: false,
        sequence: { groupOrder: 2 },
      }),
    ],
  },
});
