import { randomUUID } from 'node:crypto';
import type { RetryStatus } from '../../domain/operations/retries.ts';
import type { HistoryEntry } from '../../domain/verification/history.ts';
import type { DetectOutcome } from '../../domain/verification/outcomes.ts';
import { DEFAULT_DEADLINE_MS, MAX_DEADLINE_MS, type Order } from '../../domain/verification/request.ts';
import type { Deployment } from '../deployment.ts';
import { decisionReason, type JournalRecord } from '../record.ts';
import { runWithEntry } from './run-with-entry.ts';

export interface RetryWrite {
  readonly entry: HistoryEntry;
  /** The plan that an earlier call without `write` returned. */
  readonly plan: Pick<RetryPlan, 'answer'>;
}

/** `sources` and `answer` are null unless the verification can be retried. `answer` leads to the frame that was lost. */
export interface RetryPlan {
  readonly status: RetryStatus;
  readonly sources: Pick<Order, 'resources' | 'frame' | 'liveness'> | null;
  readonly answer: DetectOutcome | null;
  /** The verification's place among the jobs that have not begun; 0 if it has none. See includes/turn.lua. */
  readonly turn: number;
}

/**
 * Plans a retry or, with `write`, carries it out. Both run the same checks in the same script.
 * @param expiryMs how long the record is kept after the end of the verification.
 * @throws Failure SEAL_KEY_MISSING
 */
export async function retryEnded(
  deployment: Deployment,
  { id, region, subject }: Pick<JournalRecord, 'id' | 'region' | 'subject'>,
  { expiryMs, write }: { expiryMs: number; write: RetryWrite | null },
): Promise<RetryPlan> {
  const { names, sealer } = deployment;
  const { live, ended, outbox, channel } = names;
  const journal = names.journal(id);
  const answered = write?.plan.answer ?? null;
  const reason = answered === null ? null : decisionReason(answered);
  const reply = await runWithEntry(
    { deployment, id, entry: write?.entry ?? null },
    'retry-ended',
    {
      journal,
      lock: names.job(region, id).lock,
      history: names.history(id),
      ...{ live, ended, outbox },
      kept: names.kept(id),
      turns: names.turns(region),
      waiting: names.waiting(region),
      // Without a subject, the journal's key takes the place of the index. A live journal never expires, so the script does not
      // extend it.
      subjectIndex: subject === null ? journal : names.subject(subject),
    },
    {
      id,
      channel,
      write: write === null ? 0 : 1,
      operationId: randomUUID(),
      lifeMs: DEFAULT_DEADLINE_MS.batch,
      reason: reason === null ? '' : JSON.stringify(reason),
      subjectLifeMs: MAX_DEADLINE_MS + expiryMs,
    },
  );
  const [status, sources, answer, turn] = reply as [RetryStatus, string, string, string];
  return {
    status,
    sources: sources === '' ? null : JSON.parse(sealer.open(id, 'src', sources)),
    answer: answer === '' ? null : JSON.parse(sealer.open(id, 's:detect', answer)),
    turn: Number(turn),
  };
}
