/**
 * Deletes a verification's objects in the company's own bucket as soon as the verification has ended. After an erasure on demand,
 * deletes all of the verification's data outside Redis. Each deletion is repeated until it is confirmed. Object keys are computed
 * from id and generation, so an upload is found even if its journal entry was never written. If an upload may still be running, a
 * second pass follows when no upload can be running any more.
 */
import { DelayedError, type Job, Worker } from 'bullmq';
import { Failure } from '../domain/errors/failure.ts';
import { tenantFolder } from '../domain/operations/tenants.ts';
import { objectNames } from '../domain/verification/actions.ts';
import { objectKey } from '../domain/verification/identity.ts';
import { MAX_UPLOAD_AGE_MS } from '../domain/verification/policy.ts';
import { drainWorker, JobCount, logWorkerErrors, startWorker } from '../pipeline/worker-lifecycle.ts';
import { bullmqOptions } from '../redis/deployment.ts';
import type { EraseJob, ForgetJob } from '../redis/erase-queue.ts';
import { ERASE_QUEUE } from '../redis/names.ts';
import { deleteObjects, type ErasureTools, finishErasure } from './finish-erasure.ts';

/** Deletions that one worker makes at the same time. */
export const ERASE_SLOTS = 8;
const DELETE_TIMEOUT_MS = 60_000;
const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 5 * 60_000;

export class EraseWorker {
  readonly jobs = new JobCount();
  readonly #options: ErasureTools;
  readonly #worker: Worker<EraseJob | ForgetJob>;

  constructor(options: ErasureTools) {
    this.#options = options;
    this.#worker = new Worker<EraseJob | ForgetJob>(
      ERASE_QUEUE,
      (job, token) => this.jobs.run(() => this.#run(job, token)),
      {
        ...bullmqOptions(options.deployment),
        concurrency: ERASE_SLOTS,
        autorun: false,
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
    let done: unknown;
    try {
      done = await this.#delete(job.data, AbortSignal.timeout(DELETE_TIMEOUT_MS));
    } catch (error) {
      const code = error instanceof Failure ? error.code : 'INTERNAL';
      this.#options.log.warn(
        { id, event: 'deletion_failed', job: job.name, code, attempt: job.attemptsMade + 1 },
        `${job.name} is not confirmed yet; it is tried again`,
      );
      throw new Error(code); // only the code, because BullMQ keeps and shows an error's text
    }
    if (secondPass !== 'required') return done;
    const again = Date.now() + MAX_UPLOAD_AGE_MS;
    await job.updateData({ ...job.data, secondPass: again });
    return postpone(job, again, token);
  }

  #delete(data: EraseJob | ForgetJob, signal: AbortSignal): Promise<unknown> {
    if ('generations' in data) return this.#erase(data, signal);
    return typeof data.secondPass === 'number'
      ? deleteObjects(data, this.#options, signal)
      : finishErasure(data.id, this.#options, signal);
  }

  async #erase(
    { id, region, action, generations, tenant }: EraseJob,
    signal: AbortSignal,
  ): Promise<{ deleted: number }> {
    const { edges, log } = this.#options;
    const objectFolder = tenantFolder(this.#options.objectFolder, tenant ?? null);
    const keys = Array.from({ length: generations }, (_, generation) =>
      objectNames(action).map((name) => objectKey(objectFolder, id, generation, name)),
    ).flat();
    const bucket = edges.bucket(region);
    await Promise.all(keys.map((key) => bucket.remove(key, signal)));
    log.info({ id, event: 'objects_deleted', objects: keys.length }, 'objects deleted');
    return { deleted: keys.length };
  }
}

async function postpone(job: Job, at: number, token: string | undefined): Promise<never> {
  await job.moveToDelayed(at, token);
  throw new DelayedError();
}
