/** What can be counted of a deployment at one moment: for a scrape, an alert, or whoever asks. Ids, keys and links are not in it. */
import type { Region } from './actions.ts';
import type { GateView } from './gates.ts';

/** Counts since the deployment began, in Redis. */
export const COUNTERS = [
  /** Paid calls whose answer never came: each may have been paid for beside the call that repeated it. */
  'unknownOutcomes',
  /** Answers that came after another one, a rewind or the end: in the history only. */
  'lateOutcomes',
  /** Answers whose verification was erased or is expired. */
  'orphanOutcomes',
  /** Failures whose code is in no table. */
  'unknownCodes',
  'gateClosed',
  'gateOpened',
] as const;
export type Counter = (typeof COUNTERS)[number];

export interface QueueCounts {
  readonly region: Region;
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
}

export interface Metrics {
  readonly gates: readonly GateView[];
  readonly queues: readonly QueueCounts[];
  readonly counters: Readonly<Record<Counter, number>>;
  /** Not ended, held ones included. */
  readonly live: number;
  readonly held: number;
  /** Of those that are neither ended nor held; null where there is none. Looked for among the 1,000 oldest. */
  readonly oldestMs: number | null;
  /** Ended verifications whose follow-ups are not handed on yet. */
  readonly outbox: number;
  /** Deletions in the own bucket that are not confirmed yet, or wait for their second look. */
  readonly toErase: number;
  /** Notifications that no endpoint has heard yet. */
  readonly toNotify: number;
  /** Those that were given up. */
  readonly deadNotifications: number;
}
