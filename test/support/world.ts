/** Starts all processes for an end-to-end test: `startLocalWorld` with the built workers, in a new folder. */
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openClient } from '../../src/app/client.ts';
import { type LocalWorld, type LocalWorldOptions, startLocalWorld } from '../../src/dev/local-world.ts';
import { EmulatorControl } from '../../src/emulator/control.ts';
import { type MakeRequest, requestsIn } from './inputs.ts';
import { REMOVE } from './remove.ts';
import { HOME } from './rig.ts';

export const ROOT = join(import.meta.dirname, '..', '..');
export const DIST = join(ROOT, 'dist');

export interface TestWorld extends LocalWorld {
  readonly client: ReturnType<typeof openClient>;
  readonly control: EmulatorControl;
  readonly dir: string;
  /** Writes sample files and returns a request that names them. */
  readonly request: MakeRequest;
  dispose(): Promise<void>;
}

export async function createWorld(options: Partial<LocalWorldOptions> = {}): Promise<TestWorld> {
  const dir = join(HOME, `e2e-${process.pid}-${randomBytes(4).toString('hex')}`);
  const inputs = join(dir, 'inputs');
  await mkdir(inputs, { recursive: true });
  const world = await startLocalWorld({
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
      await rm(dir, REMOVE);
    },
  };
}
