import type { Worker } from 'bullmq';

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
