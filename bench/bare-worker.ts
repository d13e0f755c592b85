/** The baseline for `machinery` and `slots`: a BullMQ worker whose jobs do nothing, or only wait. A request names a stretch of one queue. */
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { type Stretch, type Work, WorkWindow } from './work-window.ts';

export interface BareRequest extends Stretch {
  readonly queue: string;
  /** Jobs that run at a time. */
  readonly slots: number;
  /** How long a job waits, ms. */
  readonly jobMs: number;
}

const { REDIS_URL: url = '', PREFIX: prefix = '' } = process.env;

async function work({ queue, slots, jobMs, ...stretch }: BareRequest): Promise<Work> {
  const redis = new Redis(url);
  const window = new WorkWindow(redis, stretch);
  const run = async () => {
    if (jobMs > 0) await pause(jobMs);
    window.ended();
  };
  const worker = new Worker(queue, run, { connection: { url }, prefix, concurrency: slots });
  try {
    return await window.work;
  } finally {
    await worker.close();
    redis.disconnect();
  }
}

process.on('message', async (request: BareRequest) => process.send?.(await work(request)));
process.on('disconnect', () => process.exit());
process.send?.('ready');
