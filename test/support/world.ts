/** Whole worlds of processes for end-to-end tests: `startWorld` with the built workers, in a folder of their own. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EmulatorControl } from '../../src/emulator/control.ts';
import { openClient } from '../../src/open-client.ts';
import { startWorld, type World, type WorldOptions } from '../../src/world/world.ts';
import { type MakeRequest, requestsIn } from './inputs.ts';
import { HOME } from './rig.ts';

export const ROOT = join(import.meta.dirname, '..', '..');
export const DIST = join(ROOT, 'dist');

export interface TestWorld extends World {
  readonly client: ReturnType<typeof openClient>;
  readonly control: EmulatorControl;
  readonly dir: string;
  /** A request for files that are written now. */
  readonly request: MakeRequest;
  dispose(): Promise<void>;
}

export async function createWorld(options: Partial<WorldOptions> = {}): Promise<TestWorld> {
  const dir = join(HOME, `e2e-${process.pid}-${Date.now()}`);
  const inputs = join(dir, 'inputs');
  await mkdir(inputs, { recursive: true });
  const world = await startWorld({
    dir,
    cacheDir: join(HOME, 'cache'),
    workers: 2,
    dashboard: false,
    workersDir: join(DIST, 'workers/'),
    emulatorSettings: { latencyMs: {}, qps: {} },
    ...options,
  });
  const client = openClient(world.config);
  return {
    ...world,
    client,
    control: new EmulatorControl(world.emulator.controlUrl),
    dir,
    request: requestsIn(inputs, { lane: 'batch' }),
    async dispose() {
      await client.close();
      await world.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
