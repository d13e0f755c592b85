/** The queue of deletions: what an end leaves in the own bucket, and everything of what was erased on demand. */
import { Queue } from 'bullmq';
import type { GatedAction, Region } from '../domain/actions.ts';
import type { RedisClient } from './connection.ts';
import { ERASE_QUEUE, type Names } from './names.ts';

/**
 * A run may have ended without a word, and what it had on its way may land after the deletion: a stopped process that goes on, a
 * line that was slow. `due`: once deleted, it is to be looked again; then, when: ms since 1970, when no upload is under way.
 */
export type Strays = 'due' | number;

/** Objects in the own bucket, to be found again from id and generation. */
export interface EraseJob {
  readonly id: string;
  readonly region: Region;
  readonly action: GatedAction;
  readonly generations: number;
  readonly strays?: Strays;
}

/** What it takes is in the tombstone: a job is on dashboards. */
export interface ForgetJob {
  readonly id: string;
  readonly region: Region;
  /** Whoever works on it now has noticed by then. */
  readonly delayMs?: number;
  readonly strays?: Strays;
}

export type EraseQueue = Queue<EraseJob | ForgetJob>;

export function openEraseQueue(redis: RedisClient, names: Names): EraseQueue {
  const queue = new Queue<EraseJob | ForgetJob>(ERASE_QUEUE, {
    connection: redis,
    prefix: names.prefix,
    skipVersionCheck: true,
  });
  // Errors come back from the calls themselves; an emitter without a listener would end the process.
  queue.on('error', () => undefined);
  return queue;
}
