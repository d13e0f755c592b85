/**
 * unit: no clock, no network, no Redis; the files share the modules that they import, which halves their cost. contract: both
 * sides of a boundary against one suite. integration: with Redis. e2e: worlds of processes: kills, chaos,
 * workers, the HTTP API, the demo. long: all other worlds of processes, only in `npm run test:long`. alone: those of them that measure.
 */
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** For a test that hangs. A busy machine takes long to load the product or to start a world of processes. */
const TIMEOUT_MS = 180_000;
const POLL_MS = 20_000;
/** Tests wait longer than they work: three files for each core. More than eight would need much memory. */
const WORKERS = Math.min(8, 3 * availableParallelism());
/** How many worlds of one file run at once. */
const WORLDS = 2;

const ALONE = ['rate', 'memory', 'bench'].map((name) => `test/long/${name}.test.ts`);
const isLong = process.env.BESTFRAME_TEST_LONG === '1';

/** Files that take longest. They start first, so that none of them runs on when all others have ended. */
const LONGEST = [
  'integration/breakers',
  'integration/isolation',
  'integration/credentials',
  'integration/explorer',
  'integration/redis/conformance',
  'e2e/chaos',
  'e2e/kill',
  'e2e/demo',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const index = LONGEST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return index === -1 ? LONGEST.length : index;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

function project(name: string, options: object) {
  return {
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      environment: 'node',
      setupFiles: 'test/support/setup.ts',
      testTimeout: TIMEOUT_MS,
      hookTimeout: TIMEOUT_MS,
      // The default of a second is too short for a busy machine.
      expect: { poll: { timeout: POLL_MS } },
      maxWorkers: WORKERS,
      ...options,
    },
  };
}

const globalSetup = 'test/support/global-setup.ts';
/** Whole worlds of processes. */
const worlds = { isolate: false, globalSetup, maxConcurrency: WORLDS };
const long = project('long', { ...worlds, exclude: ALONE, sequence: { groupOrder: 2 } });
const alone = project('alone', {
  globalSetup,
  include: ALONE,
  maxWorkers: 1,
  sequence: { groupOrder: 3 },
});
const isShuffled = process.argv.some((argument) => argument.startsWith('--sequence.shuffle'));

export default defineConfig({
  test: {
    ...(isShuffled ? {} : { sequence: { sequencer: LongestFirst } }),
    projects: [
      project('unit', { isolate: false }),
      project('contract', { globalSetup, isolate: false }),
      project('integration', { globalSetup, isolate: false }),
      project('e2e', { ...worlds, sequence: { groupOrder: 1 } }),
      ...(isLong ? [long, alone] : []),
    ],
  },
});
