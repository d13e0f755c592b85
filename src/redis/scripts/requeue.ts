import { randomUUID } from 'node:crypto';
import type { HistoryEntry } from '../../domain/verification/history.ts';
import type { StageName } from '../../domain/verification/states.ts';
import type { Deployment } from '../deployment.ts';
import type { Reason } from '../record.ts';
import { type AttemptRef, fencedKeys, gateKeys, opinionOf, type WriteAnswer } from './attempt-ref.ts';
import { runWithEntry } from './run-with-entry.ts';

export interface RequeueStep {
  readonly generation: number;
  readonly delayMs: number;
  readonly stage: StageName;
  /** Whether this attempt counts against the stage's limit. */
  readonly countAttempt: boolean;
  /** Whether to start again from upload, in a new generation. */
  readonly rewind: boolean;
  /** Whether to forget the failed attempts so far, because an outage was the reason. Default: false. */
  readonly forgive?: boolean;
  readonly reason: Reason;
  readonly entry: HistoryEntry | null;
}

export async function requeue(deployment: Deployment, attempt: AttemptRef, step: RequeueStep): Promise<WriteAnswer> {
  const { id, token, ats } = attempt;
  const { admitted, gate } = gateKeys(deployment, step.stage === 'opinion' ? opinionOf(attempt) : attempt);
  const reply = await runWithEntry(
    { deployment, id, entry: step.entry },
    'requeue',
    { ...fencedKeys(deployment, attempt), admitted, gate },
    {
      token,
      ats,
      generation: step.generation,
      id,
      operationId: randomUUID(),
      delayMs: step.delayMs,
      stage: step.stage,
      countAttempt: step.countAttempt ? 1 : 0,
      rewind: step.rewind ? 1 : 0,
      forgive: step.forgive === true ? 1 : 0,
      reason: JSON.stringify(step.reason),
    },
  );
  return reply as WriteAnswer;
}
