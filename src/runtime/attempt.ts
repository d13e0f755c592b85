/**
 * One attempt at a verification, from preamble to settling. Reads like its table of contents:
 * begin → what is still open → admission → the stages that have left no outcome → settle.
 *
 * What must hold:
 * 1. Nothing is decided by BullMQ: attempts, back-off, crash budget and ends are the journal's.
 * 2. A stage whose outcome is in the journal is never run again in the same generation.
 * 3. A failure is turned into a move in one place (`#afterTrouble`).
 * 4. Whoever has lost the lease writes nothing but a paid outcome.
 */
import { createHmac } from 'node:crypto';
import { resourcesOf } from '../domain/actions.ts';
import { CODES, classify, type ErrorClass, nameOf } from '../domain/errors/index.ts';
import { Failure, inputFailure } from '../domain/failure.ts';
import type { HistoryEntry } from '../domain/history.ts';
import { nextMove, type Policy, paymentsUnasked } from '../domain/policy.ts';
import { isProof, receiptProof } from '../domain/receipt.ts';
import { sentOf } from '../domain/sent.ts';
import { type Decision, STAGES, type StageName, type State } from '../domain/states.ts';
import type { Demand, Mode } from '../domain/verification.ts';
import { type NotifyJob, notification } from '../queue/notify-queue.ts';
import { followUpsOf, type Outbox } from '../queue/outbox.ts';
import { currentStage, type JournalRecord, PIPELINE_VERSION, type Reason, whyDecided } from '../queue/record.ts';
import { type Edges, type StageContext, type StageInput, stages } from '../stages/index.ts';
import type { Gate } from './gate.ts';
import type { Begun, Journal, PackageDigest } from './journal.ts';
import type { Lease } from './lease.ts';
import type { RunLog } from './log.ts';
import { pay, Recorded, Withheld } from './pay.ts';
import { sleep } from './sleep.ts';

/** How an attempt ended; the worker turns it into a BullMQ move. */
export type AttemptEnd =
  | { readonly kind: 'done'; readonly state: State; readonly decision: Decision | null; readonly code: string | null }
  | { readonly kind: 'later'; readonly delayMs: number }
  | { readonly kind: 'held'; readonly leftMs: number }
  | { readonly kind: 'missing' }
  | { readonly kind: 'lost' };

export interface AttemptTools {
  readonly journal: Journal;
  readonly gate: Gate;
  readonly outbox: Outbox;
  readonly edges: Edges;
  readonly policy: Policy;
  readonly objectFolder: string;
  readonly mode: Mode;
  readonly reuse: ReusePolicy;
  /** How long a frame in the frames folder is kept, ms; 0: until somebody deletes it. */
  readonly keepFramesMs: number;
  /** What every verification must say. */
  readonly demands: readonly Demand[];
  readonly log: RunLog;
}

/** A liveness package proves that somebody was there once: answered before, it is a replay. */
export interface ReusePolicy {
  /** Makes digests of this deployment's own, so that an MD5 cannot be looked up. */
  readonly namespace: string;
  readonly ttlMs: number;
  readonly refuse: boolean;
}

export class Attempt {
  readonly #tools: AttemptTools;
  readonly #lease: Lease;
  readonly #record: JournalRecord;
  readonly #begun: Begun;
  /** Before a decision the verification's deadline ends everything; after it, nothing does. */
  readonly #deadline = new AbortController();
  /** Of the gate, when this attempt was let through. */
  #epoch: string;
  /** The preflight's entry travels with the intent: one script less. */
  #preflightEntry: HistoryEntry | null = null;
  /** The download's entry travels with the settling. */
  #lastEntry: HistoryEntry | null = null;

  constructor(tools: AttemptTools, lease: Lease, begun: Begun, record: JournalRecord) {
    this.#tools = tools;
    this.#lease = lease;
    this.#begun = begun;
    this.#epoch = begun.epoch;
    this.#record = record;
  }

  async run(): Promise<AttemptEnd> {
    const { verdict, now } = this.#begun;
    switch (verdict) {
      case 'terminal':
        return this.#repeatFollowUps();
      case 'held':
        return { kind: 'held', leftMs: this.#begun.waitMs };
      case 'wait':
        return { kind: 'later', delayMs: this.#begun.waitMs };
      case 'poison':
        return this.#give(CODES.POISON, null);
      case 'expired':
        return this.#give(CODES.DEADLINE_EXCEEDED, null);
      case 'unheld':
        return this.#afterHolding();
      case 'lost':
      case 'missing':
        return { kind: verdict };
      case 'sealed':
        throw new Error('a record that cannot be read has no attempt');
      case 'go':
        break;
    }
    const timer = setTimeout(() => this.#deadline.abort(late()), Math.min(this.#record.deadline - now, 2 ** 31 - 1));
    try {
      const waiting = await this.#resolveOpenIntent();
      if (waiting !== null) return waiting;
      if (this.#record.cancelled) return await this.#give(CODES.CANCELLED, null);
      if (this.#record.version > PIPELINE_VERSION) throw newer(this.#record.version);
      if (this.#record.mode !== this.#tools.mode) throw otherMode(this.#record.mode, this.#tools.mode);
      this.#refuseMissing();
      await this.#adoptReceipt();
      if (this.#record.outcomes.detect === undefined) await this.#untilAdmitted();
      for (const stage of STAGES) {
        const { outcomes } = this.#record;
        const behind = outcomes.detect !== undefined && stage !== 'download'; // of a decision nothing before it is missing
        if (outcomes[stage] === undefined && !behind) await this.#runStage(stage);
      }
      return await this.#complete();
    } catch (error) {
      return await this.#afterTrouble(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Nobody decided in time: it fails, for the reason that it was held for. */
  #afterHolding(): Promise<AttemptEnd> {
    const { reason, cancelled } = this.#record;
    if (cancelled || reason === null) return this.#give(cancelled ? CODES.CANCELLED : CODES.INTERNAL, null);
    const entry: HistoryEntry = {
      at: Date.now(),
      event: 'ended',
      ...(reason.stage === undefined ? {} : { stage: reason.stage }),
      code: reason.code,
    };
    return this.#settle({ state: 'failed', reason, entry, frame: 'none', stored: null });
  }

  // ── before the stages ────────────────────────────────────────────────────────────────────────────────────────────

  /** An intent that a crashed attempt left open: wait for its deadline, then it is unknown. */
  async #resolveOpenIntent(): Promise<AttemptEnd | null> {
    if (this.#record.open === null) return null;
    const entry: HistoryEntry = { at: Date.now(), event: 'unknown', stage: 'detect', code: CODES.OUTCOME_UNKNOWN };
    const { kind, leftMs } = await this.#lease.guard(this.#tools.journal.unknown(entry));
    if (kind === 'open')
      return this.#handBack('detect', leftMs, false, false, reasonOf(outcomePending(), 'detect'), null);
    if (kind === 'lost') return { kind: 'lost' };
    if (kind === 'unknown') this.#tools.log.stage('detect', 'unknown', { code: CODES.OUTCOME_UNKNOWN });
    const review =
      kind === 'unknown' && this.#tools.policy.unknownOutcome === 'review' && this.#record.lane === 'batch';
    return review ? this.#hold(reasonOf(outcomePending(), 'detect'), null) : null;
  }

  /** A producer with other settings than this deployment's may have left out what is demanded here. */
  #refuseMissing(): void {
    const missing = this.#tools.demands.find((field) => this.#record[field] === null);
    if (missing === undefined) return;
    throw inputFailure(
      CODES.INVALID_VERIFICATION,
      missing,
      `${missing} is missing: BESTFRAME_DEMANDS asks for it here`,
    );
  }

  /** Redis may have been lost since a decision was paid for: where its frame is still stored, the receipt beside it decides. */
  async #adoptReceipt(): Promise<void> {
    const { id, order, outcomes, generation, paid, possiblyPaid } = this.#record;
    if (order === null || generation > 0 || outcomes.upload !== undefined || outcomes.detect !== undefined) return;
    if (paid + possiblyPaid > 0) return;
    const found = await this.#tools.edges.sink.receipt(id, order.frame, this.#beforeDecision);
    if (found === null || !isProof(found.receipt.proof, this.#proofOf(found.receipt))) return;
    const { decision, similarity, result, requestId, decidedAt } = found.receipt;
    const decided = { decision, similarity, result, requestId, billed: false, bestFrame: null, stored: found.stored };
    const entry: HistoryEntry = { at: Date.now(), event: 'adopted', stage: 'detect', code: result };
    const { journal } = this.#tools;
    const answer = await this.#lease.guard(
      journal.adopt(
        generation,
        decided,
        decidedAt,
        whyDecided(decided),
        requestId === null ? entry : { ...entry, requestId },
        this.#decided,
      ),
    );
    if (answer === 'no') return;
    if (answer !== 'ok') throw new Withheld(answer);
    outcomes.detect = decided;
    this.#tools.log.decided(decided);
    await this.#lease.guard(this.#tools.outbox.tell(this.#decided));
  }

  #proofOf(decided: Parameters<typeof receiptProof>[2]): string {
    return receiptProof(this.#tools.reuse.namespace, this.#record, decided);
  }

  async #untilAdmitted(): Promise<void> {
    const admission = this.#tools.gate.admission(this.#record.region, this.#record.action);
    let waitMs = this.#begun.waitMs;
    while (waitMs > 0) {
      await sleep(waitMs, this.#beforeDecision);
      const answer = await this.#lease.guard(this.#tools.journal.admit(this.#record.lane, admission));
      waitMs = answer.waitMs;
      this.#epoch = answer.epoch;
    }
  }

  // ── the stages ───────────────────────────────────────────────────────────────────────────────────────────────────

  async #runStage(stage: StageName): Promise<void> {
    const { outcomes, order } = this.#record;
    if (order === null) throw new Error('a verification that has not ended has lost its order');
    const input: StageInput = { id: this.#record.id, generation: this.#record.generation, order, outcomes };
    const startedAt = performance.now();
    this.#tools.log.stage(stage, 'start', {});
    try {
      switch (stage) {
        case 'upload':
          outcomes.upload = await this.#within(stage, (context) => stages.upload(input, context));
          await this.#commitUpload(performance.now() - startedAt);
          break;
        case 'md5':
          outcomes.md5 = await this.#within(stage, (context) => stages.md5(input, context));
          this.#preflightEntry = { at: Date.now(), event: 'done', stage, ms: performance.now() - startedAt };
          break;
        case 'detect':
          outcomes.detect = await stages.detect(input, this.#context(this.#beforeDecision));
          this.#tools.log.decided(outcomes.detect);
          await this.#lease.guard(this.#tools.outbox.tell(this.#decided));
          break;
        case 'download':
          outcomes.download = await this.#within(stage, (context) => stages.download(input, context));
          this.#lastEntry = { at: Date.now(), event: 'done', stage, ms: performance.now() - startedAt };
          break;
      }
    } catch (error) {
      throw new StageTrouble(stage, performance.now() - startedAt, error);
    }
    this.#tools.log.stage(stage, 'done', { ms: performance.now() - startedAt });
  }

  /** Runs a stage under its own time limit, the lease and, before a decision, the deadline. */
  async #within<T>(stage: 'upload' | 'md5' | 'download', stageRun: (context: StageContext) => Promise<T>): Promise<T> {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(tooSlow(stage)), this.#tools.policy.stageMs[stage]);
    const outer = stage === 'download' ? this.#lease.signal : this.#beforeDecision;
    try {
      return await stageRun(this.#context(AbortSignal.any([outer, limit.signal])));
    } finally {
      clearTimeout(timer);
    }
  }

  #context(signal: AbortSignal): StageContext {
    const { edges, objectFolder, gate, journal, policy } = this.#tools;
    const { region, action, lane, generation, threshold } = this.#record;
    return {
      edges,
      signal,
      objectFolder,
      now: () => Date.now(),
      proofOf: (decided) => this.#proofOf(decided),
      uploadUrlTurns: (count) => gate.uploadUrlTurns(region, count, signal),
      pay: (prepare, call) =>
        pay(
          {
            journal,
            lease: this.#lease,
            gate,
            id: this.#record.id,
            region,
            action,
            onGate: (change, code) => this.#tools.log.gate(change, code),
            generation,
            threshold,
            callMs: policy.callMs[lane],
            maxPayments: paymentsUnasked(policy, lane),
            package: this.#packageDigest(),
            notify: this.#decided,
            preflight: this.#record.outcomes.md5 ?? { checkedAt: 0 },
            preflightEntry: this.#preflightEntry,
            signal,
          },
          prepare,
          call,
        ),
    };
  }

  #packageDigest(): PackageDigest {
    const { namespace, ttlMs, refuse } = this.#tools.reuse;
    const [[name] = []] = resourcesOf(this.#record.action);
    const md5 = name === undefined ? undefined : this.#record.outcomes.upload?.resources[name]?.md5;
    const digest = createHmac('sha256', `${namespace}/package`)
      .update(md5 ?? '')
      .digest('base64url')
      .slice(0, 22);
    return { digest, ttlMs, refuse };
  }

  async #commitUpload(ms: number): Promise<void> {
    const { id, generation, order, outcomes } = this.#record;
    const { journal, objectFolder } = this.#tools;
    const { upload } = outcomes;
    const sent = upload === undefined ? {} : { sent: sentOf(upload, `${objectFolder}/${id}`, order?.liveness) };
    const entry: HistoryEntry = { at: Date.now(), event: 'done', stage: 'upload', ms, ...sent };
    const answer = await this.#lease.guard(journal.commit('upload', generation, upload, entry));
    if (answer !== 'ok') throw new Withheld(answer);
  }

  // ── ends ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #complete(): Promise<AttemptEnd> {
    const { detect, download } = this.#record.outcomes;
    return this.#settle({
      state: 'completed',
      reason: detect === undefined ? null : whyDecided(detect),
      entry: this.#lastEntry,
      frame: download?.frame ?? 'none',
      stored: download?.stored ?? null,
    });
  }

  /** Ends without going on: with the decision and a lost frame where there is one, else as failed (or cancelled). */
  async #give(
    code: string,
    failure: Failure | null,
    stage: StageName = currentStage(this.#record),
    ms?: number,
    more: Pick<Reason, 'at'> = {},
  ): Promise<AttemptEnd> {
    const { detect } = this.#record.outcomes;
    const why = failure ?? new Failure({ service: 'bestframe', channel: 'local', code, sent: 'no' }, code);
    const took = ms === undefined ? {} : { ms };
    const entry: HistoryEntry = { at: Date.now(), event: 'ended', stage, code, ...took, ...answerOf(why) };
    return this.#settle({
      state: code === CODES.CANCELLED ? 'cancelled' : detect === undefined ? 'failed' : 'completed',
      reason: { ...reasonOf(why, stage), ...more },
      entry,
      frame: detect?.bestFrame == null ? 'none' : 'lost',
      stored: null,
    });
  }

  async #settle(
    end: Omit<Parameters<Journal['settle']>[0], 'generation' | 'followUps' | 'keepFrameMs'>,
  ): Promise<AttemptEnd> {
    const followUps = followUpsOf(this.#record, 1);
    const settled = await this.#lease.guard(
      this.#tools.journal.settle({
        ...end,
        generation: this.#record.generation,
        followUps,
        // What was delivered to a bucket that the caller named is the caller's.
        keepFrameMs: this.#record.order?.frame.to === 'file' ? this.#tools.keepFramesMs : 0,
      }),
    );
    if (settled.kind === 'lost') return { kind: 'lost' };
    if (followUps !== null) await this.#lease.guard(this.#tools.outbox.deliver(this.#record.id, followUps));
    const state = settled.state ?? end.state;
    const { detect = null } = this.#record.outcomes;
    this.#tools.log.ended(state, detect, end.reason);
    return {
      kind: 'done',
      state,
      decision: detect?.decision ?? null,
      code: state === 'completed' ? null : (end.reason?.code ?? null),
    };
  }

  async #repeatFollowUps(): Promise<AttemptEnd> {
    const { state, decision, reason } = this.#record;
    await this.#lease.guard(this.#tools.outbox.deliverOf(this.#record.id));
    return { kind: 'done', state, decision, code: state === 'completed' ? null : (reason?.code ?? null) };
  }

  get #decided(): NotifyJob | undefined {
    return notification(this.#record, 'decided').notify;
  }

  // ── trouble ──────────────────────────────────────────────────────────────────────────────────────────────────────

  async #afterTrouble(error: unknown): Promise<AttemptEnd> {
    const trouble = error instanceof StageTrouble ? error : new StageTrouble(currentStage(this.#record), 0, error);
    const { stage, ms } = trouble;
    if (this.#lease.lost) return { kind: 'lost' };
    if (trouble.cause instanceof Withheld) return this.#afterWithheld(trouble.cause, stage);

    const recorded = trouble.cause instanceof Recorded;
    const failure = trouble.cause instanceof Recorded ? trouble.cause.failure : asFailure(trouble.cause);
    if (failure.code === CODES.LEASE_LOST) return { kind: 'lost' };
    if (failure.code === CODES.WORKER_DRAINED) return this.#handOver(failure, stage, recorded ? null : ms);
    if (failure.code === CODES.CANCELLED || failure.code === CODES.DEADLINE_EXCEEDED)
      return this.#give(failure.code, failure, stage, ms);

    const classified = classify(failure);
    if (classified.class === 'unknown') await this.#lease.guard(this.#tools.journal.countUnknownCode());
    await this.#tellGate(failure, classified.class, trouble.cause, stage);
    const move = nextMove(
      {
        classified,
        stage,
        lane: this.#record.lane,
        attempts: this.#record.attempts[stage],
        rewinds: this.#record.generation - this.#record.freshFrom,
        retryAfterMs: failure.retryAfterMs,
        random: Math.random(),
      },
      this.#tools.policy,
    );
    this.#tools.log.trouble(stage, failure, classified.class, move);
    if (move.to === 'hold' && this.#record.outcomes.detect === undefined)
      return this.#hold(reasonOf(failure, stage), recorded ? null : { ms, ...answerOf(failure) });
    if (move.to === 'fail' || move.to === 'hold') return this.#give(nameOf(failure), failure, stage, ms);
    const rewind = move.to === 'rewind';
    const event = rewind ? 'rewind' : 'retry';
    const entry: HistoryEntry | null = recorded
      ? null
      : { at: Date.now(), event, stage, code: nameOf(failure), ms, ...answerOf(failure) };
    return this.#handBack(
      stage,
      move.delayMs,
      move.to === 'later' && move.counts,
      rewind,
      reasonOf(failure, stage),
      entry,
    );
  }

  /** Trouble with the account is everybody's: the gate closes for all. What only this request meets closes nothing. */
  async #tellGate(failure: Failure, kind: ErrorClass, cause: unknown, stage: StageName): Promise<void> {
    const { gate, log } = this.#tools;
    const { id, region, action } = this.#record;
    if (kind === 'throttled' && stage === 'upload' && failure.service === 'faceid') await gate.slowUploadUrls(region);
    if (kind !== 'account' || OWN_TROUBLE.has(failure.code)) return;
    const epoch = cause instanceof Recorded ? cause.epoch : this.#epoch;
    const answer = await this.#lease.guard(gate.trip(region, action, id, epoch, nameOf(failure)));
    if (answer === 'tripped' || answer === 'probed') log.gate(answer, nameOf(failure));
  }

  async #afterWithheld({ why, waitMs, code }: Withheld, stage: StageName): Promise<AttemptEnd> {
    switch (why) {
      case 'lost':
      case 'decided':
        return { kind: 'lost' };
      case 'ended':
        return { kind: 'done', state: 'cancelled', decision: null, code: CODES.CANCELLED };
      case 'cancel':
        return this.#give(CODES.CANCELLED, null, stage);
      case 'expired':
        return this.#give(CODES.DEADLINE_EXCEEDED, null, stage);
      case 'exhausted':
        // Who waits in front of a camera is told at once; a batch may wait for a person.
        if (this.#record.lane === 'batch') return this.#hold(reasonOf(outcomePending(), stage), null);
        return this.#give(CODES.OUTCOME_UNKNOWN, null, stage);
      case 'reused': {
        this.#tools.log.stage(stage, 'reused', { code: CODES.REUSED_LIVE_DATA });
        const failure = local(CODES.REUSED_LIVE_DATA, 'this liveness package was answered in another verification');
        return this.#give(failure.code, failure, stage, undefined, { at: waitMs });
      }
      case 'closed': {
        const reason: Reason = { code: code ?? 'CLOSED', class: 'account', stage };
        return this.#handBack(stage, waitMs, false, false, reason, null);
      }
      case 'open': {
        this.#tools.log.stage(stage, 'unknown', { code: CODES.OUTCOME_UNKNOWN });
        return this.#handBack(stage, waitMs, false, false, reasonOf(outcomePending(), stage), null);
      }
    }
  }

  /** Sets it aside for a person. @param attempt that led here, where the history does not have it yet. */
  async #hold(reason: Reason, attempt: Pick<HistoryEntry, 'ms' | 'requestId' | 'service'> | null): Promise<AttemptEnd> {
    const { generation } = this.#record;
    const { journal, policy, log } = this.#tools;
    const stage = reason.stage ?? currentStage(this.#record);
    const entry: HistoryEntry = { at: Date.now(), event: 'held', stage, code: reason.code, ...attempt };
    // A run holds it once at most, and runs are counted: each holding is told under an id of its own.
    const { notify } = notification(this.#record, 'held', this.#record.starts);
    const answer = await this.#lease.guard(journal.hold(generation, reason, policy.holdMs, entry, notify));
    log.held(reason);
    if (answer === 'ok') await this.#lease.guard(this.#tools.outbox.tell(notify));
    if (answer === 'ok') return { kind: 'held', leftMs: policy.holdMs };
    if (answer === 'cancel') return this.#give(CODES.CANCELLED, null, stage);
    if (answer === 'lost') return { kind: 'lost' };
    return { kind: 'done', state: 'cancelled', decision: null, code: CODES.CANCELLED };
  }

  /** To another worker, at once: no attempt is counted, and no crash. @param ms null where the history has it. */
  #handOver(failure: Failure, stage: StageName, ms: number | null): Promise<AttemptEnd> {
    const code = nameOf(failure);
    const entry: HistoryEntry | null = ms === null ? null : { at: Date.now(), event: 'retry', stage, code, ms };
    return this.#handBack(stage, 0, false, false, reasonOf(failure, stage), entry);
  }

  async #handBack(
    stage: StageName,
    delayMs: number,
    counts: boolean,
    rewind: boolean,
    reason: Reason,
    entry: HistoryEntry | null,
  ): Promise<AttemptEnd> {
    const { generation } = this.#record;
    // Never past the deadline: an answer that comes too late should at least be known to be missing in time.
    const left = this.#record.outcomes.detect === undefined ? this.#record.deadline - this.#begun.now : delayMs;
    const capped = Math.max(0, Math.min(delayMs, Math.max(left, 0)));
    const step = {
      generation,
      delayMs: Math.ceil(reason.code === CODES.OUTCOME_UNKNOWN ? delayMs : capped),
      stage,
      counts,
      rewind,
      reason,
      entry,
    };
    const answer = await this.#lease.guard(this.#tools.journal.handback(step));
    if (answer === 'ok') return { kind: 'later', delayMs: step.delayMs };
    if (answer === 'cancel') return this.#give(CODES.CANCELLED, null, stage);
    if (answer === 'lost') return { kind: 'lost' };
    return { kind: 'done', state: 'cancelled', decision: null, code: CODES.CANCELLED };
  }

  get #beforeDecision(): AbortSignal {
    return AbortSignal.any([this.#lease.signal, this.#deadline.signal]);
  }
}

/** Account trouble of one request or one worker alone. */
export const OWN_TROUBLE: ReadonlySet<string> = new Set([
  CODES.NO_BUCKET,
  CODES.MODE_MISMATCH,
  CODES.NEWER_RECORD,
  CODES.LINK_REGION,
]);

/** Says in which stage something went wrong, and after how long. */
class StageTrouble extends Error {
  readonly stage: StageName;
  readonly ms: number;

  constructor(stage: StageName, ms: number, cause: unknown) {
    super(`trouble in ${stage}`, { cause });
    this.stage = stage;
    this.ms = ms;
  }
}

function reasonOf(failure: Failure, stage: StageName): Reason {
  return {
    code: nameOf(failure),
    class: classify(failure).class,
    stage,
    ...(failure.requestId === undefined ? {} : { requestId: failure.requestId }),
    ...(failure.field === undefined ? {} : { field: failure.field }),
  };
}

/** Whose answer it was, where the vendor's support could look it up. */
function answerOf({ requestId, service }: Failure): Pick<HistoryEntry, 'requestId' | 'service'> {
  return requestId === undefined ? {} : { requestId, service };
}

function otherMode(record: Mode, worker: Mode): Failure {
  return local(CODES.MODE_MISMATCH, `a verification of mode ${record} does not belong to a worker of mode ${worker}`);
}

function newer(version: number): Failure {
  return local(CODES.NEWER_RECORD, `a record of version ${version} does not belong to a worker of ${PIPELINE_VERSION}`);
}

function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const facts = { service: 'bestframe', channel: 'local', code: CODES.INTERNAL, sent: 'no' } as const;
  return new Failure(facts, 'an unexpected error inside Bestframe', { cause: error });
}

function local(code: string, message: string): Failure {
  return new Failure({ service: 'bestframe', channel: 'local', code, sent: 'no' }, message);
}

const late = () => local(CODES.DEADLINE_EXCEEDED, 'the deadline passed before there was an answer');
const tooSlow = (stage: string) => local(CODES.TIMEOUT, `${stage} took longer than its limit`);
const outcomePending = () => local(CODES.OUTCOME_UNKNOWN, 'a paid call was made and its answer never came');
