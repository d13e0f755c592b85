/**
 * What a worker says: one line a stage change. Ids, stages, codes, times and RequestIds; never a link, a path, a key or a
 * message that came from outside.
 */
import type { Logger } from 'pino';
import { type ErrorClass, nameOf } from '../domain/errors/index.ts';
import type { Failure } from '../domain/failure.ts';
import type { DetectOutcome } from '../domain/outcomes.ts';
import type { Move } from '../domain/policy.ts';
import type { StageName, State } from '../domain/states.ts';
import type { Reason } from '../queue/record.ts';

export type StageEvent = 'start' | 'done' | 'unknown' | 'reused';

export class RunLog {
  readonly #log: Logger;

  constructor(log: Logger, id: string) {
    this.#log = log.child({ id });
  }

  stage(stage: StageName, event: StageEvent, facts: { ms?: number; code?: string }): void {
    const ms = facts.ms === undefined ? {} : { ms: Math.round(facts.ms) };
    this.#log[event === 'start' ? 'debug' : 'info']({ stage, event, ...facts, ...ms }, `${stage} ${event}`);
  }

  decided(outcome: DetectOutcome): void {
    const { decision, similarity, result, requestId, billed } = outcome;
    this.#log.info(
      { stage: 'detect', event: 'decided', decision, similarity, result, requestId, billed },
      `decided: ${decision}`,
    );
  }

  trouble(stage: StageName, failure: Failure, kind: ErrorClass, move: Move): void {
    const { requestId, httpStatus, field } = failure;
    const code = nameOf(failure);
    const next = move.to === 'fail' || move.to === 'hold' ? {} : { inMs: move.delayMs };
    const facts = { stage, event: 'trouble', code, class: kind, requestId, httpStatus, field, move: move.to, ...next };
    const cause = code === 'INTERNAL' ? { stack: stackOf(failure.cause) } : {};
    this.#log.warn({ ...facts, ...cause }, `${stage}: ${code}, ${move.to}`);
  }

  held(reason: Reason): void {
    this.#log.warn({ event: 'held', stage: reason.stage, code: reason.code }, `held for a person: ${reason.code}`);
  }

  /** What became of the gate: said by whoever changed it, and by nobody else. */
  gate(change: 'tripped' | 'probed' | 'opened', code: string | null): void {
    const words = { tripped: 'closed', probed: 'still closed', opened: 'open again' }[change];
    this.#log[change === 'opened' ? 'info' : 'warn'](
      { event: 'gate', change, code },
      `gate ${words}${code === null ? '' : `: ${code}`}`,
    );
  }

  ended(state: State, outcome: DetectOutcome | null, reason: Reason | null): void {
    const facts = { event: 'ended', state, decision: outcome?.decision ?? null, code: reason?.code ?? null };
    this.#log.info(
      facts,
      `${state}${outcome === null ? '' : `: ${outcome.decision}`}${reason === null ? '' : ` (${reason.code})`}`,
    );
  }
}

/** Where a bug of ours is; its message may hold anything and stays out. */
export function stackOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  return cause.stack?.split('\n').slice(1, 4).join(' ').trim();
}
