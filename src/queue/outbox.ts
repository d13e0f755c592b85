/**
 * What must still happen once a verification has ended. The settling script writes the entry together with the terminal
 * record; then the follow-ups are added under ids that follow from the verification, then the entry is removed. Whoever
 * finds an entry (a re-run, the sweeper) does the same again: at least once, under one id.
 */
import type { RedisClient } from './connection.ts';
import type { EraseJob, EraseQueue, ForgetJob } from './erase-queue.ts';
import type { Names } from './names.ts';
import { jobOptions } from './options.ts';
import type { JournalRecord } from './record.ts';

export interface FollowUps {
  readonly erase?: EraseJob;
  readonly forget?: ForgetJob;
}

/** Of an end: what lies in the own bucket, of all generations. @param runs 1 where it is a run that ends it. */
export function followUpsOf({ id, region, action, upload, generation, unheard }: Ended, runs: 0 | 1): FollowUps | null {
  if (upload !== 'own-bucket') return null;
  const erase: EraseJob = { id, region, action, generations: generation + 1 };
  return { erase: unheard > runs ? { ...erase, strays: 'due' } : erase };
}

type Ended = Pick<JournalRecord, 'id' | 'region' | 'action' | 'upload' | 'generation' | 'unheard'>;

export class Outbox {
  readonly #redis: RedisClient;
  readonly #names: Names;
  readonly #eraseQueue: EraseQueue;

  constructor(redis: RedisClient, names: Names, eraseQueue: EraseQueue) {
    this.#redis = redis;
    this.#names = names;
    this.#eraseQueue = eraseQueue;
  }

  async deliver(id: string, followUps: FollowUps): Promise<void> {
    const { erase, forget } = followUps;
    if (erase !== undefined) {
      await this.#eraseQueue.add('erase', erase, { ...jobOptions.erase, jobId: `erase-${id}-${erase.generations}` });
    }
    if (forget !== undefined) {
      const { delayMs: delay = 0, ...data } = forget;
      await this.#eraseQueue.add('forget', data, { ...jobOptions.erase, delay, jobId: `forget-${id}` });
    }
    await this.#redis.hdel(this.#names.outbox, id);
  }

  /** Delivers what one has left, if anything. */
  async deliverOf(id: string): Promise<void> {
    const entry = await this.#redis.hget(this.#names.outbox, id);
    if (entry !== null) await this.deliver(id, JSON.parse(entry) as FollowUps);
  }

  /** Delivers what is there; safe beside other deliverers. @returns how many entries there were. */
  async deliverAll(): Promise<number> {
    let cursor = '0';
    let count = 0;
    do {
      const [next, flat] = await this.#redis.hscan(this.#names.outbox, cursor, 'COUNT', 100);
      cursor = next;
      for (let i = 0; i + 1 < flat.length; i += 2) {
        await this.deliver(flat[i] ?? '', JSON.parse(flat[i + 1] ?? '{}') as FollowUps);
        count += 1;
      }
    } while (cursor !== '0');
    return count;
  }
}
