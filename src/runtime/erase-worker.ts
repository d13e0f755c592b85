/**
 * Deletes, and asks again until it is confirmed: what a verification left in the own bucket as soon as it has ended, and
 * everything outside Redis of one that was erased on demand. Keys follow from id and generation, so that an upload whose
 * journal entry was never written is found too. Where an upload may still be under way, it is looked again when none can be.
 */
import { DelayedError, type Job, type Queue, Worker } from 'bullmq';
import type { Logger } from 'pino';
import { objectsOf, type Region } from '../domain/actions.ts';
import { Failure } from '../domain/failure.ts';
import { objectKey } from '../domain/identity.ts';
import { STRAY_MS } from '../domain/policy.ts';
import type { RedisClient } from '../queue/connection.ts';
import type { EraseJob, ForgetJob } from '../queue/erase-queue.ts';
import { ERASE_QUEUE, type Names } from '../queue/names.ts';
import type { VerifyJob } from '../queue/options.ts';
import type { Sealer } from '../queue/seal.ts';
import type { Edges } from '../stages/index.ts';
import { forget, removeObjects } from './forget.ts';
import { begun, drained, heard } from './working.ts';

export interface EraseWorkerOptions {
  readonly redis: RedisClient;
  readonly names: Names;
  readonly sealer: Sealer;
  readonly objectFolder: string;
  readonly queues: ReadonlyMap<Region, Queue<VerifyJob>>;
  readonly edges: Pick<Edges, 'bucket' | 'sink'>;
  readonly log: Logger;
}

const LIMIT_MS = 60_000;
const FIRST_BACKOFF_MS = 1_000;
const MOST_BACKOFF_MS = 5 * 60_000;

export class EraseWorker {
  readonly #options: EraseWorkerOptions;
  readonly #worker: Worker<EraseJob | ForgetJob>;

  constructor(options: EraseWorkerOptions) {
    this.#options = options;
    this.#worker = new Worker<EraseJob | ForgetJob>(ERASE_QUEUE, (job, token) => this.#run(job, token), {
      connection: options.redis,
      prefix: options.names.prefix,
      concurrency: 8,
      autorun: false,
      maxStalledCount: 1_000,
      runRetryDelay: 1_000,
      settings: {
        backoffStrategy: (attempts) => Math.min(FIRST_BACKOFF_MS * 2 ** Math.min(attempts - 1, 10), MOST_BACKOFF_MS),
      },
    });
    heard(this.#worker, options.log);
  }

  async start(): Promise<void> {
    await begun(this.#worker, this.#options.log);
  }

  drain(deadlineMs: number): Promise<boolean> {
    return drained(this.#worker, deadlineMs);
  }

  async #run(job: Job<EraseJob | ForgetJob>, token: string | undefined): Promise<unknown> {
    const { id, strays } = job.data;
    if (typeof strays === 'number' && strays > Date.now()) return later(job, strays, token);
    let done: unknown;
    try {
      done = await this.#delete(job.data, AbortSignal.timeout(LIMIT_MS));
    } catch (error) {
      const code = error instanceof Failure ? error.code : 'INTERNAL';
      this.#options.log.warn(
        { id, event: job.name, code, attempt: job.attemptsMade + 1 },
        `${job.name}: not confirmed yet, will be tried again`,
      );
      throw new Error(code); // the code only: BullMQ keeps and shows this text
    }
    if (strays !== 'due') return done;
    const again = Date.now() + STRAY_MS;
    await job.updateData({ ...job.data, strays: again });
    return later(job, again, token);
  }

  #delete(data: EraseJob | ForgetJob, signal: AbortSignal): Promise<unknown> {
    if ('generations' in data) return this.#erase(data, signal);
    return typeof data.strays === 'number'
      ? removeObjects(data.id, data.region, this.#options, signal)
      : forget(data.id, this.#options, signal);
  }

  async #erase({ id, region, action, generations }: EraseJob, signal: AbortSignal): Promise<{ deleted: number }> {
    const { edges, objectFolder, log } = this.#options;
    const keys = Array.from({ length: generations }, (_, generation) =>
      objectsOf(action).map((name) => objectKey(objectFolder, id, generation, name)),
    ).flat();
    const from = edges.bucket(region);
    await Promise.all(keys.map((key) => from.remove(key, signal)));
    log.info({ id, event: 'erased', objects: keys.length }, 'erased');
    return { deleted: keys.length };
  }
}

async function later(job: Job, at: number, token: string | undefined): Promise<never> {
  await job.moveToDelayed(at, token);
  throw new DelayedError();
}
