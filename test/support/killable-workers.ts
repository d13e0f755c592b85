/** Worlds for tests that kill workers. */
import { startWorker, type WorkerProcess } from '../../src/dev/worker-process.ts';
import { createWorld, DIST, type TestWorld } from './world.ts';

/** Starts a worker with a short lease, so that another worker takes over soon. */
export type OpenWorker = () => Promise<WorkerProcess>;

/**
 * Runs a test in a world of its own without workers. A killed worker is followed by seconds of waiting, so such tests run side by
 * side.
 */
export async function withKillableWorkers(
  settings: Readonly<Record<string, string>>,
  test: (world: TestWorld, openWorker: OpenWorker) => Promise<void>,
): Promise<void> {
  const world = await createWorld({ workers: 0, settings });
  const workers: WorkerProcess[] = [];
  const env = {
    ...world.env,
    BESTFRAME_LOG: 'json',
    BESTFRAME_LEASE_MS: '3000',
    NODE_EXTRA_CA_CERTS: world.emulator.caFile,
  };
  try {
    await test(world, async () => {
      const worker = await startWorker('verify', { dir: `${DIST}/workers/`, env });
      workers.push(worker);
      return worker;
    });
  } finally {
    await world.control.clearFaults();
    await Promise.all(workers.map((worker) => worker.stop(20_000)));
    await world.dispose();
  }
}
