/** How every kind of worker starts, counts its jobs, reports errors and drains. */
import type { Worker } from 'bullmq';
import type { Logger } from 'pino';
import { Failure } from '../domain/errors/failure.ts';
import { type Deployment, isConnected } from '../redis/deployment.ts';
import { redisTroubleOf } from '../redis/trouble.ts';

/** The jobs that a worker runs. */
export class JobCount {
  #running = 0;
  #takenAt = performance.now();

  get running(): number {
    return this.#running;
  }

  /** When the worker last took a job, or was created, by `performance.now()`. */
  get takenAt(): number {
    return this.#takenAt;
  }

  async run<T>(job: () => Promise<T>): Promise<T> {
    this.#running += 1;
    this.#takenAt = performance.now();
    try {
      return await job();
    } finally {
      this.#running -= 1;
    }
  }
}

/** What a log says about an unexpected error: its code or name, and if it comes from Redis, its cause in words. */
export function errorFacts(error: unknown): { readonly error: string; readonly reason?: string } {
  const trouble = redisTroubleOf(error);
  const name = error instanceof Failure ? error.code : error instanceof Error ? error.name : 'unknown';
  return { error: name, ...(trouble === null ? {} : { reason: trouble }) };
}

/** Call right after construction. BullMQ recovers from Redis errors, but an `error` event without a listener ends the process. */
export function logWorkerErrors(worker: Worker, log: Logger): void {
  worker.on('error', (error) => log.debug({ event: 'worker_error', ...errorFacts(error) }, 'worker error'));
}

/** Starts the worker: from then on, it takes jobs. */
export async function startWorker(worker: Worker, log: Logger): Promise<void> {
  await worker.waitUntilReady();
  worker.run().catch((error: unknown) => {
    log.error({ event: 'worker_stopped', ...errorFacts(error) }, 'worker stopped');
  });
}

/** How often a drain looks whether there is still something to wait for. */
const LOOK_MS = 50;
/** An idle worker whose connection hangs waits this long for it. A job that Redis hands out meanwhile returns to the queue. */
const IDLE_MS = 3_000;

interface Drained {
  readonly jobs: JobCount;
  readonly deployment: Deployment;
}

/**
 * Makes a worker take no more jobs, and waits up to `deadlineMs` for the running jobs. The limit is needed because
 * `worker.close()` has none. Without a running job, there is nothing to wait for while Redis is away.
 * @returns whether all jobs finished. If not, the unfinished jobs go back to the queue, at once or when their locks expire.
 */
export async function drainWorker(
  worker: { close(): Promise<void> },
  deadlineMs: number,
  drained: Drained,
): Promise<boolean> {
  const startedAt = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setInterval(() => {
      const waitedMs = performance.now() - startedAt;
      const isIdle = drained.jobs.running === 0;
      if (isIdle && (!isConnected(drained.deployment) || waitedMs > IDLE_MS)) resolve(true);
      else if (waitedMs > deadlineMs) resolve(isIdle);
    }, LOOK_MS);
  });
  // A second, forced close would be useless, because it waits for the first one, which is still waiting for the jobs. So after
  // the deadline, the jobs stay active until their locks expire.
  const closed = worker.close().then(
    () => true,
    () => false,
  );
  const finished = await Promise.race([closed, late]);
  clearInterval(timer);
  return finished;
}
