/** Verify workers for tests that kill them. */
import { afterEach } from 'vitest';
import { startWorker, type WorkerProcess } from '../../src/dev/worker-process.ts';
import { DIST, type TestWorld } from './world.ts';

/**
 * Starts workers with a short lease, so that another worker takes over soon, and stops them after
 * each test.
 * @param worldOf the world of the test, which may be opened later
 */
export function killableWorkers(worldOf: () => TestWorld): () => Promise<WorkerProcess> {
  const workers: WorkerProcess[] = [];
  afterEach(async () => {
    await worldOf().control.clearFaults();
    await Promise.all(workers.splice(0).map((worker) => worker.stop(20_000)));
  });
  return async () => {
    const { env: settings, emulator } = worldOf();
    const env = {
      ...settings,
      BESTFRAME_LOG: 'json',
      BESTFRAME_LEASE_MS: '3000',
      NODE_EXTRA_CA_CERTS: emulator.caFile,
    };
    const worker = await startWorker('verify', { dir: `${DIST}/workers/`, env });
    workers.push(worker);
    return worker;
  };
}
