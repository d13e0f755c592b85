/** How jobs are added. BullMQ never decides an end: one attempt each, since attempts and back-off are the journal's. */
import type { JobsOptions } from 'bullmq';
import type { Lane, Mode, UploadWay } from '../domain/verification.ts';

/** Served in this order. 0, which BullMQ serves before all others, is kept for work that resumes. */
const PRIORITY: Readonly<Record<Lane, number>> = { interactive: 1, batch: 10 };
export const RESUME_PRIORITY = 0;

/** Of all that is served before a new one of this lane. */
export function prioritiesBefore(lane: Lane): number[] {
  return [RESUME_PRIORITY, ...Object.values(PRIORITY).filter((priority) => priority <= PRIORITY[lane])];
}

/** A record outlives the job; this long after its end, by default, it is redacted to a tombstone. */
export const RECORD_TTL_MS = 30 * 24 * 3_600_000;
/**
 * Redis itself lets a record go this long after it should have been redacted: the net for a deployment without erase worker. Its
 * key is unknown then, and not gone.
 */
const EXPIRY_MARGIN_MS = 7 * 24 * 3_600_000;

export function expiryOf(recordTtlMs: number): number {
  return recordTtlMs + EXPIRY_MARGIN_MS;
}

/** Tombstones and receipts: for so long an erased or redacted key is answered as gone, and never paid for again. */
export const KEYS_KEPT_MS = 365 * 24 * 3_600_000;

const DAY_S = 24 * 3600;

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
/** Between the tries of a notification: 13 tries over 3 days, each wait a fifth shorter or longer by chance. */
export const NOTIFY_WAITS_MS: readonly number[] = [
  ...[5 * SECOND, 30 * SECOND, 120 * SECOND, 600 * SECOND, 1_800 * SECOND],
  ...[1 * HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 12 * HOUR, 20 * HOUR, 24 * HOUR],
];
/** Also of one whose endpoint rested all the time, and that was hardly tried. */
export const NOTIFY_FOR_MS = 3 * 24 * HOUR;

/** The journal outlives the job; the job is kept a while for the dashboard. Said by the worker: once, not in every job. */
export const VERIFY_JOBS_KEPT = {
  removeOnComplete: { age: DAY_S, count: 5_000 },
  removeOnFail: { age: 7 * DAY_S, count: 5_000 },
};

export const jobOptions = {
  verify: (lane: Lane): JobsOptions => ({ priority: PRIORITY[lane], attempts: 1 }),
  erase: {
    attempts: 2_000,
    backoff: { type: 'capped' },
    removeOnComplete: true,
    removeOnFail: { age: 30 * DAY_S },
    stackTraceLimit: 0,
  } satisfies JobsOptions,
  notify: {
    attempts: NOTIFY_WAITS_MS.length + 1,
    backoff: { type: 'capped' },
    removeOnComplete: { age: 3_600, count: 1_000 },
    removeOnFail: { age: 30 * DAY_S },
    stackTraceLimit: 0,
  } satisfies JobsOptions,
};

/**
 * What a dashboard may show; everything else is in the journal. The job's name is its action. Short on purpose: with no value
 * over 64 bytes Redis packs the job's hash, and it takes half the memory.
 */
export interface VerifyJob {
  readonly way: UploadWay;
  readonly lane: Lane;
  readonly mode: Mode;
}
