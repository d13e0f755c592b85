/** How every kind of worker starts, reports errors and drains. */
import type { Worker } from 'bullmq';
import type { Logger } from 'pino';

/** Call right after construction. BullMQ recovers from Redis errors, but an `error` event without a listener ends the process. */
export function logWorkerErrors(worker: Worker, log: Logger): void {
  worker.on('error', (error) => log.debug({ event: 'worker_error', error: error.name }, 'worker error'));
}

/** Starts the worker: from then on, it takes jobs. */
export async function startWorker(worker: Worker, log: Logger): Promise<void> {
  await worker.waitUntilReady();
  worker.run().catch((error: unknown) => {
    const facts = { event: 'worker_stopped', error: error instanceof Error ? error.name : 'unknown' };
    log.error(facts, 'worker stopped');
  });
}

/**
 * Makes a worker take no more jobs, and waits up to `deadlineMs` for the running jobs. The limit is needed because
 * `worker.close()` has none.
 * @returns whether all jobs finished. If not, the unfinished jobs go back to the queue, at once or when their locks expire.
 */
export async function drainWorker(worker: Worker, deadlineMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), deadlineMs);
  });
  // A second, forced close would be useless, because it waits for the first one, which is still waiting for the jobs. So after
  // the deadline, the jobs stay active until their locks expire.
  const closed = worker.close().then(
    () => true,
    () => false,
  );
  const finished = await Promise.race([closed, late]);
  clearTimeout(timer);
  return finished;
}
