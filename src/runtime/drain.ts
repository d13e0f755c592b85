import type { Worker } from 'bullmq';

/**
 * Lets a worker take no more and waits for what it runs, but no longer than `deadlineMs`: `worker.close()` has no limit of its
 * own. @returns whether everything was finished; what was not comes back when its lock runs out.
 */
export async function drained(worker: Worker, deadlineMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), deadlineMs);
  });
  const finished = await Promise.race([worker.close().then(() => true), late]);
  clearTimeout(timer);
  if (!finished) await worker.close(true);
  return finished;
}
