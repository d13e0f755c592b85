/**
 * What must still happen once a verification has ended, or was decided or held. The script that does that writes the entry in
 * the same step; then the follow-ups are added under ids that follow from the verification, then the entry is removed.
 * Whoever finds an entry (a re-run, the sweeper) does the same again: at least once, under one id.
 *
 * A verification's end is the entry under its id; what is told of it before has entries of its own, `<id>:<event>`.
 */
import type { RedisClient } from './connection.ts';
import type { EraseJob, EraseQueue, ForgetJob } from './erase-queue.ts';
import type { Names } from './names.ts';
import { type NotifyJob, type NotifyQueue, notification, notificationId } from './notify-queue.ts';
import { jobOptions } from './options.ts';
import type { JournalRecord } from './record.ts';

export interface FollowUps {
  readonly erase?: EraseJob;
  readonly forget?: ForgetJob;
  readonly notify?: NotifyJob;
}

/** As a script writes it: '' where nothing follows. */
export function entryOf(followUps: FollowUps): string {
  return Object.keys(followUps).length === 0 ? '' : JSON.stringify(followUps);
}

/** Where the entry of something that is told before the end lies. */
export function fieldOf({ id, event, n }: NotifyJob): string {
  return `${id}:${event}${n === undefined ? '' : `-${n}`}`;
}

/**
 * Of an end: what lies in the own bucket, of all generations, if it was ever begun; and who is told.
 * @param runs 1 where it is a run that ends it.
 */
export function followUpsOf(record: Ended, runs: 0 | 1): FollowUps | null {
  const { id, region, action, upload, generation, starts, unheard } = record;
  const erase: EraseJob = { id, region, action, generations: generation + 1 };
  const followUps: FollowUps = {
    ...(upload === 'own-bucket' && starts > 0 ? { erase: unheard > runs ? { ...erase, strays: 'due' } : erase } : {}),
    ...notification(record, 'ended'),
  };
  return Object.keys(followUps).length === 0 ? null : followUps;
}

type Ended = Pick<
  JournalRecord,
  'id' | 'region' | 'action' | 'upload' | 'generation' | 'starts' | 'unheard' | 'webhook'
>;

export class Outbox {
  readonly #redis: RedisClient;
  readonly #names: Names;
  readonly #eraseQueue: EraseQueue;
  readonly #notifyQueue: NotifyQueue;

  constructor(redis: RedisClient, names: Names, eraseQueue: EraseQueue, notifyQueue: NotifyQueue) {
    this.#redis = redis;
    this.#names = names;
    this.#eraseQueue = eraseQueue;
    this.#notifyQueue = notifyQueue;
  }

  /** @param field the verification's id, or one of `fieldOf`. */
  async deliver(field: string, followUps: FollowUps): Promise<void> {
    const { erase, forget, notify } = followUps;
    if (erase !== undefined) {
      const jobId = `erase-${erase.id}-${erase.generations}`;
      await this.#eraseQueue.add('erase', erase, { ...jobOptions.erase, jobId });
    }
    if (forget !== undefined) {
      const { delayMs: delay = 0, ...data } = forget;
      await this.#eraseQueue.add('forget', data, { ...jobOptions.erase, delay, jobId: `forget-${forget.id}` });
    }
    if (notify !== undefined) {
      await this.#notifyQueue.add(notify.event, notify, { ...jobOptions.notify, jobId: notificationId(notify) });
    }
    await this.#redis.hdel(this.#names.outbox, field);
  }

  /** Of something that is told before the end; nothing where nobody wants to be told. */
  async tell(notify: NotifyJob | undefined): Promise<void> {
    if (notify !== undefined) await this.deliver(fieldOf(notify), { notify });
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
