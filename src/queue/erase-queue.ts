/** The queue of deletions in the own bucket: objects to be found again from id and generation. */
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { ActionName, Region } from '../domain/actions.ts';
import { ERASE_QUEUE, type Names } from './names.ts';

export interface EraseJob {
  readonly id: string;
  readonly region: Region;
  readonly action: ActionName;
  readonly generations: number;
}

export function openEraseQueue(redis: Redis, names: Names): Queue<EraseJob> {
  const queue = new Queue<EraseJob>(ERASE_QUEUE, { connection: redis, prefix: names.prefix, skipVersionCheck: true });
  // Errors come back from the calls themselves; an emitter without a listener would end the process.
  queue.on('error', () => undefined);
  return queue;
}
