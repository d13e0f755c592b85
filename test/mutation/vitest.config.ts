/** The unit tests that decide whether a mutant lives: the tests of the rooms that are mutated. */
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { KeptThread } from './kept-thread.ts';

export default defineConfig({
  root: join(import.meta.dirname, '..', '..'),
  plugins: [
    {
      name: 'kept-thread',
      configureVitest({ project }) {
        project.config.pool = 'kept-thread';
        project.config.poolRunner = {
          name: 'kept-thread',
          createPoolWorker: (options) => new KeptThread(options),
        };
      },
    },
  ],
  test: {
    include: ['test/unit/{domain,pipeline}/**/*.test.ts', 'test/unit/app/process-metrics.test.ts'],
    setupFiles: ['test/mutation/setup.ts', 'test/support/setup.ts'],
    environment: 'node',
    env: { PROPERTY_RUNS: '300' },
    isolate: false,
    testTimeout: 60_000,
  },
});
