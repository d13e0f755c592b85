/**
 * Runs the jobs of the erase queue. Copies the evidence of a verification that has ended, if it is to be kept, and then deletes its
 * objects in the company's own bucket. After an erasure on demand, deletes all of the verification's data outside Redis. Each copy
 * and each deletion is repeated until it is confirmed. If an upload may still be running, a second pass follows when no upload can be
 * running any more. Ordinary deletions are made by deletion-batches.ts, and become jobs only if they fail.
 */
import { DelayedError, type Job, Worker } from 'bullmq';
import { Failure } from '../domain/errors/failure.ts';
import { MAX_UPLOAD_AGE_MS } from '../domain/verification/policy.ts';
import { drainWorker, JobCount, logWorkerErrors, startWorker } from '../pipeline/worker-lifecycle.ts';
import { bullmqOptions } from '../redis/deployment.ts';
import type { EraseJob, ForgetJob } from '../redis/erase-queue.ts';
import { ERASE_QUEUE } from '../redis/names.ts';
import { type CopyTools, copyEvidence } from './copy-evidence.ts';
import { deleteGenerations } from './delete-generations.ts';
import { deleteObjects, type ErasureTools, finishErasure } from './finish-erasure.ts';

/** Deletions that one worker makes at the same time. */
export const ERASE_SLOTS = 8;
const DELETE_TIMEOUT_MS = 60_000;
const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 5 * 60_000;

/** Copies that one worker makes at the same time, so that a bucket of evidence that hangs does not hold up the deletions. */
const COPY_SLOTS = 4;
const COPY_TIMEOUT_MS = 120_000;
/** If all slots for copies are in use, a copy is postponed by one to five times this duration. */
const BUSY_MS = 1_000;

export interface EraseWorkerOptions extends ErasureTools, CopyTools {
  readonly edges: ErasureTools['edges'] & CopyTools['edges'];
}

export class EraseWorker {
  readonly jobs = new JobCount();
  /** Copies under way. */
  #copying = 0;
  readonly #options: EraseWorkerOptions;
  readonly #worker: Worker<EraseJob | ForgetJob>;

  constructor(options: EraseWorkerOptions) {
    this.#options = options;
    this.#worker = new Worker<EraseJob | ForgetJob>(
      ERASE_QUEUE,
      (job, token) => this.jobs.run(() => this.#run(job, token)),
      {
        ...bullmqOptions(options.deployment),
        concurrency: ERASE_SLOTS,
        autorun: false,
        // If this worker is killed, another worker repeats its deletions within 20 s. BullMQ's own times allow 90 s.
        lockDuration: 10_000,
        stalledInterval: 5_000,
        maxStalledCount: 1_000,
        runRetryDelay: 1_000,
        settings: {
          backoffStrategy: (attempts) => Math.min(FIRST_BACKOFF_MS * 2 ** Math.min(attempts - 1, 10), MAX_BACKOFF_MS),
        },
      },
    );
    logWorkerErrors(this.#worker, options.log);
  }

  async start(): Promise<void> {
    await startWorker(this.#worker, this.#options.log);
  }

  drain(deadlineMs: number): Promise<boolean> {
    return drainWorker(this.#worker, deadlineMs, { jobs: this.jobs, deployment: this.#options.deployment });
  }

  async #run(job: Job<EraseJob | ForgetJob>, token: string | undefined): Promise<unknown> {
    const { id, secondPass } = job.data;
    if (typeof secondPass === 'number' && secondPass > Date.now()) return postpone(job, secondPass, token);
    const copies = 'evidence' in job.data && job.data.evidence !== undefined;
    if (copies && this.#copying >= COPY_SLOTS)
      return postpone(job, Date.now() + Math.round(BUSY_MS * (1 + 4 * Math.random())), token);
    let done: unknown;
    try {
      if (copies) await this.#copy(id);
      done = await this.#delete(job.data, AbortSignal.timeout(DELETE_TIMEOUT_MS));
    } catch (error) {
      const code = error instanceof Failure ? error.code : 'INTERNAL';
      this.#options.log.warn(
        { id, event: 'deletion_failed', job: job.name, code, attempt: job.attemptsMade + 1 },
        `${job.name} is not ${copies ? 'done' : 'confirmed'} yet; it is tried again`,
      );
      throw new Error(code); // only the code, because BullMQ keeps and shows an error's text
    }
    if (secondPass !== 'required') return done;
    const again = Date.now() + MAX_UPLOAD_AGE_MS;
    await job.updateData({ ...job.data, secondPass: again });
    return postpone(job, again, token);
  }

  async #copy(id: string): Promise<void> {
    this.#copying += 1;
    try {
      await copyEvidence(id, this.#options, AbortSignal.timeout(COPY_TIMEOUT_MS));
    } finally {
      this.#copying -= 1;
    }
  }

  #delete(data: EraseJob | ForgetJob, signal: AbortSignal): Promise<unknown> {
    if ('generations' in data) {
      if (data.evidence === 'only') return Promise.resolve({ deleted: 0 });
      return deleteGenerations(data, this.#options, signal);
    }
    return typeof data.secondPass === 'number'
      ? deleteObjects(data, this.#options, signal)
      : finishErasure(data.id, this.#options, signal);
  }
}

async function postpone(job: Job, at: number, token: string | undefined): Promise<never> {
  await job.moveToDelayed(at, token);
  throw new DelayedError();
}
