/**
 * Log lines and metrics of one verification: one line for each change of stage.
 *
 * What must hold: a line contains ids, stages, codes, times and RequestIds, and never a link, a path, a key, or text from
 * outside.
 */
import type { Logger } from 'pino';
import type { Failure } from '../domain/errors/failure.ts';
import { CODES, type ErrorClass, failureCode } from '../domain/errors/index.ts';
import { dependencyKind } from '../domain/operations/breakers.ts';
import type { Charge } from '../domain/operations/costs.ts';
import { codeLabel, isPreflightCatch, NO_OBSERVER, type Observer } from '../domain/operations/process-metrics.ts';
import { traceIdOf } from '../domain/operations/tracing.ts';
import type { ActionName, PaidCall } from '../domain/verification/actions.ts';
import { MICROS } from '../domain/verification/cost.ts';
import { type DetectOutcome, type OpinionOutcome, opinionStatus } from '../domain/verification/outcomes.ts';
import type { NextMove } from '../domain/verification/policy.ts';
import type { StageName, State } from '../domain/verification/states.ts';
import type { JournalRecord, Reason } from '../redis/record.ts';
import type { Ending } from '../redis/scripts/settle.ts';

export type StageEvent = 'start' | 'done' | 'unknown' | 'reused';

/** What the metrics need to know about the verification. */
type Observed = Pick<JournalRecord, 'region' | 'lane' | 'tenant' | 'createdAt' | 'starts' | 'retries' | 'traceparent'>;

export class RunLog {
  readonly #log: Logger;
  readonly #observer: Observer;
  readonly #record: Observed | null;

  /** @param record absent if there is no verification. Then nothing is measured. */
  constructor(log: Logger, id: string, observer = NO_OBSERVER, record: Observed | null = null) {
    const traceId = traceIdOf(record?.traceparent ?? null);
    this.#log = log.child({ id, ...(traceId === null ? {} : { traceId }) });
    this.#observer = record === null ? NO_OBSERVER : observer;
    this.#record = record;
  }

  /** The first run begins. @param now ms since 1970, by Redis's clock. */
  began(now: number): void {
    if (this.#record?.starts === 1) this.#sinceAccepted('queueWait', now);
  }

  /** Bytes of sources were uploaded, or bytes of a frame downloaded. */
  moved(direction: 'uploaded' | 'downloaded', bytes: number): void {
    this.#observer.count('bytes', { direction }, bytes);
  }

  stage(stage: StageName, event: StageEvent, facts: { ms?: number; code?: string }): void {
    const ms = facts.ms === undefined ? {} : { ms: Math.round(facts.ms) };
    this.#log[event === 'start' ? 'debug' : 'info']({ stage, event, ...facts, ...ms }, `${stage} ${event}`);
    if (event === 'done' && facts.ms !== undefined) this.#observer.measure('stage', { stage, result: 'ok' }, facts.ms);
    if (event === 'reused') this.#observer.count('preflightCatches', { stage, code: codeLabel(facts.code ?? null) });
  }

  decided(outcome: DetectOutcome): void {
    const { decision, similarity, result, requestId, billed } = outcome;
    this.#log.info(
      { stage: 'detect', event: 'decided', decision, similarity, result, requestId, billed },
      `decided: ${decision}`,
    );
    this.#sinceAccepted('timeToDecision', Date.now());
  }

  /** The second opinion is known, or given up. */
  opinion(outcome: OpinionOutcome): void {
    const status = opinionStatus(outcome);
    const facts =
      'failed' in outcome ? { code: outcome.failed.code } : { level: outcome.level, requestId: outcome.requestId };
    this.#log.info({ stage: 'opinion', event: 'opinion', status, ...facts }, `second opinion: ${status}`);
  }

  outcomeWaits(): void {
    const text = 'the answer to a paid call waits: Redis does not take it now. It is told again until Redis does';
    this.#log.warn({ stage: 'detect', event: 'outcome_waits' }, text);
  }

  /** A paid call was made. Only measured: the log line of the decision says whether its call is billed. */
  billed(action: PaidCall, billed: 'yes' | 'possibly', { currency, micros }: Charge): void {
    const region = this.#record?.region ?? '';
    this.#observer.count('paidCalls', { region, action, billed });
    if (currency !== '') this.#observer.count('cost', { region, billed, currency }, micros / MICROS);
  }

  /** The result of a session said how many of its checks are billed. */
  billedChecks(action: ActionName, count: number, { currency, micros }: Pick<Charge, 'currency' | 'micros'>): void {
    const region = this.#record?.region ?? '';
    this.#observer.count('paidCalls', { region, action, billed: 'yes' }, count);
    if (currency !== '') this.#observer.count('cost', { region, billed: 'yes', currency }, (count * micros) / MICROS);
  }

  /** @param fields names of documented fields. Undocumented names are not logged, because they come from outside. */
  replyShape(fields: readonly string[], requestId: string | null): void {
    const text = `the vendor’s answer has another shape than documented: ${fields.join(', ')}`;
    this.#log.warn({ stage: 'detect', event: 'reply_shape', code: 'REPLY_SHAPE', fields, requestId }, text);
  }

  /** @param ms time from the start of the stage to the failure. */
  failure(stage: StageName, failure: Failure, kind: ErrorClass, { move, ms }: { move: NextMove; ms: number }): void {
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
    this.#observer.measure('stage', { stage, result: kind }, ms);
    if (move.to === 'later') this.#observer.count('retries', { stage, class: kind });
    if (move.to === 'rewind') this.#observer.count('rewinds', { stage, code: codeLabel(code) });
    if (isPreflightCatch(stage, kind)) this.#observer.count('preflightCatches', { stage, code: codeLabel(code) });
  }

  evidenceWithoutBucket(): void {
    const text = 'the tenant’s policy asks for evidence, and no bucket of evidence is configured for the region';
    this.#log.error({ event: 'evidence_without_bucket', code: CODES.NO_BUCKET }, text);
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
    const region = this.#record?.region ?? '';
    this.#observer.count('breakerChanges', { region, dependency: kind, change });
  }

  /** `spent`: the gate has closed. Each event is logged once in a budget's period. */
  budget(event: 'warned' | 'spent', budget: string): void {
    const text = event === 'warned' ? '80 % of the budget is spent' : 'the budget is spent, and the gate closed';
    this.#log.warn({ event: `budget_${event}`, budget }, `${text}: ${budget}`);
  }

  ended(state: State, outcome: DetectOutcome | null, { reason, frame }: Pick<Ending, 'reason' | 'frame'>): void {
    const facts = { event: 'ended', state, decision: outcome?.decision ?? null, code: reason?.code ?? null };
    this.#log.info(
      facts,
      `${state}${outcome === null ? '' : `: ${outcome.decision}`}${reason === null ? '' : ` (${reason.code})`}`,
    );
    if (this.#record === null) return;
    const { region, lane, tenant } = this.#record;
    const decision = outcome?.decision ?? 'none';
    this.#observer.count('ended', { region, lane, state, decision });
    const code = codeLabel(reason?.code ?? null);
    this.#observer.count('endReasons', { state, class: reason?.class ?? 'none', code });
    if (tenant !== null) this.#observer.count('tenantEnded', { tenant, state, decision });
    if (frame === 'stored') this.#sinceAccepted('timeToFrame', Date.now());
  }

  /** Leaves out a verification that was retried, because it may have lain for days between its end and the retry. */
  #sinceAccepted(name: 'queueWait' | 'timeToDecision' | 'timeToFrame', now: number): void {
    if (this.#record === null || this.#record.retries > 0) return;
    const { region, lane, createdAt } = this.#record;
    this.#observer.measure(name, { region, lane }, now - createdAt);
  }
}

/** The first stack frames of an error, to locate a bug. The error's message is left out, because it may contain anything. */
export function stackOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  return cause.stack?.split('\n').slice(1, 4).join(' ').trim();
}
