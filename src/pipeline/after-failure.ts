/**
 * Decides what follows a failed try. No other file decides what a failure means for a verification. The limits and delays are in
 * `domain/verification/policy.ts`.
 */
import { asFailure, type Failure, localFailure } from '../domain/errors/failure.ts';
import { CODES, classify, type ErrorClass, failureCode } from '../domain/errors/index.ts';
import { faceIdDependency, isSharedTrouble } from '../domain/operations/breakers.ts';
import { FLOWS, isFlow } from '../domain/verification/flows.ts';
import type { HistoryEntry } from '../domain/verification/history.ts';
import { isHeldAtLimit, type NextMove, nextMove, outageDelayMs } from '../domain/verification/policy.ts';
import type { StageName } from '../domain/verification/states.ts';
import { currentStage } from '../redis/progress.ts';
import type { JournalRecord, Reason } from '../redis/record.ts';
import type { TroubleAnswer } from '../redis/scripts/report-trouble.ts';
import { type AttemptEnd, type AttemptEnds, answerOf, reasonOf } from './attempt-ends.ts';
import { paidCallOf } from './attempt-opinion.ts';
import type { AttemptTools } from './attempt-tools.ts';
import { DependencyDown, dependencyDown } from './breakers.ts';
import type { Lease } from './lease.ts';
import { CallWithheld, RecordedFailure, type WithheldReason } from './payment.ts';
import { accusesAccount } from './stages/index.ts';

/** A failure, its stage, and the time from the start of the stage to the failure, ms. */
export class StageFailure extends Error {
  readonly stage: StageName;
  readonly ms: number;

  constructor(stage: StageName, ms: number, cause: unknown) {
    super(`failed in ${stage}`, { cause });
    this.name = 'StageFailure';
    this.stage = stage;
    this.ms = ms;
  }
}

/** Thrown if the vendor has no final result of a session yet. `delayMs`: when to ask again. */
export class SessionUnfinished extends Error {
  readonly delayMs: number;

  constructor(delayMs: number) {
    super('the session is not finished');
    this.name = 'SessionUnfinished';
    this.delayMs = delayMs;
  }
}

/** A failed try, and what is needed to write it down. */
interface FailedTry {
  readonly failure: Failure;
  readonly reason: Reason;
  readonly stage: StageName;
  readonly ms: number;
  /** Whether the failure is already in the history. */
  readonly recorded: boolean;
  readonly outage: TroubleAnswer | undefined;
  entryOf(event: HistoryEntry['event']): HistoryEntry | undefined;
}

/** After this many retries of a download, a further retry is recorded only if its code differs from the previous one's. */
const SHOWN_RETRIES = 3;

export class AfterFailure {
  readonly #tools: AttemptTools;
  readonly #lease: Lease;
  readonly #record: JournalRecord;
  readonly #ends: AttemptEnds;

  constructor(tools: AttemptTools, lease: Lease, record: JournalRecord, ends: AttemptEnds) {
    this.#tools = tools;
    this.#lease = lease;
    this.#record = record;
    this.#ends = ends;
  }

  /** @param epoch the gate's epoch when this attempt was admitted. */
  async handle(error: unknown, epoch: string): Promise<AttemptEnd> {
    const failed = error instanceof StageFailure ? error : new StageFailure(currentStage(this.#record), 0, error);
    const { stage, ms, cause } = failed;
    if (this.#lease.lost) return { kind: 'lost' };
    if (cause instanceof CallWithheld) return this.#afterWithheld(cause.reason, stage);
    if (cause instanceof DependencyDown) return this.#waitFor(cause, stage);
    if (cause instanceof SessionUnfinished) return this.#ends.park(cause.delayMs, null);

    const recorded = cause instanceof RecordedFailure ? cause : null;
    const failure = recorded?.failure ?? asFailure(cause);
    const code = failureCode(failure);
    // A RecordedFailure is already in the history, so no second entry is written for its try.
    const tried = recorded === null ? { stage, ms } : { stage };
    const entryOf = (event: HistoryEntry['event']): HistoryEntry | undefined =>
      recorded === null ? { at: Date.now(), event, stage, code, ms, ...answerOf(failure) } : undefined;
    switch (failure.code) {
      case CODES.LEASE_LOST:
        return { kind: 'lost' };
      case CODES.WORKER_DRAINED:
        return this.#ends.releaseOnDrain(failure, stage, entryOf('retry'));
      case CODES.CANCELLED:
      case CODES.DEADLINE_EXCEEDED:
        return this.#ends.endWith(failure.code, failure, tried);
    }

    const fault = await this.#tools.machine.blame(failure);
    if (fault !== null) return this.#ends.handOver(fault, stage, entryOf('retry'));

    const classified = classify(failure);
    await this.#countNews(failure, classified.class);
    await this.#reportToGate(failure, classified.class, stage, recorded?.epoch ?? epoch);
    const trouble = await this.#reportToBreaker(failure);
    const outage = trouble === null || trouble.verdict === 'counts' ? undefined : trouble;
    const move = nextMove(
      {
        classified,
        stage,
        lane: this.#record.lane,
        attempts: this.#record.attempts[stage],
        rewinds: this.#record.generation - this.#record.freshFrom,
        retryAfterMs: failure.retryAfterMs,
        about: failure.about,
        renewable: this.#isRenewable(stage, failure),
        outage: outage && { waitMs: outage.waitMs, runs: Math.max(0, this.#record.starts - 1) },
        random: Math.random(),
      },
      this.#tools.policy,
    );
    this.#tools.log.failure(stage, failure, classified.class, { move, ms });
    const reason = { ...reasonOf(failure, stage), ...retryOf(outage === undefined ? undefined : move) };
    return this.#carryOut(move, { failure, reason, stage, ms, recorded: recorded !== null, entryOf, outage });
  }

  #carryOut(move: NextMove, failed: FailedTry): Promise<AttemptEnd> {
    const { failure, reason, stage, ms, outage, entryOf } = failed;
    const code = failureCode(failure);
    const tried = failed.recorded ? { stage } : { stage, ms };
    const retried = () => (this.#isRepeated(stage, code) ? undefined : entryOf('retry'));
    switch (move.to) {
      case 'later':
        if (stage === 'collect')
          return this.#ends.park(move.delayMs, { reason, countAttempt: move.counts, entry: retried() });
        return this.#ends.requeue({
          stage,
          delayMs: stage === 'download' ? Math.min(move.delayMs, this.#linkLeftMs) : move.delayMs,
          countAttempt: move.counts,
          forgive: outage !== undefined && outage.verdict !== 'shared',
          reason,
          entry: retried(),
        });
      case 'rewind':
        return this.#ends.requeue({ stage, delayMs: move.delayMs, rewind: true, reason, entry: entryOf('rewind') });
      case 'hold':
        if (this.#record.outcomes.detect !== undefined) return this.#ends.endWith(code, failure, tried);
        return this.#ends.holdForReview(reason, failed.recorded ? {} : { ms, ...answerOf(failure) });
      case 'fail':
        return this.#ends.endWith(code, failure, tried);
    }
  }

  /** Counts what was unknown about the vendor's answers: codes that are in no table, and undocumented shapes. */
  async #countNews(failure: Failure, kind: ErrorClass): Promise<void> {
    const { journal } = this.#tools;
    if (kind === 'unknown') await this.#lease.guard(journal.count('unknownCodes'));
    if (failure.code === CODES.REPLY_SHAPE) await this.#lease.guard(journal.count('replyShapes'));
  }

  /**
   * Time until the frame's link expires, ms. No retry is scheduled later than the expiry: a retry at the expiry already reports
   * the frame as lost.
   */
  get #linkLeftMs(): number {
    const { detect } = this.#record.outcomes;
    const expiresAt = detect?.bestFrame?.expiresAt ?? detect?.media?.until ?? 0;
    return Math.max(0, expiresAt - Date.now());
  }

  /** Whether a fresh link to the media of a session can be had instead of the dead one. */
  #isRenewable(stage: StageName, { code }: Failure): boolean {
    const isDead = code === CODES.FRAME_EXPIRED || code === CODES.FRAME_MISSING;
    return stage === 'download' && isDead && this.#record.outcomes.detect?.media !== undefined && this.#linkLeftMs > 0;
  }

  /** Whether the history omits this retry: the same failure may repeat for hours, and its first entries suffice. */
  #isRepeated(stage: StageName, code: string): boolean {
    const { attempts, reason } = this.#record;
    if (reason?.code !== code) return false;
    if (code === CODES.SOURCE_BUSY) return true;
    return (stage === 'download' || stage === 'collect') && attempts[stage] >= SHOWN_RETRIES;
  }

  /**
   * Reports trouble with the account, which closes the gate, because such trouble affects every verification. A failure that a
   * caller caused never closes the gate.
   */
  async #reportToGate(failure: Failure, kind: ErrorClass, stage: StageName, epoch: string): Promise<void> {
    const { gate, log } = this.#tools;
    const { id, region, action } = this.#record;
    if (kind === 'throttled' && stage === 'upload' && failure.service === 'faceid')
      await gate.slowDown(region, 'CreateUploadUrl');
    if (kind === 'throttled' && stage === 'collect' && isFlow(action))
      await gate.slowDown(region, FLOWS[action].resultCall);
    if (!accusesAccount(failure)) return;
    const code = failureCode(failure);
    // Trouble with the result call says nothing about the start call, and the other way round.
    const call = stage === 'collect' && isFlow(action) ? FLOWS[action].resultCall : paidCallOf(this.#record, stage);
    const answer = await this.#lease.guard(gate.trip(region, call, { id, epoch, code }));
    if (answer === 'tripped' || answer === 'probed') log.gate(answer, code);
  }

  /**
   * Called when no further call may be made, because the number of paid and possibly paid calls has reached its limit. A batch
   * verification is held for an operator. An interactive verification usually ends at once, because a person waits in front of a
   * camera. If the last call was answered, the answer is the reason.
   */
  #afterLastPayment(stage: StageName): Promise<AttemptEnd> {
    const { lane, reason: last } = this.#record;
    // A reason without a RequestId stems from a wait for a gate or a breaker, not from an answer of the vendor.
    const answered = (last?.stage === 'detect' || last?.stage === 'start') && last.requestId !== undefined;
    const reason = answered ? last : outcomePending(stage);
    if (this.#record.outcomes.detect !== undefined) return this.#ends.endWith(CODES.OUTCOME_UNKNOWN, null, { stage });
    if (lane === 'batch' || (answered && isHeldAtLimit(last.class))) return this.#ends.holdForReview(reason);
    return this.#ends.failFor(reason);
  }

  /**
   * Reports trouble with a dependency to its breaker. A dependency that answered counts as working, even if the verification
   * fails because of the answer.
   * @returns null if the failure is not trouble with a dependency.
   */
  async #reportToBreaker(failure: Failure): Promise<TroubleAnswer | null> {
    const { breakers } = this.#tools;
    if (isSharedTrouble(failure)) return this.#lease.guard(breakers.report(failure));
    if (failure.dependency !== undefined && failure.sent === 'answered') breakers.pass([failure.dependency]);
    return null;
  }

  /**
   * Requeues the verification, to run again at about the time of the dependency's next probe. Earlier failed attempts no longer
   * count: the same outage caused them.
   */
  #waitFor({ dependency, waitMs }: DependencyDown, stage: StageName): Promise<AttemptEnd> {
    const delayMs = outageDelayMs(waitMs, { lane: this.#record.lane, random: Math.random() }, this.#tools.policy);
    if (this.#record.outcomes.start !== undefined && this.#record.outcomes.detect === undefined)
      return this.#ends.park(delayMs, {
        reason: { ...reasonOf(dependencyDown(dependency), stage), dependency, retryAt: Date.now() + delayMs },
        countAttempt: false,
      });
    const inLane = this.#record.outcomes.upload === undefined;
    const failure = dependencyDown(dependency);
    const reason = { ...reasonOf(failure, stage), dependency, retryAt: Date.now() + delayMs };
    return this.#ends.requeue({ stage, delayMs, reason, forgive: true, inLane });
  }

  async #afterWithheld(withheld: WithheldReason, stage: StageName): Promise<AttemptEnd> {
    switch (withheld.why) {
      case 'lost':
      case 'decided':
        return { kind: 'lost' };
      case 'ended':
        return { kind: 'done', state: 'cancelled', decision: null, code: CODES.CANCELLED };
      case 'cancel':
        return this.#ends.endWith(CODES.CANCELLED, null, { stage });
      case 'expired':
        return this.#ends.endWith(CODES.DEADLINE_EXCEEDED, null, { stage });
      case 'exhausted':
        return this.#afterLastPayment(stage);
      case 'reused': {
        this.#tools.log.stage(stage, 'reused', { code: CODES.REUSED_LIVE_DATA });
        const message = 'this liveness package was answered in another verification';
        const failure = localFailure(CODES.REUSED_LIVE_DATA, message);
        return this.#ends.endWith(failure.code, failure, { stage, answeredAt: withheld.answeredAt });
      }
      case 'closed': {
        const reason: Reason = { code: withheld.code, class: 'account', stage };
        return this.#ends.requeue({ stage, delayMs: withheld.waitMs, reason });
      }
      case 'broken':
        return this.#waitFor(
          new DependencyDown(faceIdDependency(paidCallOf(this.#record, stage)), withheld.waitMs),
          stage,
        );
      case 'open': {
        const { failure, leftMs } = withheld;
        if (failure !== undefined) await this.#reportToBreaker(failure);
        const shapeFailure = failure?.code === CODES.REPLY_SHAPE ? failure : null;
        this.#tools.log.stage(stage, 'unknown', { code: shapeFailure?.code ?? CODES.OUTCOME_UNKNOWN });
        const entry = shapeFailure === null ? undefined : await this.#recordShape(shapeFailure, stage);
        return this.#ends.requeue({ stage, delayMs: leftMs, reason: outcomePending(stage), entry });
      }
    }
  }

  /**
   * Counts an answer that is useless because it does not have the documented shape. @returns the history entry with the shape.
   */
  async #recordShape(failure: Failure, stage: StageName): Promise<HistoryEntry> {
    await this.#countNews(failure, 'transient');
    return { at: Date.now(), event: 'retry', stage, code: failure.code, ...answerOf(failure) };
  }
}

/** The time of the retry. It is part of the reason, so the caller sees it. */
function retryOf(move: NextMove | undefined): Pick<Reason, 'retryAt'> {
  return move?.to === 'later' ? { retryAt: Date.now() + move.delayMs } : {};
}

/** The reason for a verification whose paid call was made but has no answer yet. */
export function outcomePending(stage: StageName): Reason {
  return { code: CODES.OUTCOME_UNKNOWN, class: classifiedAs(CODES.OUTCOME_UNKNOWN), stage };
}

function classifiedAs(code: string): ErrorClass {
  return classify(localFailure(code, code)).class;
}
