/** The baseline for the machinery: a BullMQ worker whose jobs do nothing. Each request makes it work through a stretch of one queue. */
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { type Stretch, type Work, WorkWindow } from './work-window.ts';

export interface BareRequest extends Stretch {
  readonly queue: string;
}

const { REDIS_URL: url = '', PREFIX: prefix = '', SLOTS: slots = '' } = process.env;

async function work({ queue, ...stretch }: BareRequest): Promise<Work> {
  const redis = new Redis(url);
  const window = new WorkWindow(redis, stretch);
  const worker = new Worker(queue, async () => window.ended(), {
    connection: { url },
    prefix,
    concurrency: Number(slots),
  });
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
