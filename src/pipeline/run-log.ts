/**
 * Log lines of one verification: one line for each change of stage.
 *
 * What must hold: a line contains ids, stages, codes, times and RequestIds, and never a link, a path, a key, or text from
 * outside.
 */
import type { Logger } from 'pino';
import type { Failure } from '../domain/errors/failure.ts';
import { type ErrorClass, failureCode } from '../domain/errors/index.ts';
import { dependencyKind } from '../domain/operations/breakers.ts';
import type { DetectOutcome } from '../domain/verification/outcomes.ts';
import type { NextMove } from '../domain/verification/policy.ts';
import type { StageName, State } from '../domain/verification/states.ts';
import type { Reason } from '../redis/record.ts';

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

  outcomeWaits(): void {
    const text = 'the answer to a paid call waits: Redis does not take it now. It is told again until Redis does';
    this.#log.warn({ stage: 'detect', event: 'outcome_waits' }, text);
  }

  /** @param fields names of documented fields. Undocumented names are not logged, because they come from outside. */
  replyShape(fields: readonly string[], requestId: string | null): void {
    const text = `the vendor’s answer has another shape than documented: ${fields.join(', ')}`;
    this.#log.warn({ stage: 'detect', event: 'reply_shape', code: 'REPLY_SHAPE', fields, requestId }, text);
  }

  failure(stage: StageName, failure: Failure, kind: ErrorClass, move: NextMove): void {
    const { requestId, httpStatus, field } = failure;
    const code = failureCode(failure);
    const delay = move.to === 'fail' || move.to === 'hold' ? {} : { inMs: move.delayMs };
    const facts = {
      stage,
      event: 'stage_failed',
      code,
      class: kind,
      requestId,
      httpStatus,
      field,
      move: move.to,
      ...delay,
    };
    const cause = code === 'INTERNAL' ? { stack: stackOf(failure.cause) } : {};
    this.#log.warn({ ...facts, ...cause }, `${stage}: ${code}, ${move.to}`);
  }

  held(reason: Reason): void {
    this.#log.warn({ event: 'held', stage: reason.stage, code: reason.code }, `held for review: ${reason.code}`);
  }

  /** Logged only by the attempt that changed the gate. */
  gate(change: 'tripped' | 'probed' | 'opened', code: string | null): void {
    const status = { tripped: 'closed', probed: 'still closed', opened: 'open again' }[change];
    this.#log[change === 'opened' ? 'info' : 'warn'](
      { event: 'gate_changed', change, code },
      `gate ${status}${code === null ? '' : `: ${code}`}`,
    );
  }

  /** Logged only by the attempt that changed the breaker. The host of a source is left out, because a caller chose it. */
  breaker(change: 'opened' | 'probed' | 'closed', dependency: string, code: string | null): void {
    const kind = dependencyKind(dependency);
    const status = { opened: 'is down', probed: 'is still down', closed: 'works again' }[change];
    this.#log[change === 'closed' ? 'info' : 'warn'](
      { event: 'breaker_changed', change, dependency: kind, code },
      `${kind} ${status}${code === null ? '' : `: ${code}`}`,
    );
  }

  /** `spent`: the gate has closed. Each event is logged once in a budget's period. */
  budget(event: 'warned' | 'spent', budget: string): void {
    const text = event === 'warned' ? '80 % of the budget is spent' : 'the budget is spent, and the gate closed';
    this.#log.warn({ event: `budget_${event}`, budget }, `${text}: ${budget}`);
  }

  ended(state: State, outcome: DetectOutcome | null, reason: Reason | null): void {
    const facts = { event: 'ended', state, decision: outcome?.decision ?? null, code: reason?.code ?? null };
    this.#log.info(
      facts,
      `${state}${outcome === null ? '' : `: ${outcome.decision}`}${reason === null ? '' : ` (${reason.code})`}`,
    );
  }
}

/** The first stack frames of an error, to locate a bug. The error's message is left out, because it may contain anything. */
export function stackOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  return cause.stack?.split('\n').slice(1, 4).join(' ').trim();
}
