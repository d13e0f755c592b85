/** How each of our workers begins and ends. */
import type { Worker } from 'bullmq';
import type { Logger } from 'pino';

/** As soon as it is made: trouble with Redis is BullMQ's to get over, and an emitter without a listener would end the process. */
export function heard(worker: Worker, log: Logger): void {
  worker.on('error', (error) => log.debug({ event: 'worker error', error: error.name }, 'worker error'));
}

/** Takes jobs from here on. */
export async function begun(worker: Worker, log: Logger): Promise<void> {
  await worker.waitUntilReady();
  worker.run().catch((error: unknown) => {
    const facts = { event: 'worker stopped', error: error instanceof Error ? error.name : 'unknown' };
    log.error(facts, 'worker stopped');
  });
}

/**
 * Lets a worker take no more and waits for what it runs, but no longer than `deadlineMs`: `worker.close()` has no limit of its
 * own. @returns whether everything was finished. What is neither finished nor handed back comes back when its lock runs out.
 */
export async function drained(worker: Worker, deadlineMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), deadlineMs);
  });
  // A second, forced close would wait for the first one: past the deadline the jobs are left to their locks.
  const closed = worker.close().then(
    () => true,
    () => false,
  );
  const finished = await Promise.race([closed, late]);
  clearTimeout(timer);
  return finished;
}
