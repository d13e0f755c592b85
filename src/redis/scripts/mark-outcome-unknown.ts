import type { HistoryEntry } from '../../domain/verification/history.ts';
import type { Deployment } from '../deployment.ts';
import { type AttemptRef, fencedKeys } from './attempt-ref.ts';
import { runWithEntry } from './run-with-entry.ts';

/** `open`: the intent may be marked only after its deadline, which is `leftMs` away. */
export type UnknownAnswer =
  | { readonly kind: 'open'; readonly leftMs: number }
  | { readonly kind: 'unknown' | 'none' | 'lost' | 'ended' };

export async function markOutcomeUnknown(
  deployment: Deployment,
  attempt: AttemptRef,
  entry: HistoryEntry,
): Promise<UnknownAnswer> {
  const { names } = deployment;
  const { id, token, ats } = attempt;
  const reply = await runWithEntry(
    { deployment, id, entry },
    'mark-outcome-unknown',
    { ...fencedKeys(deployment, attempt), counters: names.counters },
    { token, ats },
  );
  const [kind, leftMs] = reply as [UnknownAnswer['kind'], number];
  return kind === 'open' ? { kind, leftMs } : { kind };
}
