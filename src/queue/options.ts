/** How jobs are added. BullMQ never decides an end: one attempt each, since attempts and back-off are the journal's. */
import type { JobsOptions } from 'bullmq';
import type { Lane, Mode, UploadWay } from '../domain/verification.ts';

/** Served in this order. 0, which BullMQ serves before all others, is kept for work that resumes. */
const PRIORITY: Readonly<Record<Lane, number>> = { interactive: 1, batch: 10 };
export const RESUME_PRIORITY = 0;

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
