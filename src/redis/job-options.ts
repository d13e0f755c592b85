/**
 * Options of BullMQ jobs. A verify job has one BullMQ attempt: Bestframe itself counts attempts, in the journal, and decides what
 * follows.
 */
import type { JobsOptions } from 'bullmq';
import type { Mode } from '../domain/verification/mode.ts';
import type { Lane, UploadWay } from '../domain/verification/request.ts';

/** BullMQ serves priority 0 before everything else, so 0 is reserved for work that resumes. */
export const RESUME_PRIORITY = 0;
/**
 * BullMQ's highest priority is 2 097 152. Of a lane's turns, those after the last one share its priority, and are served in the
 * order in which they were queued.
 */
export const LAST_TURN = 1_000_000;

/** Priority of a job that has not begun: lower numbers are served first. @param turn see includes/turn.lua */
export function priorityOf(lane: Lane, turn: number): number {
  const inLane = Math.min(Math.max(1, Math.ceil(turn)), LAST_TURN);
  return lane === 'interactive' ? inLane : LAST_TURN + inLane;
}

/** In BullMQ's sorted set, a waiting job has the score priority × 2^32 + a counter. */
const SCORES_PER_PRIORITY = 2 ** 32;

/** The score that every job of a priority is below. */
export function endOfPriority(priority: number): number {
  return (priority + 1) * SCORES_PER_PRIORITY;
}

/** Scores of the waiting jobs of a lane. `end` is not included. */
export function laneScores(lane: Lane): { readonly from: number; readonly end: number } {
  return { from: priorityOf(lane, 1) * SCORES_PER_PRIORITY, end: endOfPriority(priorityOf(lane, LAST_TURN)) };
}

/** Default time between a verification's end and the reduction of its record to a tombstone. The record outlives the job. */
export const RECORD_TTL_MS = 30 * 24 * 3_600_000;
/**
 * In a deployment without an erase worker, no record becomes a tombstone. As a safety net, Redis drops a record this long after
 * the record should have become a tombstone. Then nothing is left of the record, so a request with its key starts a new
 * verification.
 */
const EXPIRY_MARGIN_MS = 7 * 24 * 3_600_000;

export function recordExpiryMs(recordTtlMs: number): number {
  return recordTtlMs + EXPIRY_MARGIN_MS;
}

/**
 * Life of tombstones and receipts. During this time, a request with the key of an erased verification is refused with KEY_GONE,
 * so nothing is paid for it again.
 */
export const TOMBSTONE_TTL_MS = 365 * 24 * 3_600_000;

const DAY_S = 24 * 3600;

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
/** Waits between the 13 tries of a notification; together they take three days. Each wait varies by ±20 %. */
export const NOTIFY_BACKOFF_MS: readonly number[] = [
  ...[5 * SECOND, 30 * SECOND, 120 * SECOND, 600 * SECOND, 1_800 * SECOND],
  ...[1 * HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 12 * HOUR, 20 * HOUR, 24 * HOUR],
];
/** Age at which delivery is given up, even if few tries were made because the endpoint was resting. */
export const NOTIFY_MAX_AGE_MS = 3 * 24 * HOUR;

/** How long ended verify jobs are kept, for the dashboard. This is a worker option, so that it is not stored with every job. */
export const VERIFY_JOB_RETENTION = {
  removeOnComplete: { age: DAY_S, count: 5_000 },
  removeOnFail: { age: 7 * DAY_S, count: 5_000 },
};

export const jobOptions = {
  /**
   * Without `attempts`, which is 0 then, and with an id of 26 characters, the options are at most 64 bytes long: the most that
   * Redis keeps in a packed hash. Longer options would make a job take 600 more bytes of memory.
   */
  verify: (lane: Lane, turn: number) =>
    ({ priority: priorityOf(lane, turn), attempts: undefined }) as Pick<JobsOptions, 'priority'>,
  erase: {
    attempts: 2_000,
    backoff: { type: 'capped' },
    removeOnComplete: true,
    removeOnFail: { age: 30 * DAY_S },
    stackTraceLimit: 0,
  } satisfies JobsOptions,
  notify: {
    attempts: NOTIFY_BACKOFF_MS.length + 1,
    backoff: { type: 'capped' },
    removeOnComplete: { age: 3_600, count: 1_000 },
    removeOnFail: { age: 30 * DAY_S },
    stackTraceLimit: 0,
  } satisfies JobsOptions,
};

/**
 * Data of a verify job: only what a dashboard may show. The job's name is the action, and everything else is in the journal. The
 * data is short on purpose: if no value exceeds 64 bytes, Redis stores the job's hash as a listpack, which takes half the memory.
 */
export interface VerifyJob {
  readonly way: UploadWay;
  readonly lane: Lane;
  readonly mode: Mode;
}
