import type { HistoryEntry } from '../../domain/verification/history.ts';
import type { StageName } from '../../domain/verification/states.ts';
import type { Deployment } from '../deployment.ts';
import { type Passed, passedArgs } from './ask-breakers.ts';
import { type AttemptRef, fencedKeys, type WriteAnswer } from './attempt-ref.ts';
import { runWithEntry } from './run-with-entry.ts';

export interface StageCommit {
  readonly stage: StageName;
  readonly generation: number;
  readonly outcome: unknown;
  readonly entry: HistoryEntry;
  /** Default: none. */
  readonly passed?: Passed | undefined;
}

export async function commitStage(
  deployment: Deployment,
  attempt: AttemptRef,
  { stage, generation, outcome, entry, passed }: StageCommit,
): Promise<WriteAnswer> {
  const { names, sealer } = deployment;
  const { id, region, token, ats } = attempt;
  const field = `s:${stage}`;
  const keys = { ...fencedKeys(deployment, attempt), breakers: names.breakers(region) };
  const reply = await runWithEntry({ deployment, id, entry }, 'commit-stage', keys, {
    token,
    ats,
    generation,
    id,
    field,
    outcome: sealer.seal(id, field, JSON.stringify(outcome)),
    ...passedArgs(passed),
  });
  return reply as WriteAnswer;
}
