/** How far a verification has come in its plan. */
import { planOf } from '../domain/verification/actions.ts';
import { FLOWS, isFlow, type ResultCall } from '../domain/verification/flows.ts';
import type { HistoryEntry } from '../domain/verification/history.ts';
import { isAccepted, type StageName } from '../domain/verification/states.ts';
import type { JournalRecord } from './record.ts';

/** The first stage without an outcome. */
export function currentStage(record: JournalRecord): StageName {
  return planOf(record).find((stage) => !isDone(record, stage)) ?? 'download';
}

/** Whether a stage has its outcome. A session has left `await` when it is being asked. */
export function isDone(
  { outcomes, isParked }: Pick<JournalRecord, 'outcomes' | 'isParked'>,
  stage: StageName,
): boolean {
  switch (stage) {
    case 'await':
      return outcomes.start !== undefined && !isParked;
    case 'collect':
      return outcomes.detect !== undefined;
    case 'opinion':
      return outcomes.opinion !== undefined || (outcomes.detect !== undefined && !isAccepted(outcomes.detect.decision));
    default:
      return outcomes[stage === 'read' ? 'upload' : stage] !== undefined;
  }
}

/** The call that asks for the result of a session with a token; null: another record, or no token yet. */
export function resultCallOf({ action, outcomes }: Pick<JournalRecord, 'action' | 'outcomes'>): ResultCall | null {
  return isFlow(action) && outcomes.start !== undefined ? FLOWS[action].resultCall : null;
}

/**
 * Attempts and total time of each stage, from the history. An entry with a duration ends an attempt. The entry of an unknown
 * outcome has no duration. If the entry of its late answer has a duration, the two count as one attempt.
 */
export function stageTimes(
  record: Pick<JournalRecord, 'action' | 'secondOpinion'>,
  history: readonly HistoryEntry[],
): { name: StageName; attempts: number; ms: number }[] {
  return planOf(record).map((name) => {
    const entries = history.filter(
      ({ stage, event, ms }) => stage === name && (ms !== undefined || event === 'unknown'),
    );
    const attempts = new Set(entries.map((entry) => entry.call ?? entry));
    return { name, attempts: attempts.size, ms: entries.reduce((sum, { ms = 0 }) => sum + ms, 0) };
  });
}
