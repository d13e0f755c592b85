/** Handles an intent that an attempt left open when it died. */
import { CODES } from '../domain/errors/index.ts';
import type { HistoryEntry } from '../domain/verification/history.ts';
import { currentStage } from '../redis/progress.ts';
import type { JournalRecord } from '../redis/record.ts';
import { outcomePending } from './after-failure.ts';
import type { AttemptEnd, AttemptEnds } from './attempt-ends.ts';
import type { AttemptTools } from './attempt-tools.ts';
import type { Lease } from './lease.ts';
import { callName } from './payment.ts';

/**
 * Before the intent's deadline, requeues the verification. After the deadline, marks the outcome of the call as unknown.
 * @returns null if the attempt may go on
 */
export async function resolveOpenIntent(
  { journal, log, policy }: Pick<AttemptTools, 'journal' | 'log' | 'policy'>,
  lease: Lease,
  record: JournalRecord,
  ends: AttemptEnds,
): Promise<AttemptEnd | null> {
  const { openIntent, lane, outcomes } = record;
  if (openIntent === null) return null;
  const stage = currentStage(record);
  const entry: HistoryEntry = {
    at: Date.now(),
    event: 'unknown',
    stage,
    call: callName(openIntent.iid),
    code: CODES.OUTCOME_UNKNOWN,
  };
  const answer = await lease.guard(journal.markOutcomeUnknown(entry));
  const reason = outcomePending(stage);
  if (answer.kind === 'open') return ends.requeue({ stage, delayMs: answer.leftMs, reason });
  if (answer.kind === 'lost') return { kind: 'lost' };
  if (answer.kind !== 'unknown') return null;
  log.stage(stage, 'unknown', { code: CODES.OUTCOME_UNKNOWN });
  const isDecided = outcomes.detect !== undefined;
  return policy.unknownOutcome === 'review' && lane === 'batch' && !isDecided ? ends.holdForReview(reason) : null;
}
