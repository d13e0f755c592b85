/**
 * Acts of an operator on many verifications. A plan is a dry run: it holds the ids and what the act would do with each. A run carries
 * out a plan.
 */
import type { HistoryEntry } from '../verification/history.ts';
import type { Act } from './audit.ts';

export const BULK_ACTS = ['retry', 'rewind', 'resume', 'recapture', 'fail', 'cancel', 'erase'] as const;
export type BulkAct = (typeof BULK_ACTS)[number];

/** How each act is named in the audit log. */
export const AUDITED_AS: Readonly<Record<BulkAct, Act>> = {
  ...{ retry: 'retry', cancel: 'cancel', erase: 'erase' },
  ...{ rewind: 'held.resolve', resume: 'held.resolve', recapture: 'held.resolve', fail: 'held.resolve' },
};

/** Most verifications of a plan. */
export const MAX_BULK = 10_000;

export interface BulkPlan {
  readonly id: string;
  readonly act: BulkAct;
  /** Only this operator may start, stop or continue the run. */
  readonly operator: string;
  /** The run touches only this tenant's verifications. Null: those of all. */
  readonly tenant: string | null;
  /** The filter in words. */
  readonly filter: string;
  /** Whether more verifications match than a plan may contain. */
  readonly cut: boolean;
  /** Ids on which the act will be carried out. */
  readonly ids: readonly string[];
  /** How many were selected, by what the act would do with them. */
  readonly outlook: Readonly<Record<string, number>>;
  /** How many of `ids` may lead to another paid call although an earlier call was, or may have been, paid. */
  readonly paidBefore: number;
  /** Whether the act leads to paid calls. */
  readonly pays: boolean;
  /** Price of all calls, as text; null without prices. */
  readonly cost: string | null;
}

/** What the operator confirmed. */
export interface BulkOrder {
  readonly why: string;
  readonly perSecond: number;
  readonly payAgain: boolean;
  /** ISO 8601. */
  readonly startedAt: string;
}

export interface BulkProgress {
  /** How many ids of the plan are done, in their order. */
  readonly done: number;
  /** How many had each result. */
  readonly results: Readonly<Record<string, number>>;
  /** The first verifications on which nothing was done, with the result. */
  readonly refused: readonly { readonly id: string; readonly status: string }[];
}

/** `interrupted`: the process that ran it has ended. A run that was interrupted or stopped can be continued. */
export type BulkState = 'running' | 'interrupted' | 'stopped' | 'done';

export interface BulkRun extends BulkOrder, BulkProgress {
  readonly state: BulkState;
}

export const NO_PROGRESS: BulkProgress = { done: 0, results: {}, refused: [] };
const MAX_REFUSED = 20;

export function addResult({ done, results, refused }: BulkProgress, id: string, status: string): BulkProgress {
  return {
    done: done + 1,
    results: { ...results, [status]: (results[status] ?? 0) + 1 },
    refused: isDoable(status) || refused.length >= MAX_REFUSED ? refused : [...refused, { id, status }],
  };
}

/** Whether a status says that the act is, or would be, carried out. */
export function isDoable(status: string): boolean {
  return status === 'ok' || status === 'run' || status === 'frame';
}

/**
 * Whether a run has changed this verification. Its process may have ended between the act and the note of its progress. Repeating a
 * cancellation or an erasure changes nothing, but a second retry could be paid.
 */
export function isInHistory(
  history: readonly HistoryEntry[],
  operator: string,
  { why, startedAt }: BulkOrder,
): boolean {
  return history.some(
    (entry) =>
      (entry.event === 'retried' || entry.event === 'resolved') &&
      entry.by === operator &&
      entry.why === why &&
      entry.at >= Date.parse(startedAt),
  );
}
