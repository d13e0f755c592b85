/**
 * The second opinion of an attempt. It is asked for only after a decision that accepts the person, because it can change nothing else,
 * and only until the deadline of the verification.
 */
import { Failure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import { OPINION_CALL, type PaidCall } from '../domain/verification/actions.ts';
import type { OpinionOutcome } from '../domain/verification/outcomes.ts';
import { isAccepted, type StageName } from '../domain/verification/states.ts';
import type { JournalRecord } from '../redis/record.ts';
import type { AttemptTools } from './attempt-tools.ts';
import { commit } from './commit-outcomes.ts';
import type { Lease } from './lease.ts';

/** Whether the caller still waits for a second opinion. */
export function owesOpinion({ secondOpinion, outcomes }: Pick<JournalRecord, 'secondOpinion' | 'outcomes'>): boolean {
  const { detect, opinion } = outcomes;
  return secondOpinion && opinion === undefined && detect !== undefined && isAccepted(detect.decision);
}

/** The paid call of a stage. */
export function paidCallOf({ action }: Pick<JournalRecord, 'action'>, stage: StageName): PaidCall {
  return stage === 'opinion' ? OPINION_CALL : action;
}

type Tools = Pick<AttemptTools, 'journal' | 'breakers' | 'log'>;

/**
 * Downloads the frame. The download goes on after the deadline of the verification, but the caller does not wait longer for the second
 * opinion: at the deadline, it is given up.
 * @param signal aborted at the deadline, with a Failure that says so.
 */
export async function downloadUntilDeadline<T>(
  tools: Tools,
  lease: Lease,
  { record, signal }: { readonly record: JournalRecord; readonly signal: AbortSignal },
  download: () => Promise<T>,
): Promise<T> {
  let givingUp = Promise.resolve();
  const onAbort = () => {
    const isOver = signal.reason instanceof Failure && signal.reason.code === CODES.DEADLINE_EXCEEDED;
    if (isOver && owesOpinion(record)) givingUp = giveUp(tools, lease, record);
    givingUp.catch(() => undefined); // it is awaited below
  };
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await download();
  } finally {
    signal.removeEventListener('abort', onAbort);
    await givingUp;
  }
}

async function giveUp(tools: Tools, lease: Lease, record: JournalRecord): Promise<void> {
  const outcome: OpinionOutcome = { failed: { code: CODES.DEADLINE_EXCEEDED, unclear: false } };
  const entry = { at: Date.now(), event: 'ended', stage: 'opinion', code: CODES.DEADLINE_EXCEEDED } as const;
  await commit(tools, lease, record, { stage: 'opinion', outcome, entry });
  record.outcomes.opinion = outcome;
  tools.log.opinion(outcome);
}
