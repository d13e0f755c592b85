import type { HistoryEntry } from '../../domain/verification/history.ts';
import type { Deployment } from '../deployment.ts';
import type { NotifyJob } from '../notify-queue.ts';
import { outboxArgs } from '../outbox.ts';
import type { Reason } from '../record.ts';
import { type AttemptRef, fencedKeys, gateKeys, type WriteAnswer } from './attempt-ref.ts';
import { runWithEntry } from './run-with-entry.ts';

export interface HoldRequest {
  readonly generation: number;
  readonly reason: Reason;
  readonly holdMs: number;
  readonly entry: HistoryEntry;
  readonly notify?: NotifyJob | undefined;
}

export async function holdForReview(
  deployment: Deployment,
  attempt: AttemptRef,
  { generation, reason, holdMs, entry, notify }: HoldRequest,
): Promise<WriteAnswer> {
  const { names } = deployment;
  const { id, token, ats } = attempt;
  const { admitted, gate } = gateKeys(deployment, attempt);
  const reply = await runWithEntry(
    { deployment, id, entry },
    'hold-for-review',
    { ...fencedKeys(deployment, attempt), admitted, gate, held: names.held, outbox: names.outbox },
    {
      token,
      ats,
      generation,
      id,
      reason: JSON.stringify(reason),
      holdMs,
      channel: names.channel,
      ...outboxArgs(notify),
    },
  );
  return reply as WriteAnswer;
}
