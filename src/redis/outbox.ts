/**
 * The outbox: the follow-ups that must still happen after a verification has ended, was decided or was held. The script that
 * ends, decides or holds the verification writes the outbox entry in the same step. Then the follow-ups are added as jobs, whose
 * ids are derived from the verification, and the entry is removed. If a process dies in between, a later run or the sweeper adds
 * the jobs again. So each job is added at least once, always under the same id.
 *
 * The entry of an end is in the field `<id>`, or `<id>:retry-<n>` after a retry. The entry of a notification before the end,
 * or of an erasure, is in the field `<id>:<event>`.
 */
import type { Deployment } from './deployment.ts';
import { addEraseJob, type EraseJob, type EraseQueue, type ForgetJob } from './erase-queue.ts';
import { jobOptions } from './job-options.ts';
import { type NotifyJob, type NotifyQueue, notification, notificationId, occasionOf } from './notify-queue.ts';
import type { JournalRecord } from './record.ts';

export interface FollowUps {
  readonly erase?: EraseJob;
  readonly forget?: ForgetJob;
  readonly notify?: NotifyJob;
}

/** Follow-ups as the text that a script takes; '' if there are none. */
export function followUpsText(followUps: FollowUps | null): string {
  return followUps === null || Object.keys(followUps).length === 0 ? '' : JSON.stringify(followUps);
}

/** The script arguments for a notification that is sent before the end; both are '' if nobody is notified. */
export function outboxArgs(notify: NotifyJob | undefined): { outboxField: string; outboxEntry: string } {
  if (notify === undefined) return { outboxField: '', outboxEntry: '' };
  return { outboxField: outboxField(notify), outboxEntry: followUpsText({ notify }) };
}

/** The outbox field for the entry of a notification that is sent before the end. */
export function outboxField(notify: NotifyJob): string {
  return `${notify.id}:${occasionOf(notify)}`;
}

/** The outbox field that holds the entry of an end. It equals `endField` of finish.lua. */
export function endField({ id, retries }: Pick<JournalRecord, 'id' | 'retries'>): string {
  return retries === 0 ? id : `${id}:retry-${retries}`;
}

/** The outbox field that holds the entry of an erasure. It differs from the field of the end, whose entry may still exist. */
export function erasureField(id: string): string {
  return `${id}:erased`;
}

/**
 * Sums up a record's runs as text. A script builds the same text from the journal: if the two differ, the follow-ups that were
 * derived from the record are out of date.
 */
export function runsOf({
  starts,
  unreportedRuns,
  generation,
}: Pick<JournalRecord, 'starts' | 'unreportedRuns' | 'generation'>): string {
  return `${starts} ${starts - unreportedRuns} ${generation}`;
}

type Ended = Pick<
  JournalRecord,
  'id' | 'region' | 'action' | 'upload' | 'generation' | 'starts' | 'unreportedRuns' | 'webhook' | 'retries' | 'tenant'
>;

/**
 * The follow-ups of an end: notify the endpoint and, if any run has ever begun, delete the objects of all generations in the
 * company's own bucket.
 * @param keepsEvidence whether evidence is to be copied.
 * @param endedBy who ends the verification. `run`: an attempt, which then does not count as a run that may still be going on.
 */
export function followUpsOf(record: Ended, endedBy: 'run' | 'outside', keepsEvidence = false): FollowUps | null {
  const { id, region, action, upload, generation, starts, unreportedRuns, tenant } = record;
  const erase: EraseJob = { id, region, action, generations: generation + 1, ...(tenant === null ? {} : { tenant }) };
  const otherRuns = unreportedRuns - (endedBy === 'run' ? 1 : 0);
  const deletes = upload === 'own-bucket' && starts > 0;
  const evidence = keepsEvidence ? ({ evidence: deletes ? 'first' : 'only' } as const) : {};
  const secondPass = deletes && otherRuns > 0 ? ({ secondPass: 'required' } as const) : {};
  const followUps: FollowUps = {
    ...(deletes || keepsEvidence ? { erase: { ...erase, ...secondPass, ...evidence } } : {}),
    ...notification(record, 'ended'),
  };
  return Object.keys(followUps).length === 0 ? null : followUps;
}

/**
 * What follows an end by an attempt. An ordinary deletion is taken in batches and needs no job, see deletions.ts. One with a second
 * pass or with evidence stays among the follow-ups.
 */
export function promisesOf(
  record: Ended,
  keepsEvidence = false,
): { readonly deletion: EraseJob | null; readonly followUps: FollowUps | null } {
  const followUps = followUpsOf(record, 'run', keepsEvidence);
  const { erase, ...others } = followUps ?? {};
  if (erase === undefined || erase.secondPass !== undefined || erase.evidence !== undefined)
    return { deletion: null, followUps };
  return { deletion: erase, followUps: Object.keys(others).length === 0 ? null : others };
}

export class Outbox {
  readonly #deployment: Deployment;
  readonly #eraseQueue: EraseQueue;
  readonly #notifyQueue: NotifyQueue;

  constructor(deployment: Deployment, eraseQueue: EraseQueue, notifyQueue: NotifyQueue) {
    this.#deployment = deployment;
    this.#eraseQueue = eraseQueue;
    this.#notifyQueue = notifyQueue;
  }

  /** @param field an `endField`, an `outboxField` or an `erasureField`. */
  async deliver(field: string, followUps: FollowUps): Promise<void> {
    const { erase, forget, notify } = followUps;
    const added: Promise<unknown>[] = [];
    if (erase !== undefined) {
      added.push(addEraseJob(this.#eraseQueue, erase));
    }
    if (forget !== undefined) {
      const { delayMs: delay = 0, ...data } = forget;
      const options = { ...jobOptions.erase, delay, jobId: `forget-${forget.id}` };
      added.push(this.#eraseQueue.add('forget', data, options));
    }
    if (notify !== undefined) {
      const options = { ...jobOptions.notify, jobId: notificationId(notify) };
      added.push(this.#notifyQueue.add(notify.event, notify, options));
    }
    await Promise.all(added);
    const { redis, names } = this.#deployment;
    await redis.hdel(names.outbox, field);
  }

  /** Delivers a notification that is sent before the end. Does nothing if nobody is notified. */
  async deliverNotification(notify: NotifyJob | undefined): Promise<void> {
    if (notify !== undefined) await this.deliver(outboxField(notify), { notify });
  }

  /** Delivers the entry of an end, if the entry still exists. */
  async deliverOf(record: Pick<JournalRecord, 'id' | 'retries'>): Promise<void> {
    const { redis, names } = this.#deployment;
    const field = endField(record);
    const entry = await redis.hget(names.outbox, field);
    if (entry !== null) await this.deliver(field, JSON.parse(entry) as FollowUps);
  }

  /** Delivers every entry. May run concurrently in several processes. @returns how many entries there were. */
  async deliverAll(): Promise<number> {
    const { redis, names } = this.#deployment;
    let cursor = '0';
    let count = 0;
    do {
      const [next, flat] = await redis.hscan(names.outbox, cursor, 'COUNT', 100);
      cursor = next;
      for (let i = 0; i + 1 < flat.length; i += 2) {
        await this.deliver(flat[i] ?? '', JSON.parse(flat[i + 1] ?? '{}') as FollowUps);
        count += 1;
      }
    } while (cursor !== '0');
    return count;
  }
}
