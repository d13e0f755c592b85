/** The queue of webhook notifications. A notification's content is read from the journal when it is sent. */
import { Queue } from 'bullmq';
import { bullmqOptions, type Deployment } from './deployment.ts';
import { NOTIFY_QUEUE } from './names.ts';

/**
 * Receivers get `ended` as completed, failed or cancelled. The job cannot say which: the script that ends the verification
 * decides.
 */
export type NotifyEvent = 'decided' | 'held' | 'ended' | 'erased' | 'test';

/** Only ids and names, because a job's data is visible on dashboards. */
export interface NotifyJob {
  /** Id of the verification. */
  readonly id: string;
  readonly event: NotifyEvent;
  /** Tenant of the verification, which owns the endpoint. Absent: none. */
  readonly tenant?: string;
  /** Name of the endpoint. */
  readonly to: string;
  /** Counts the occurrences of an event that may happen more than once. */
  readonly occurrence?: number;
  /** Number of the retry to which the event belongs. Absent before the first retry. */
  readonly retry?: number;
  /** When an operator requeued the notification after it had been given up, ms since 1970. */
  readonly redeliveredAt?: number;
}

export type NotifyQueue = Queue<NotifyJob>;

/** The follow-up that notifies the verification's endpoint; empty if the verification names no endpoint. */
export function notification(
  {
    id,
    tenant = null,
    webhook,
    retries = 0,
  }: {
    readonly id: string;
    readonly tenant?: string | null;
    readonly webhook: string | null;
    readonly retries?: number;
  },
  event: NotifyEvent,
  occurrence?: number,
): { readonly notify?: NotifyJob } {
  if (webhook === null) return {};
  const retry = retries === 0 ? {} : { retry: retries };
  const owner = tenant === null ? {} : { tenant };
  return {
    notify: { id, event, ...owner, to: webhook, ...retry, ...(occurrence === undefined ? {} : { occurrence }) },
  };
}

/** The job's id. It is also the `webhook-id`, by which a receiver recognises a repeat. */
export function notificationId(job: NotifyJob): string {
  return `notify-${job.id}-${occasionOf(job)}`;
}

/** The event with its occurrence and its retry. After a retry, each event may happen again and counts as a new one. */
export function occasionOf({ event, occurrence, retry }: NotifyJob): string {
  return [
    ...(retry === undefined ? [] : [`retry-${retry}`]),
    event,
    ...(occurrence === undefined ? [] : [occurrence]),
  ].join('-');
}

export function openNotifyQueue(deployment: Deployment): NotifyQueue {
  const queue = new Queue<NotifyJob>(NOTIFY_QUEUE, {
    ...bullmqOptions(deployment),
    skipVersionCheck: true,
  });
  // Each call rejects with its own error. Without a listener, the emitted error would end the process.
  queue.on('error', () => undefined);
  return queue;
}
