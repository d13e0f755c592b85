/**
 * Makes the paid call. An intent declares, in Redis, that a paid call may be made; each intent allows at most one call.
 *
 * What must hold:
 * 1. The intent is in Redis before any byte of the call is sent.
 * 2. The intent is declared shortly before its rate-limit slot, when the connection is already open. When the slot comes, the
 *    lease is checked once more, and the call is sent. If the slot is missed, nothing is sent, and the intent gets a later slot.
 * 3. After the call is sent, only its own time limit stops it: a paid answer is recorded even if this attempt has lost its lease
 *    or the caller has cancelled.
 * 4. One rule decides whether a call is paid. If Tencent documents the answer as billed, the call is paid. If Tencent documents
 *    the answer as unbilled, the call is not paid. With any other answer, or none, it is possibly paid. The limit counts paid and
 *    possibly paid calls.
 * 5. What only the answer has, its frame, is stored before the outcome is recorded: so no attempt that dies can lose it. Storing it
 *    never fails a call, and ends with the intent.
 * 6. If a call was provably not sent, its intent is closed as unsent. If it may have been sent, its intent stays open until the
 *    intent's deadline.
 */
import { randomBytes } from 'node:crypto';
import { Failure, localFailure } from '../domain/errors/failure.ts';
import { type Billed, CODES, classify, failureCode } from '../domain/errors/index.ts';
import { faceIdDependency, isSharedTrouble } from '../domain/operations/breakers.ts';
import type { Charge } from '../domain/operations/costs.ts';
import type { DetectAnswer, DetectInput, FlowStart, OpinionAnswer, PaidTurn } from '../domain/ports.ts';
import type { PaidCall } from '../domain/verification/actions.ts';
import { priceText } from '../domain/verification/bills.ts';
import type { HistoryEntry } from '../domain/verification/history.ts';
import type { DetectOutcome, Md5Outcome, OpinionOutcome, StartOutcome } from '../domain/verification/outcomes.ts';
import type { Region } from '../domain/verification/regions.ts';
import type { ShapeTrouble } from '../domain/verification/reply-shape.ts';
import type { NotifyJob } from '../redis/notify-queue.ts';
import type { Intent, PackageDigest } from '../redis/scripts/declare-intent.ts';
import type { Slot } from '../redis/scripts/reserve-slots.ts';
import type { Breakers } from './breakers.ts';
import { type Gate, REST_MS } from './gate.ts';
import type { Journal } from './journal.ts';
import type { Lease } from './lease.ts';
import { type AnyAnswer, DETECT, type Meaning, OPINION, START } from './paid-answers.ts';
import { sleep } from './sleep.ts';

/** Why no call was made, or why its answer does not count. The attempt decides what to do next. */
export type WithheldReason =
  | { readonly why: 'lost' | 'ended' | 'cancel' | 'decided' | 'exhausted' | 'expired' }
  /**
   * An intent stays open for another `leftMs`. If `failure` is set, this attempt declared the intent; otherwise an earlier
   * attempt did.
   */
  | { readonly why: 'open'; readonly leftMs: number; readonly failure?: Failure }
  /** The breaker of the call's dependency is open. The attempt may ask again after `waitMs`. */
  | { readonly why: 'broken'; readonly waitMs: number }
  /** The gate is closed because of `code`. The attempt may ask again after `waitMs`. */
  | { readonly why: 'closed'; readonly waitMs: number; readonly code: string }
  /** Another verification got an answer for this package at `answeredAt`, ms since 1970. */
  | { readonly why: 'reused'; readonly answeredAt: number };

export class CallWithheld extends Error {
  readonly reason: WithheldReason;

  constructor(reason: WithheldReason) {
    super(`the paid call was withheld: ${reason.why}`);
    this.name = 'CallWithheld';
    this.reason = reason;
  }
}

export interface Payment {
  readonly journal: Journal;
  readonly lease: Lease;
  readonly gate: Gate;
  readonly breakers: Breakers;
  readonly mayProbe: boolean;
  readonly id: string;
  readonly region: Region;
  /** The call that is made. */
  readonly action: PaidCall;
  readonly generation: number;
  readonly threshold: number;
  /** Called when this call has opened the gate. */
  onGateOpened(): void;
  /**
   * Called when 80 % of a budget is spent, or when a spent budget has closed the gate.
   * @param budget its label, e.g. 'day 2026-11-28 500 calls'
   */
  onBudget(event: 'warned' | 'spent', budget: string): void;
  /** Called once for each call that is on the vendor's bill, or may be. */
  onBilled(billed: 'yes' | 'possibly', charge: Charge): void;
  /** Called when documented fields of an answer do not have the documented shape. */
  onReplyShape(fields: readonly string[], requestId: string | null): void;
  /** The price of a call now, and the day and month in which the call is booked. */
  charge(): Charge;
  /** Called when Redis does not accept the outcome yet. The write is then repeated until Redis accepts it. */
  onOutcomeWaits(): void;
  readonly callMs: number;
  readonly maxPayments: number;
  readonly package: PackageDigest;
  /** The notification of a decision, if an endpoint is to be notified. */
  readonly notify: NotifyJob | undefined;
  /** Null if the plan has no stage md5. */
  readonly preflight: Md5Outcome | null;
  readonly preflightEntry: HistoryEntry | null;
  /** Ends the wait for a slot when the lease is lost, the caller cancels or the deadline passes. */
  readonly signal: AbortSignal;
}

interface PaidIntent {
  readonly intentId: string;
  readonly charge: Charge;
}

type Prepare<Input> = (callMs: number) => Promise<Input>;
type Keep<Answer, Outcome> = NonNullable<Meaning<Answer, Outcome>['keep']>;
type Call<Input, Answer> = (turn: () => Promise<PaidTurn<Input>>, signal: AbortSignal) => Promise<Answer>;

/** Makes the call that decides a verification. See {@link makeCall}. */
export function pay(
  payment: Payment,
  prepare: Prepare<DetectInput>,
  call: Call<DetectInput, DetectAnswer>,
  keep?: Keep<DetectAnswer, DetectOutcome>,
): Promise<DetectOutcome> {
  return makeCall(payment, prepare, call, keep === undefined ? DETECT : { ...DETECT, keep });
}

/** Makes the call that starts a session. See {@link makeCall}. */
export function payStart<Input>(
  payment: Payment,
  prepare: Prepare<Input>,
  call: Call<Input, FlowStart>,
): Promise<StartOutcome> {
  return makeCall(payment, prepare, call, START);
}

/** Makes the call that asks for a second opinion. See {@link makeCall}. */
export function payOpinion<Input>(
  payment: Payment,
  prepare: Prepare<Input>,
  call: Call<Input, OpinionAnswer>,
): Promise<OpinionOutcome> {
  return makeCall(payment, prepare, call, OPINION);
}

/**
 * @param prepare builds the input of the call, after the intent is declared.
 * @throws Failure if no intent was declared; RecordedFailure if the failure is already in the history; CallWithheld if no call
 * was made, or if the call's answer does not count.
 */
async function makeCall<Input, Answer extends AnyAnswer, Outcome>(
  payment: Payment,
  prepare: Prepare<Input>,
  call: Call<Input, Answer>,
  meaning: Meaning<Answer, Outcome>,
): Promise<Outcome> {
  const intentId = randomBytes(12).toString('base64url');
  const charge = payment.charge();
  const limit = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let startedAt = 0;
  /** The open intent, if there is one. */
  let open = null as Declared | null;

  /** Resolves when the slot has come and only sending remains. A second use moves the intent to a later slot. */
  async function turn(): Promise<PaidTurn<Input>> {
    open = await declare(payment, { intentId, charge });
    startedAt = performance.now();
    const input = await prepare(payment.callMs);
    const { missed } = await payment.gate.waitForSlot(open.slot, payment.signal);
    payment.lease.check();
    startedAt = performance.now();
    clearTimeout(timer);
    timer = setTimeout(() => limit.abort(timedOut()), payment.gate.clock.until(open.until));
    return { input, signal: limit.signal, missed };
  }

  try {
    const answer = await call(turn, payment.signal);
    if (open === null) throw new Error('a call was answered that had no turn');
    if (answer.shapeTrouble !== undefined) payment.onReplyShape(answer.shapeTrouble.fields, answer.requestId);
    const facts = { ms: performance.now() - startedAt, trouble: answer.shapeTrouble };
    const decided = meaning.outcomeOf(answer, payment, charge);
    const outcome = (await meaning.keep?.(decided, answer, limit.signal)) ?? decided;
    const committed = await commit(payment, { intentId, charge }, { outcome, meaning }, facts);
    if (open.probe) await reopenGate(payment);
    return committed;
  } catch (error) {
    if (error instanceof CallWithheld || open === null) throw error;
    const { epoch, probe } = open;
    const failure = error instanceof Failure ? error : internal(error);
    const ms = performance.now() - startedAt;
    const outcome = failure.sent === 'answered' ? meaning.outcomeOfFailure(failure) : null;
    if (probe && failure.sent === 'answered' && saysAccountIsFine(failure)) await reopenGate(payment);
    if (outcome !== null) return await commit(payment, { intentId, charge }, { outcome, meaning }, { ms });
    if (failure.sent === 'maybe') {
      payment.onBilled('possibly', charge);
      throw new CallWithheld({ why: 'open', leftMs: Math.max(0, payment.gate.clock.until(open.until)), failure });
    }
    await report(payment, { intentId, charge }, failure, { meaning, ms });
    throw new RecordedFailure(failure, epoch);
  } finally {
    clearTimeout(timer);
  }
}

/** A failure of the paid call that is already in the journal, so it must not be recorded again. */
export class RecordedFailure extends Error {
  readonly failure: Failure;
  /** The gate's epoch when the call began. */
  readonly epoch: string;

  constructor(failure: Failure, epoch: string) {
    super(failure.message);
    this.name = 'RecordedFailure';
    this.failure = failure;
    this.epoch = epoch;
  }
}

interface Declared {
  /** The call may be sent at `slot` and must be over by `until`. Both are times of Redis's clock, ms since 1970. */
  readonly slot: number;
  readonly until: number;
  readonly epoch: string;
  /** Whether this call probes a closed gate. */
  readonly probe: boolean;
}

/** Waits until shortly before a slot, then declares the intent or, if it is already open, moves it to that slot. */
async function declare(payment: Payment, { intentId, charge }: PaidIntent): Promise<Declared> {
  const { journal, lease, gate, signal } = payment;
  let slot: Slot | null = null;
  const rate = gate.rate(payment.region, payment.action);
  for (;;) {
    signal.throwIfAborted();
    const askedAt = performance.now();
    const intent: Intent = await lease.guard(
      journal.declareIntent({
        call: payment.action,
        intentId,
        generation: payment.generation,
        preflight: payment.preflight,
        preflightEntry: payment.preflightEntry,
        callMs: payment.callMs,
        rate,
        slot,
        maxPayments: payment.maxPayments,
        package: payment.package,
        charge,
        mayProbe: payment.mayProbe,
        passed: payment.breakers.takePassed(),
      }),
    );
    if (intent.kind === 'open') throw new CallWithheld({ why: 'open', leftMs: intent.until - intent.now });
    if (intent.kind === 'reused') throw new CallWithheld({ why: 'reused', answeredAt: intent.answeredAt });
    if (intent.kind === 'broken') {
      throw new CallWithheld({ why: 'broken', waitMs: intent.askAgainAt - intent.now });
    }
    if (intent.kind === 'closed') {
      if (intent.spentBudget !== null) payment.onBudget('spent', intent.spentBudget);
      throw new CallWithheld({ why: 'closed', waitMs: intent.askAgainAt - intent.now, code: intent.code });
    }
    if (intent.kind !== 'go' && intent.kind !== 'slot') throw new CallWithheld({ why: intent.kind });
    gate.clock.learn(intent.now, askedAt);
    if (intent.kind === 'go') {
      const { at, until, epoch, probe, warned } = intent;
      if (warned !== null) payment.onBudget('warned', warned);
      return { slot: at, until, epoch, probe };
    }
    slot = intent.slot;
    await sleep(gate.clock.until(slot.at) - rate.aheadMs + 1, signal); // an earlier script call would only return the same slot
  }
}

/** Whether a failure shows that the account is in order, because the vendor judged the input. A throttled call shows nothing. */
export function saysAccountIsFine(failure: Failure): boolean {
  return ['rejected', 'reupload', 'caller'].includes(classify(failure).class);
}

async function reopenGate({ gate, region, action, id, onGateOpened }: Payment): Promise<void> {
  if (await gate.reopen(region, action, id)) onGateOpened();
}

async function commit<Answer, Outcome>(
  payment: Payment,
  { intentId, charge }: PaidIntent,
  { outcome, meaning }: { readonly outcome: Outcome; readonly meaning: Meaning<Answer, Outcome> },
  { ms, trouble }: { readonly ms: number; readonly trouble?: ShapeTrouble | undefined },
): Promise<Outcome> {
  payment.breakers.pass([faceIdDependency(payment.action)]);
  const { code, requestId, ...recorded } = meaning.reportOf(outcome, payment);
  const { billed } = recorded;
  if (meaning.stage !== 'start') reportBilled(payment, billed, charge);
  const report = {
    call: payment.action,
    intentId,
    generation: payment.generation,
    ...recorded,
    hasUnknownShape: trouble !== undefined,
    sent: true,
    entry: {
      at: Date.now(),
      event: 'done',
      stage: meaning.stage,
      call: callName(intentId),
      ...(code === undefined ? {} : { code }),
      ...(requestId === null ? {} : { requestId }),
      ...billedFacts(billed, charge),
      ...(trouble === undefined ? {} : { shape: trouble.shape }),
      ms,
    },
    restMs: 0,
    package: payment.package,
    charge,
    passed: payment.breakers.takePassed(),
  } as const;
  const answer = await payment.journal.recordOutcome(report, payment.onOutcomeWaits);
  if (answer === 'committed' || answer === 'again') return outcome;
  throw new CallWithheld({ why: 'lost' }); // late or orphan: the script has added the answer to the history or counted it
}

async function report<Answer, Outcome>(
  payment: Payment,
  { intentId, charge }: PaidIntent,
  failure: Failure,
  { meaning, ms }: { readonly meaning: Meaning<Answer, Outcome>; readonly ms: number },
): Promise<void> {
  const { class: kind } = classify(failure);
  const { stage } = meaning;
  const sent = failure.sent === 'answered';
  if (sent && !isSharedTrouble(failure)) payment.breakers.pass([faceIdDependency(payment.action)]);
  const billed = sent ? meaning.billingOf(failure) : 'no';
  reportBilled(payment, billed, charge);
  const outcome = {
    call: payment.action,
    intentId,
    generation: payment.generation,
    decided: null,
    reason: null,
    frame: 'none',
    hasUnknownShape: failure.shape !== undefined,
    sent,
    billed,
    entry: {
      at: Date.now(),
      event: sent ? 'error' : 'unsent',
      stage,
      call: callName(intentId),
      code: failureCode(failure),
      ...(failure.requestId === undefined ? {} : { requestId: failure.requestId }),
      ...(failure.shape === undefined ? {} : { shape: failure.shape }),
      ...billedFacts(billed, charge),
      ms,
    },
    restMs: kind === 'throttled' ? REST_MS : 0,
    package: payment.package,
    charge,
    passed: payment.breakers.takePassed(),
  } as const;
  await payment.journal.recordOutcome(outcome, payment.onOutcomeWaits);
}

function reportBilled(payment: Payment, billed: Billed, charge: Charge): void {
  if (billed !== 'no') payment.onBilled(billed === 'yes' ? 'yes' : 'possibly', charge);
}

function billedFacts(billed: Billed, charge: Charge): Pick<HistoryEntry, 'billed' | 'possiblyBilled' | 'cost'> {
  if (billed === 'no') return {};
  const cost = charge.currency === '' ? {} : { cost: priceText(charge) };
  return { ...(billed === 'yes' ? { billed: true } : { possiblyBilled: true }), ...cost };
}

/** The name by which the history refers to a call. */
export function callName(intentId: string): string {
  return intentId.slice(0, 8);
}

function timedOut(): Failure {
  return localFailure(CODES.TIMEOUT, 'the paid call took longer than its limit: its outcome is not known yet', {
    service: 'faceid',
    sent: 'maybe',
  });
}

/** A failure for a bug before or inside the call. The request may have been sent, so assume that it was. */
function internal(cause: unknown): Failure {
  return localFailure(CODES.INTERNAL, 'an unexpected error inside the paid call', { sent: 'maybe', cause });
}
