/**
 * Retries of ended verifications, after an outage is over or a fault is fixed. A failed verification runs again under its own id;
 * a completed verification whose frame was lost downloads the frame again. The limit of paid calls holds over all retries.
 */
import { ERROR_CLASSES } from '../errors/entry.ts';
import type { Region } from '../verification/regions.ts';
import type { Lane } from '../verification/request.ts';

/** Every retry runs in this lane, because nobody waits in front of a camera for a retry. */
export const RETRY_LANE: Lane = 'batch';

/** What a retry does with a verification, or why it does nothing. */
export const RETRY_STATUSES = {
  run: 'runs again from upload',
  frame: 'its frame is fetched again, without a call',
  missing: 'there is no such verification',
  erased: 'it was erased',
  legal_hold: 'it is under a legal hold',
  not_ended: 'it has not ended',
  cancelled: 'its caller cancelled it',
  answered: 'it has an answer, and no lost frame',
  ending: 'its last run is only just over: try again in a few seconds',
  sources_gone: 'its sources are no longer kept: enqueue it under a new key',
  file_unreadable: 'a file of its sources is gone or cannot be read: restore it, or enqueue it under a new key',
  link_expired: 'the link to its frame is no longer kept or has expired; its decision stands',
  payments_used: 'as many calls as allowed were or may have been paid: enqueue it under a new key to pay again',
} as const;
export type RetryStatus = keyof typeof RETRY_STATUSES;

/** Selects ended verifications: by id, or by the time and the reason of their end. */
export interface RetrySelection {
  /** Selects exactly these ids. The other filters are then ignored. */
  readonly ids?: readonly string[] | undefined;
  /** Error class of the reason. @example 'transient' */
  readonly class?: string | undefined;
  /** Code of the reason. @example 'DEADLINE_EXCEEDED' */
  readonly code?: string | undefined;
  /** Only verifications that ended at this time or later, ISO 8601. */
  readonly since?: string | undefined;
  /** @default all */
  readonly region?: Region | undefined;
}

export interface RetryRequest extends RetrySelection {
  /** Who retries; stored in the history. */
  readonly by: string;
  /** Why, up to 256 characters; stored in the history. May be empty with `dryRun`. */
  readonly why: string;
  /**
   * If true, the retry reports what would happen and changes nothing.
   * @default false
   */
  readonly dryRun?: boolean | undefined;
}

export interface RetryResult {
  readonly id: string;
  /** Code of the reason for which the verification ended; null if there is none. */
  readonly code: string | null;
  /** With `dryRun`, what the retry would do. */
  readonly status: RetryStatus;
}

/** Whether the retry starts the verification again. */
export function isStarted({ status }: Pick<RetryResult, 'status'>): boolean {
  return status === 'run' || status === 'frame';
}

const MAX_WHY = 256;

/** @returns what is wrong with a request and in which field, or null. */
export function retryProblem({ why, dryRun = false, ...selection }: RetryRequest): RetryProblem | null {
  if (!dryRun && why.trim() === '') return { field: 'why', problem: 'why is missing: give the reason, which is kept' };
  if (why.length > MAX_WHY)
    return { field: 'why', problem: `why is longer than ${MAX_WHY} characters: give a shorter reason` };
  return selection.ids === undefined ? filterProblem(selection) : idsProblem(selection);
}

export interface RetryProblem {
  readonly field: string;
  readonly problem: string;
}

function idsProblem({ since, class: kind, code, region }: RetrySelection): RetryProblem | null {
  if ([since, kind, code, region].every((filter) => filter === undefined)) return null;
  return { field: 'ids', problem: 'ids cannot be combined with other filters: give one or the other' };
}

function filterProblem({ since, class: kind, code }: RetrySelection): RetryProblem | null {
  if (since === undefined) return { field: 'since', problem: 'since is missing: give a time, or ids' };
  if (!/^\d{4}-\d\d-\d\dT/.test(since) || Number.isNaN(Date.parse(since)))
    return { field: 'since', problem: 'since is not a time: write it as 2026-11-25T09:30:00Z' };
  if (kind === undefined && code === undefined)
    return { field: 'class', problem: 'class is missing: give an error class, a code, or ids' };
  if (kind !== undefined && !ERROR_CLASSES.some((each) => each === kind))
    return { field: 'class', problem: `class is not known: use one of ${ERROR_CLASSES.join(', ')}` };
  return null;
}
