/** The queue of notifications: what an endpoint is told of a verification. What is told is read from the journal when it is sent. */
import { Queue } from 'bullmq';
import type { RedisClient } from './connection.ts';
import { type Names, NOTIFY_QUEUE } from './names.ts';

/** `ended` is told as completed, failed or cancelled, which the script decides that ends it. */
export type Occasion = 'decided' | 'held' | 'ended' | 'erased' | 'test';

/** Ids and words of ours: a job is on dashboards. */
export interface NotifyJob {
  /** Of the verification. */
  readonly id: string;
  readonly event: Occasion;
  /** Name of the endpoint. */
  readonly to: string;
  /** Which time, of what may happen again. */
  readonly n?: number;
  /** When it was put back after it had been given up, ms since 1970. */
  readonly again?: number;
}

export type NotifyQueue = Queue<NotifyJob>;

/** A follow-up, where the verification names an endpoint; else nothing. */
export function notification(
  { id, webhook }: { readonly id: string; readonly webhook: string | null },
  event: Occasion,
  n?: number,
): { readonly notify?: NotifyJob } {
  if (webhook === null) return {};
  return { notify: { id, event, to: webhook, ...(n === undefined ? {} : { n }) } };
}

/** Of the job, and `webhook-id`: whoever is told twice knows it again. */
export function notificationId({ id, event, n }: NotifyJob): string {
  return `notify-${id}-${event}${n === undefined ? '' : `-${n}`}`;
}

export function openNotifyQueue(redis: RedisClient, names: Names): NotifyQueue {
  const queue = new Queue<NotifyJob>(NOTIFY_QUEUE, {
    connection: redis,
    prefix: names.prefix,
    skipVersionCheck: true,
  });
  // Errors come back from the calls themselves; an emitter without a listener would end the process.
  queue.on('error', () => undefined);
  return queue;
}
