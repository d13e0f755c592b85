/** What the API answers, as the client beside Redis would: what is null over the wire, and optional here, is left out. */
import type { HistoryEntry } from '../../domain/history.ts';
import type { AnswerWithHistory, VerificationAnswer } from '../../domain/view.ts';

/** As `src/api/schemas.ts` answers it; what comes later beside it is left out here. */
export type Wire = VerificationAnswer & { readonly enqueued?: 'new' | 'same' };

export interface WireEntry {
  readonly at: string;
  readonly billed: boolean;
  readonly [field: string]: unknown;
}

export function answerFrom({ enqueued: _said, ...answer }: Wire): VerificationAnswer {
  return { ...answer, reason: answer.reason === null ? null : present(answer.reason) };
}

export function answerWithHistory({ history, ...answer }: Wire & { history: readonly WireEntry[] }): AnswerWithHistory {
  return { ...answerFrom(answer), history: history.map(entryFrom) };
}

export function entryFrom({ at, billed, ...rest }: WireEntry): HistoryEntry {
  return { ...present(rest), at: Date.parse(at), ...(billed ? { billed } : {}) } as HistoryEntry;
}

function present<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null)) as T;
}
