/**
 * How an attempt ends its work on a verification: it ends the verification, sets it aside for an operator, or requeues it.
 *
 * What must hold:
 * 1. An attempt that has lost its job writes nothing here, and ends as `lost`.
 * 2. If the caller cancelled the verification, the verification ends as cancelled, even if the attempt was about to do something
 *    else.
 */
import { type Failure, localFailure } from '../domain/errors/failure.ts';
import { CODES, classify, type ErrorClass, failureCode } from '../domain/errors/index.ts';
import { RETRY_LANE } from '../domain/operations/retries.ts';
import { FLOWS, isFlow } from '../domain/verification/flows.ts';
import type { HistoryEntry } from '../domain/verification/history.ts';
import { frameAtEnd, type OpinionOutcome } from '../domain/verification/outcomes.ts';
import { maxPaymentsWithoutReview } from '../domain/verification/policy.ts';
import type { Decision, StageName, State } from '../domain/verification/states.ts';
import { notification } from '../redis/notify-queue.ts';
import { endField, promisesOf } from '../redis/outbox.ts';
import { currentStage } from '../redis/progress.ts';
import { decisionReason, type JournalRecord, type Reason, withLastWait } from '../redis/record.ts';
import type { WriteAnswer } from '../redis/scripts/attempt-ref.ts';
import type { AttemptStart } from '../redis/scripts/begin-attempt.ts';
import type { Ending, KeptSources } from '../redis/scripts/settle.ts';
import { owesOpinion } from './attempt-opinion.ts';
import type { AttemptTools } from './attempt-tools.ts';
import type { Lease } from './lease.ts';
import { suspicionOf } from './paid-answers.ts';

/** How an attempt ended. The worker completes, fails or delays the BullMQ job accordingly. */
export type AttemptEnd =
  | { readonly kind: 'done'; readonly state: State; readonly decision: Decision | null; readonly code: string | null }
  /** If `inLane` is true, the requeued job gets the priority that it was queued with. Otherwise it is served before all other jobs. */
  | { readonly kind: 'later'; readonly delayMs: number; readonly inLane?: boolean }
  | { readonly kind: 'held'; readonly leftMs: number }
  /** A session waits without a job. */
  | { readonly kind: 'parked' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'lost' };

/** Facts about the failed try, for the history. */
interface FailedTry {
  readonly stage?: StageName;
  /** Duration of the try, ms. */
  readonly ms?: number;
  /** Only for REUSED_LIVE_DATA: the time of the vendor's earlier answer for this package, ms since 1970. */
  readonly answeredAt?: number;
}

export interface Requeue {
  readonly stage: StageName;
  readonly delayMs: number;
  readonly reason: Reason;
  /** Whether this attempt counts towards the stage's limit of attempts. Default false. */
  readonly countAttempt?: boolean;
  /** Whether to start again from upload. Default false. */
  readonly rewind?: boolean;
  /** Whether the earlier failed attempts no longer count, because an outage caused them. Default false. */
  readonly forgive?: boolean;
  /** Whether the requeued job gets the priority that it was queued with. If false (the default), it is served before all other jobs. */
  readonly inLane?: boolean;
  /** The history entry of the failed try. Absent if the history already contains it. */
  readonly entry?: HistoryEntry | undefined;
}

/** When to ask again for a session whose end was reported while the result was being asked for, ms. */
const SOON_MS = 1_000;

export class AttemptEnds {
  readonly #tools: AttemptTools;
  readonly #lease: Lease;
  readonly #record: JournalRecord;
  readonly #start: AttemptStart;

  constructor(tools: AttemptTools, lease: Lease, start: AttemptStart, record: JournalRecord) {
    this.#tools = tools;
    this.#lease = lease;
    this.#start = start;
    this.#record = record;
  }

  /** Ends the verification after its last stage. @param entry the download's history entry, which is written in the same step. */
  complete(entry: HistoryEntry | null): Promise<AttemptEnd> {
    const { detect, download, opinion } = this.#record.outcomes;
    const suspicion = opinion === undefined ? null : this.#reasonOfOpinion(opinion);
    return this.settle({
      state: 'completed',
      reason: detect === undefined ? null : (suspicion ?? decisionReason(detect)),
      entry,
      frame: download?.frame ?? 'none',
      stored: download?.stored ?? null,
      media: download?.media ?? [],
    });
  }

  /**
   * Ends the verification early, for the reason `code`. Without a decision, it ends as failed or cancelled. With a decision, it
   * ends as completed: the decision stands, but the frame is lost.
   */
  endWith(code: string, failure: Failure | null = null, tried: FailedTry = {}): Promise<AttemptEnd> {
    const { detect, download } = this.#record.outcomes;
    const { stage = currentStage(this.#record), ms, answeredAt } = tried;
    const cause = failure ?? localFailure(code, code);
    const took = ms === undefined ? {} : { ms };
    const entry: HistoryEntry = { at: Date.now(), event: 'ended', stage, code, ...took, ...answerOf(cause) };
    const state = code === CODES.CANCELLED ? 'cancelled' : detect === undefined ? 'failed' : 'completed';
    // If the decision is not a match, the recorded reason is that of the decision, and not that of the lost frame.
    const decided = detect === undefined || state === 'cancelled' ? null : decisionReason(detect);
    const ended = { ...reasonOf(cause, stage), ...(answeredAt === undefined ? {} : { at: answeredAt }) };
    return this.settle({
      state,
      reason: decided ?? (code === CODES.DEADLINE_EXCEEDED ? withLastWait(ended, this.#record.reason) : ended),
      entry,
      frame: detect === undefined ? 'none' : (download?.frame ?? frameAtEnd(detect)),
      stored: download?.stored ?? detect?.stored ?? null,
      opinion: this.#opinionGivenUp(code, classify(cause).class, stage),
    });
  }

  /** A second opinion that the caller waits for, and that will not be given. */
  #opinionGivenUp(code: string, kind: ErrorClass, stage: StageName): OpinionOutcome | null {
    if (!owesOpinion(this.#record)) return null;
    const outcome = { failed: { code, unclear: stage === 'opinion' && kind === 'rejected' } };
    this.#tools.log.opinion(outcome);
    return outcome;
  }

  /** Why the person is not accepted although the decision accepts them; null: nothing speaks against it. */
  #reasonOfOpinion(opinion: OpinionOutcome): Reason | null {
    if (!('failed' in opinion)) return suspicionOf(opinion);
    const { code } = opinion.failed;
    return reasonOf(localFailure(code, code), 'opinion');
  }

  /** Ends the verification as failed, for a reason that is already in its history. */
  failFor(reason: Reason): Promise<AttemptEnd> {
    const stage = reason.stage === undefined ? {} : { stage: reason.stage };
    const entry: HistoryEntry = { at: Date.now(), event: 'ended', ...stage, code: reason.code };
    return this.settle({ state: 'failed', reason, entry, frame: 'none', stored: null });
  }

  async settle(
    end: Omit<
      Ending,
      'generation' | 'followUps' | 'deletion' | 'passed' | 'keepFrameMs' | 'keep' | 'evidence' | 'expiryMs'
    >,
  ): Promise<AttemptEnd> {
    const { journal, outbox, log, keepFramesMs, breakers } = this.#tools;
    const evidence = this.#record.outcomes.detect === undefined ? null : this.#tools.evidenceOf(this.#record);
    const { deletion, followUps } = promisesOf(this.#record, evidence?.state === 'pending');
    const settled = await this.#lease.guard(
      journal.settle({
        ...end,
        generation: this.#record.generation,
        followUps,
        deletion,
        passed: breakers.takePassed(),
        // Only frames in the frames folder are deleted by age. A frame in a bucket belongs to the caller.
        keepFrameMs: this.#record.order?.frame.to === 'file' ? keepFramesMs : 0,
        keep: this.#keptFor(end),
        evidence,
      }),
    );
    if (settled.kind === 'lost') return { kind: 'lost' };
    if (settled.kind === 'ok' && evidence !== null && evidence.place === null) await this.#reportNoEvidence();
    if (followUps !== null) await this.#lease.guard(outbox.deliver(endField(this.#record), followUps));
    const state = settled.state ?? end.state;
    const { detect = null } = this.#record.outcomes;
    log.ended(state, detect, end);
    return {
      kind: 'done',
      state,
      decision: detect?.decision ?? null,
      code: state === 'completed' ? null : (end.reason?.code ?? null),
    };
  }

  /** A tenant's policy asks for evidence in a region for which no bucket of evidence is configured. */
  async #reportNoEvidence(): Promise<void> {
    const { log, journal } = this.#tools;
    log.evidenceWithoutBucket();
    await this.#lease.guard(journal.count('evidenceIncomplete'));
  }

  /**
   * Decides for how long the sources are kept, so that an operator can retry the verification. A lost frame keeps them while its
   * link lives. Null: they are dropped now.
   */
  #keptFor({ state, frame }: Pick<Ending, 'state' | 'frame'>): KeptSources | null {
    const { keepSourcesMs, policy } = this.#tools;
    const maxPayments = maxPaymentsWithoutReview(policy, RETRY_LANE);
    if (isFlow(this.#record.action)) return null; // the person is gone, and a new session has a new key
    if (state === 'failed') return { ms: keepSourcesMs, maxPayments };
    if (frame !== 'lost') return null;
    const linkLeftMs = (this.#record.outcomes.detect?.bestFrame?.expiresAt ?? 0) - Date.now();
    return { ms: Math.max(0, Math.min(keepSourcesMs, linkLeftMs)), maxPayments };
  }

  /** Delivers the follow-ups of an ended verification again: the run that ended it may have died before the delivery. */
  async repeatFollowUps(): Promise<AttemptEnd> {
    const { state, decision, reason } = this.#record;
    await this.#lease.guard(this.#tools.outbox.deliverOf(this.#record));
    return { kind: 'done', state, decision, code: state === 'completed' ? null : (reason?.code ?? null) };
  }

  /**
   * Sets the verification aside for an operator. @param tried facts of the failed try; empty if the history already contains
   * them.
   */
  async holdForReview(
    reason: Reason,
    tried: Pick<HistoryEntry, 'ms' | 'requestId' | 'service' | 'shape'> = {},
  ): Promise<AttemptEnd> {
    const { generation, starts } = this.#record;
    const { journal, policy, log, outbox } = this.#tools;
    const stage = reason.stage ?? currentStage(this.#record);
    const entry: HistoryEntry = { at: Date.now(), event: 'held', stage, code: reason.code, ...tried };
    // A run holds the verification at most once, so the number of the run makes the id of each hold's notification unique.
    const { notify } = notification(this.#record, 'held', starts);
    const { holdMs } = policy;
    const answer = await this.#lease.guard(journal.hold({ generation, reason, holdMs, entry, notify }));
    log.held(reason);
    if (answer !== 'ok') return this.#afterRefusedWrite(answer, stage);
    await this.#lease.guard(outbox.deliverNotification(notify));
    return { kind: 'held', leftMs: holdMs };
  }

  /**
   * Sets a session aside until its result is asked for again.
   * @param failed the failure of this attempt; absent: it only waits for the person.
   */
  async park(
    delayMs: number,
    failed: {
      readonly reason: Reason;
      readonly countAttempt: boolean;
      readonly entry?: HistoryEntry | undefined;
    } | null,
  ): Promise<AttemptEnd> {
    const { action, generation, deadline } = this.#record;
    if (!isFlow(action)) throw new Error('only a session can be parked');
    // Until its deadline, a session is asked for at the deadline at the latest: that answer decides what became of the person.
    const leftMs = deadline - Date.now();
    const answer = await this.#lease.guard(
      this.#tools.journal.park({
        generation,
        call: FLOWS[action].resultCall,
        delayMs: leftMs > 0 ? Math.min(delayMs, leftMs) : delayMs,
        askedFrom: this.#start.now,
        soonMs: SOON_MS,
        countAttempt: failed?.countAttempt ?? false,
        reason: failed?.reason ?? null,
        entry: failed?.entry ?? null,
      }),
    );
    return answer === 'ok' ? { kind: 'parked' } : this.#afterRefusedWrite(answer, 'await');
  }

  async requeue(move: Requeue): Promise<AttemptEnd> {
    const {
      stage,
      delayMs,
      reason,
      countAttempt = false,
      rewind = false,
      forgive = false,
      inLane = false,
      entry,
    } = move;
    const { generation, outcomes, deadline } = this.#record;
    // Without a decision, or without the second opinion, the verification runs again at its deadline at the latest, and that run ends
    // the wait. But if an intent is open, the next run may be later than the deadline, because the answer may still arrive.
    const isAwaited = outcomes.detect === undefined || owesOpinion(this.#record);
    const bounded = isAwaited && reason.code !== CODES.OUTCOME_UNKNOWN;
    const mostMs = bounded ? Math.max(deadline - this.#start.now, 0) : Number.POSITIVE_INFINITY;
    const step = {
      generation,
      delayMs: Math.ceil(Math.max(0, Math.min(delayMs, mostMs))),
      stage,
      countAttempt,
      rewind,
      forgive,
      reason,
      entry: entry ?? null,
    };
    const answer = await this.#lease.guard(this.#tools.journal.requeue(step));
    return answer === 'ok' ? { kind: 'later', delayMs: step.delayMs, inLane } : this.#afterRefusedWrite(answer, stage);
  }

  /** Passes the verification to another worker, because this process is shutting down. No attempt and no crash is counted. */
  releaseOnDrain(failure: Failure, stage: StageName, entry: HistoryEntry | undefined): Promise<AttemptEnd> {
    return this.requeue({ stage, delayMs: 0, reason: reasonOf(failure, stage), entry });
  }

  /** Passes the verification to another worker, because this machine has a fault. No attempt and no crash is counted. */
  handOver(fault: Failure, stage: StageName, entry: HistoryEntry | undefined): Promise<AttemptEnd> {
    const told = entry === undefined ? undefined : { ...entry, code: fault.code };
    return this.requeue({ stage, delayMs: 0, reason: reasonOf(fault, stage), entry: told });
  }

  async #afterRefusedWrite(answer: Exclude<WriteAnswer, 'ok'>, stage: StageName): Promise<AttemptEnd> {
    switch (answer) {
      case 'cancel':
        return this.endWith(CODES.CANCELLED, null, { stage });
      case 'lost':
        return { kind: 'lost' };
      case 'ended':
        return { kind: 'done', state: 'cancelled', decision: null, code: CODES.CANCELLED };
    }
  }
}

export function reasonOf(failure: Failure, stage: StageName): Reason {
  return {
    code: failureCode(failure),
    class: classify(failure).class,
    stage,
    ...(failure.requestId === undefined ? {} : { requestId: failure.requestId }),
    ...(failure.field === undefined ? {} : { field: failure.field }),
    ...(failure.service === 'source' && failure.httpStatus !== undefined ? { httpStatus: failure.httpStatus } : {}),
  };
}

/** For the vendor's support: the failed call's RequestId, the service that issued the RequestId, and an undocumented shape. */
export function answerOf({
  requestId,
  service,
  shape,
}: Failure): Pick<HistoryEntry, 'requestId' | 'service' | 'shape'> {
  return { ...(requestId === undefined ? {} : { requestId, service }), ...(shape === undefined ? {} : { shape }) };
}
