import type { Charge } from '../../domain/operations/costs.ts';
import type { HistoryEntry } from '../../domain/verification/history.ts';
import type { DetectOutcome } from '../../domain/verification/outcomes.ts';
import type { Deployment } from '../deployment.ts';
import type { NotifyJob } from '../notify-queue.ts';
import { outboxArgs } from '../outbox.ts';
import type { Reason } from '../record.ts';
import { type AttemptRef, fencedKeys, type WriteAnswer } from './attempt-ref.ts';
import { runWithEntry } from './run-with-entry.ts';

export interface FoundDecision {
  readonly generation: number;
  readonly decided: DetectOutcome;
  /** When the decision was made, ms since 1970. */
  readonly decidedAt: number;
  readonly reason: Reason | null;
  /** Price of the call on the day of the decision, because the receipt does not contain it. */
  readonly charge: Charge;
  readonly entry: HistoryEntry;
  readonly notify?: NotifyJob | undefined;
}

/** @returns `refused` if the record has a different decision. */
export async function adoptDecision(
  deployment: Deployment,
  attempt: AttemptRef,
  { generation, decided, decidedAt, reason, charge, entry, notify }: FoundDecision,
): Promise<WriteAnswer | 'refused'> {
  const { names, sealer } = deployment;
  const { id, region, action, token, ats } = attempt;
  const reply = await runWithEntry(
    { deployment, id, entry },
    'adopt-decision',
    {
      ...fencedKeys(deployment, attempt),
      outbox: names.outbox,
      costsDay: names.costs(charge.day),
      costsMonth: names.costs(charge.month),
    },
    {
      token,
      ats,
      generation,
      outcome: sealer.seal(id, 's:detect', JSON.stringify(decided)),
      decision: decided.decision,
      similarity: decided.similarity ?? '',
      decidedAt,
      billed: decided.billed ? 1 : 0,
      reason: reason === null ? '' : JSON.stringify(reason),
      ...outboxArgs(notify),
      place: `${region}|${action}`,
      currency: charge.currency,
      micros: charge.micros,
    },
  );
  return reply as WriteAnswer | 'refused';
}
