/**
 * Makes the ordinary deletions that follow an end, in batches (see redis/deletions.ts).
 *
 * What must hold:
 * 1. A deletion leaves the set only when it is confirmed, or is a job of the erase queue, which repeats it until it is confirmed.
 *    If a worker dies, another one takes its batch when the lease is over.
 * 2. A bucket that fails or hangs delays the deletions in other buckets by one batch at most.
 * 3. While the erase queue is paused, nothing is deleted here either.
 */
import { setMaxListeners } from 'node:events';
import type { Logger } from 'pino';
import { Failure } from '../domain/errors/failure.ts';
import { sleep } from '../pipeline/sleep.ts';
import { drainWorker, errorFacts, JobCount } from '../pipeline/worker-lifecycle.ts';
import { hasDueDeletion, removeDeletions } from '../redis/deletions.ts';
import type { Deployment } from '../redis/deployment.ts';
import { addEraseJob, type EraseJob, type EraseQueue } from '../redis/erase-queue.ts';
import { takeDeletions } from '../redis/scripts/take-deletions.ts';
import { deleteGenerations } from './delete-generations.ts';
import type { ErasureTools } from './finish-erasure.ts';

export interface DeletionBatchesOptions extends Pick<ErasureTools, 'edges' | 'objectFolder'> {
  readonly deployment: Deployment;
  readonly queue: EraseQueue;
  readonly log: Logger;
}

const MOST = 50;
/** Verifications of one region whose objects are deleted at the same time. */
const AT_ONCE = 8;
/** Time until the next batch if there was nothing more to take. */
const EVERY_MS = 500;
/** What is not deleted by then becomes a job. */
const TIMEOUT_MS = 10_000;
/** Longer than a batch takes, so that only the batch of a dead worker is taken again. */
const LEASE_MS = 18_000;
/** The first try of the job of a deletion that failed here. */
const JOB_DELAY_MS = 1_000;

export class DeletionBatches {
  /** The batches. */
  readonly jobs = new JobCount();
  readonly #options: DeletionBatchesOptions;
  readonly #stopping = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(options: DeletionBatchesOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop = this.#takeUntilStopped();
  }

  /** Takes no more batches. @returns whether the batch under way was finished. If not, another worker repeats it. */
  drain(deadlineMs: number): Promise<boolean> {
    this.#stopping.abort();
    const { deployment } = this.#options;
    return drainWorker({ close: () => this.#loop }, deadlineMs, { jobs: this.jobs, deployment });
  }

  /** Whether a deletion waits that this worker should have taken. */
  async mayTake(): Promise<boolean> {
    const { deployment, queue } = this.#options;
    return (await hasDueDeletion(deployment)) && !(await queue.isPaused());
  }

  async #takeUntilStopped(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const taken = await this.#takeBatch();
      if (taken < MOST) await sleep(EVERY_MS, signal).catch(() => undefined);
    }
  }

  /** @returns how many deletions were taken. */
  async #takeBatch(): Promise<number> {
    const { deployment, queue, log } = this.#options;
    try {
      if (await queue.isPaused()) return 0;
      const deletions = await takeDeletions(deployment, { most: MOST, leaseMs: LEASE_MS });
      if (deletions.length > 0) await this.jobs.run(() => this.#deleteAll(deletions));
      return deletions.length;
    } catch (error) {
      log.debug({ event: 'worker_error', ...errorFacts(error) }, 'a batch of deletions is taken again soon');
      return 0;
    }
  }

  async #deleteAll(deletions: readonly EraseJob[]): Promise<void> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    setMaxListeners(0, signal); // many deletions listen to it at the same time
    const regions = new Set(deletions.map(({ region }) => region));
    const lanes = [...regions].flatMap((region) => {
      const left = deletions.filter((each) => each.region === region).values();
      return Array.from({ length: AT_ONCE }, () => this.#deleteEach(left, signal));
    });
    await Promise.all(lanes);
    await removeDeletions(this.#options.deployment, deletions);
  }

  /** @param left shared by the lanes of a region. */
  async #deleteEach(left: Iterable<EraseJob>, signal: AbortSignal): Promise<void> {
    for (const deletion of left) await this.#delete(deletion, signal);
  }

  async #delete(deletion: EraseJob, signal: AbortSignal): Promise<void> {
    const { log, queue } = this.#options;
    try {
      await deleteGenerations(deletion, this.#options, signal);
    } catch (error) {
      const { id } = deletion;
      const code = error instanceof Failure ? error.code : 'INTERNAL';
      log.warn(
        { id, event: 'deletion_failed', job: 'batch', code },
        'the deletion is not confirmed yet; it is tried again',
      );
      await addEraseJob(queue, deletion, JOB_DELAY_MS);
    }
  }
}
