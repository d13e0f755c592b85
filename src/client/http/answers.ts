/**
 * Converts the API's JSON to the types that the Redis client returns: optional fields that the API sends as null are left out.
 */
import type { HistoryEntry } from '../../domain/verification/history.ts';
import type { State } from '../../domain/verification/states.ts';
import type { AnswerWithHistory, VerificationAnswer } from '../../domain/verification/view.ts';
import type { Enqueued, EnqueueResult } from '../contract.ts';
import { type ApiProblem, apiFailure } from './failures.ts';

/** A verification as `src/server/api/schemas.ts` describes it, without the fields that newer servers may add. */
export type ApiVerification = VerificationAnswer & { readonly enqueued?: 'new' | 'same' };

export type ApiVerificationWithHistory = ApiVerification & { readonly history: readonly ApiHistoryEntry[] };

export interface ApiHistoryEntry {
  readonly at: string;
  readonly billed: boolean;
  readonly [field: string]: unknown;
}

/** The result of one verification in a batch. */
export interface ApiEnqueueResult {
  readonly status: 'new' | 'same' | 'refused';
  readonly key: string;
  readonly id: string | null;
  readonly state: State | null;
  readonly problem: ApiProblem | null;
}

export function toAnswer({ enqueued: _enqueued, ...answer }: ApiVerification): VerificationAnswer {
  if (answer.reason === null) return answer;
  const { waitedFor, ...reason } = withoutNulls(answer.reason);
  return {
    ...answer,
    reason: { ...reason, ...(waitedFor === undefined ? {} : { waitedFor: withoutNulls(waitedFor) }) },
  };
}

export function toAnswerWithHistory({ history, ...answer }: ApiVerificationWithHistory): AnswerWithHistory {
  return { ...toAnswer(answer), history: history.map(toHistoryEntry) };
}

export function toHistoryEntry({ at, billed, possiblyBilled, ...rest }: ApiHistoryEntry): HistoryEntry {
  const cost = { ...(billed ? { billed } : {}), ...(possiblyBilled ? { possiblyBilled } : {}) };
  return { ...withoutNulls(rest), at: Date.parse(at), ...cost } as HistoryEntry;
}

export function toEnqueued({ id, key, state, enqueued = 'new' }: ApiVerification): Enqueued {
  return { id, key, state, status: enqueued };
}

export function toEnqueueResult(result: ApiEnqueueResult | undefined): EnqueueResult {
  if (result === undefined) throw new Error('the API returned fewer results than there were verifications');
  const { status, key, id, state, problem } = result;
  if (status !== 'refused' && id !== null && state !== null) return { id, key, status, state };
  if (problem === null) throw new Error('the API refused a verification without a problem');
  return { key, status: 'refused', error: apiFailure(problem) };
}

function withoutNulls<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)) as T;
}
