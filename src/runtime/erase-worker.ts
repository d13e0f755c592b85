/**
 * Deletes what a verification left in the own bucket, as soon as it has ended, and asks again until the bucket confirms it.
 * Keys follow from id and generation, so that an upload whose journal entry was never written is found too.
 */
import { type Job, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { type Region, resourcesOf } from '../domain/actions.ts';
import { Failure } from '../domain/failure.ts';
import { objectKey } from '../domain/identity.ts';
import type { Bucket } from '../domain/ports.ts';
import type { EraseJob } from '../queue/erase-queue.ts';
import { ERASE_QUEUE, type Names } from '../queue/names.ts';
import { drained } from './drain.ts';

export interface EraseWorkerOptions {
  readonly redis: Redis;
  readonly names: Names;
  readonly objectFolder: string;
  readonly log: Logger;
  bucket(region: Region): Bucket;
}

const LIMIT_MS = 60_000;
const FIRST_BACKOFF_MS = 1_000;
const MOST_BACKOFF_MS = 5 * 60_000;

export class EraseWorker {
  readonly #options: EraseWorkerOptions;
  readonly #worker: Worker<EraseJob>;

  constructor(options: EraseWorkerOptions) {
    this.#options = options;
    this.#worker = new Worker<EraseJob>(ERASE_QUEUE, (job) => this.#erase(job), {
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
    this.#worker.on('error', (error) =>
      options.log.debug({ event: 'worker error', error: error.name }, 'worker error'),
    );
  }

  async start(): Promise<void> {
    await this.#worker.waitUntilReady();
    this.#worker.run().catch((error: unknown) => {
      this.#options.log.error(
        { event: 'worker stopped', error: error instanceof Error ? error.name : 'unknown' },
        'worker stopped',
      );
    });
  }

  drain(deadlineMs: number): Promise<boolean> {
    return drained(this.#worker, deadlineMs);
  }

  async #erase(job: Job<EraseJob>): Promise<{ deleted: number }> {
    const { id, region, action, generations } = job.data;
    const { bucket, objectFolder, log } = this.#options;
    const signal = AbortSignal.timeout(LIMIT_MS);
    const keys = Array.from({ length: generations }, (_, generation) =>
      resourcesOf(action).map(([name]) => objectKey(objectFolder, id, generation, name)),
    ).flat();
    try {
      const from = bucket(region);
      await Promise.all(keys.map((key) => from.remove(key, signal)));
    } catch (error) {
      const code = error instanceof Failure ? error.code : 'INTERNAL';
      log.warn(
        { id, event: 'erase', code, attempt: job.attemptsMade + 1 },
        'erase: not confirmed yet, will be tried again',
      );
      throw new Error(code); // the code only: BullMQ keeps and shows this text
    }
    log.info({ id, event: 'erased', objects: keys.length }, 'erased');
    return { deleted: keys.length };
  }
}
