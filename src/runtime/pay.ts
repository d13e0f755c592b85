/**
 * The paid call: at most one for each intent.
 *
 * 1. The intent is in Redis before a byte leaves: one intent, at most one call.
 * 2. It is declared shortly before its slot of the rate, with the connection open. In the slot the lease is checked once more,
 *    and the call leaves. Where the slot was missed, nothing leaves, and the intent moves to a later one.
 * 3. After that nothing but the call's own limit stops it: an answer that was paid for is recorded even if this attempt has
 *    lost its lease or its caller has cancelled.
 * 4. A call that provably never left closes its intent as unsent. One that may have left stays open until its deadline.
 */
import { randomBytes } from 'node:crypto';
import type { ActionName, Region } from '../domain/actions.ts';
import { CODES, classify, nameOf } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { HistoryEntry } from '../domain/history.ts';
import { judgeAnswer, judgeFailure } from '../domain/judge.ts';
import type { DetectOutcome, Md5Outcome } from '../domain/outcomes.ts';
import type { DetectAnswer, DetectInput, PaidTurn } from '../domain/ports.ts';
import type { NotifyJob } from '../queue/notify-queue.ts';
import { whyDecided } from '../queue/record.ts';
import { type Gate, REST_MS } from './gate.ts';
import type { Intent, Journal, PackageDigest, Slot } from './journal.ts';
import type { Lease } from './lease.ts';
import { sleep } from './sleep.ts';

/** Why no call was made, or what is to be waited for; the attempt decides what that means. */
export class Withheld extends Error {
  readonly why: 'lost' | 'ended' | 'cancel' | 'decided' | 'exhausted' | 'expired' | 'open' | 'closed' | 'reused';
  /** For `open`: ms until the open intent's deadline; for `closed`: until it is worth asking again; for `reused`: when the
   * package was answered, ms since 1970. */
  readonly waitMs: number;
  /** For `closed`: why the gate is closed. */
  readonly code: string | null;

  constructor(why: Withheld['why'], waitMs = 0, code: string | null = null) {
    super(`the paid call was withheld: ${why}`);
    this.name = 'Withheld';
    this.why = why;
    this.waitMs = waitMs;
    this.code = code;
  }
}

export interface Payment {
  readonly journal: Journal;
  readonly lease: Lease;
  readonly gate: Gate;
  readonly id: string;
  readonly region: Region;
  readonly action: ActionName;
  readonly generation: number;
  readonly threshold: number;
  /** Told when this call has opened the gate. */
  onGate(change: 'opened', code: null): void;
  readonly callMs: number;
  readonly maxPayments: number;
  readonly package: PackageDigest;
  /** Of the decision, where somebody wants to be told. */
  readonly notify: NotifyJob | undefined;
  readonly preflight: Md5Outcome;
  readonly preflightEntry: HistoryEntry | null;
  /** Ends the wait for a slot: lease, cancel, deadline. */
  readonly signal: AbortSignal;
}

type Prepare = (callMs: number) => Promise<DetectInput>;
type Call = (turn: () => Promise<PaidTurn>, signal: AbortSignal) => Promise<DetectAnswer>;

/**
 * @param prepare makes what is sent, under the declared intent.
 * @throws Failure where no intent was declared, Recorded (a Failure that the history has already), or Withheld.
 */
export async function pay(payment: Payment, prepare: Prepare, call: Call): Promise<DetectOutcome> {
  const iid = randomBytes(12).toString('base64url');
  const limit = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let startedAt = 0;
  /** The intent that is open, where one is. */
  let open = null as Declared | null;

  /** Ends in the slot, when nothing but sending is left to be done. Asked again, it moves the intent to a later slot. */
  async function turn(): Promise<PaidTurn> {
    open = await declare(payment, iid);
    startedAt = performance.now();
    const input = await prepare(payment.callMs);
    const { missed } = await payment.gate.reach(open.slot, payment.signal);
    payment.lease.check();
    startedAt = performance.now();
    clearTimeout(timer);
    timer = setTimeout(() => limit.abort(timedOut()), payment.gate.clock.until(open.until));
    return { input, signal: limit.signal, missed };
  }

  try {
    const answer = await call(turn, payment.signal);
    if (open === null) throw new Error('a call was answered that had no turn');
    const outcome = judgeAnswer(answer, payment.threshold);
    const committed = await commit(payment, iid, outcome, performance.now() - startedAt);
    if (open.probe) await healed(payment);
    return committed;
  } catch (error) {
    if (error instanceof Withheld || open === null) throw error;
    const { epoch, probe } = open;
    const failure = error instanceof Failure ? error : internal(error);
    const ms = performance.now() - startedAt;
    const outcome = failure.sent === 'answered' ? judgeFailure(failure) : null;
    if (probe && failure.sent === 'answered' && saysAccountIsFine(failure)) await healed(payment);
    if (outcome !== null) return await commit(payment, iid, outcome, ms);
    if (failure.sent === 'maybe') throw new Withheld('open', Math.max(0, payment.gate.clock.until(open.until)));
    await report(payment, iid, failure, ms);
    throw new Recorded(failure, epoch);
  } finally {
    clearTimeout(timer);
  }
}

/** A failure of the paid call that the journal knows already. */
export class Recorded extends Error {
  readonly failure: Failure;
  /** Of the gate, when the call began. */
  readonly epoch: string;

  constructor(failure: Failure, epoch: string) {
    super(failure.message);
    this.name = 'Recorded';
    this.failure = failure;
    this.epoch = epoch;
  }
}

interface Declared {
  /** When the call may leave, and when it must be over, by Redis's clock. */
  readonly slot: number;
  readonly until: number;
  readonly epoch: string;
  /** This call probes a closed gate. */
  readonly probe: boolean;
}

/** Waits until shortly before a slot of the rate, and declares the intent; or moves the open one to a later slot. */
async function declare(payment: Payment, iid: string): Promise<Declared> {
  const { journal, lease, gate, signal } = payment;
  let slot: Slot | null = null;
  const rate = gate.rate(payment.region, payment.action);
  for (;;) {
    signal.throwIfAborted();
    const askedAt = performance.now();
    const intent: Intent = await lease.guard(
      journal.intent({
        iid,
        generation: payment.generation,
        preflight: payment.preflight,
        preflightEntry: payment.preflightEntry,
        callMs: payment.callMs,
        rate,
        slot,
        maxPayments: payment.maxPayments,
        package: payment.package,
      }),
    );
    if (intent.kind === 'open') throw new Withheld('open', intent.until - intent.now);
    if (intent.kind === 'reused') throw new Withheld('reused', intent.at);
    if (intent.kind === 'closed') throw new Withheld('closed', intent.until - intent.now, intent.code);
    if (intent.kind !== 'go' && intent.kind !== 'slot') throw new Withheld(intent.kind);
    gate.clock.learn(intent.now, askedAt);
    if (intent.kind === 'go') {
      const { at, until, epoch, probe } = intent;
      return { slot: at, until, epoch, probe };
    }
    slot = intent.slot;
    await sleep(gate.clock.until(slot.at) - rate.aheadMs + 1, signal); // any earlier, it would be told the same again
  }
}

/** A throttled or broken answer says nothing about the account. */
export function saysAccountIsFine(failure: Failure): boolean {
  return ['rejected', 'reupload', 'caller'].includes(classify(failure).class);
}

async function healed({ gate, region, action, id, onGate }: Payment): Promise<void> {
  if (await gate.heal(region, action, id)) onGate('opened', null);
}

async function commit(payment: Payment, iid: string, outcome: DetectOutcome, ms: number): Promise<DetectOutcome> {
  const answer = await payment.journal.outcome({
    iid,
    generation: payment.generation,
    decided: outcome,
    reason: whyDecided(outcome),
    frame: outcome.bestFrame === null ? 'none' : 'pending',
    sent: true,
    billed: outcome.billed,
    entry: {
      at: Date.now(),
      event: 'done',
      stage: 'detect',
      code: outcome.result,
      ...(outcome.requestId === null ? {} : { requestId: outcome.requestId }),
      billed: outcome.billed,
      ms,
    },
    penaltyMs: 0,
    package: payment.package,
    notify: payment.notify,
  });
  if (answer === 'committed' || answer === 'again') return outcome;
  throw new Withheld('lost'); // late or orphan: the answer is in the history or counted, and this attempt has no more say
}

async function report(payment: Payment, iid: string, failure: Failure, ms: number): Promise<void> {
  const { class: kind, billed } = classify(failure);
  const sent = failure.sent === 'answered';
  await payment.journal.outcome({
    iid,
    generation: payment.generation,
    decided: null,
    reason: null,
    frame: 'none',
    sent,
    billed: sent && billed === 'yes',
    entry: {
      at: Date.now(),
      event: sent ? 'error' : 'unsent',
      stage: 'detect',
      code: nameOf(failure),
      ...(failure.requestId === undefined ? {} : { requestId: failure.requestId }),
      ms,
    },
    penaltyMs: kind === 'throttled' ? REST_MS : 0,
    package: payment.package,
  });
}

function timedOut(): Failure {
  const facts = { service: 'faceid', channel: 'local', code: CODES.TIMEOUT, sent: 'maybe' } as const;
  return new Failure(facts, 'the paid call took longer than its limit; nobody knows yet whether it was done');
}

/** A bug of ours before or inside the call. That it was thrown here says nothing about bytes: assume that they left. */
function internal(cause: unknown): Failure {
  const facts = { service: 'bestframe', channel: 'local', code: CODES.INTERNAL, sent: 'maybe' } as const;
  return new Failure(facts, 'an unexpected error inside the paid call', { cause });
}
