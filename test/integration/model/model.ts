/**
 * A model of one verification, without Redis and without a clock. It follows docs/states.md, docs/decisions/paid-calls.md and
 * docs/decisions/ends.md. The model predicts each script's answer and what the script leaves in Redis. A test that sends a script
 * twice also calls the model twice.
 */
import type { Billed } from '../../../src/domain/errors/index.ts';
import type { HeldChoice } from '../../../src/domain/operations/held.ts';
import type { RetryStatus } from '../../../src/domain/operations/retries.ts';
import { type Decision, isTerminal, type State } from '../../../src/domain/verification/states.ts';
import type { Fence, WriteAnswer } from '../../../src/redis/scripts/attempt-ref.ts';
import type { Verdict } from '../../../src/redis/scripts/begin-attempt.ts';
import type { Intent } from '../../../src/redis/scripts/declare-intent.ts';
import type { OutcomeAnswer } from '../../../src/redis/scripts/record-outcome.ts';

export const MAX_PAYMENTS = 2;
export const CRASH_BUDGET = 2;
const HISTORY_KEPT = 40;
/** Number of recent outcomes that a script recognises if they are sent again. */
export const OUTCOMES_KNOWN = 8;

export type Said =
  | { readonly kind: 'decision'; readonly decision: Decision; readonly similarity: number; readonly billed: Billed }
  | { readonly kind: 'error'; readonly billed: Billed }
  | { readonly kind: 'unsent' };

/** An attempt of a worker. An attempt that has lost its lock continues until a script's answer tells it that the lock is lost. */
export interface Attempt {
  readonly fence: Fence;
  verdict: Verdict | null;
  generation: number;
  /** Whether the worker knows that there is a decision. */
  decided: boolean;
  /** Whether the worker has requeued, held or ended the verification. The worker then writes nothing more. */
  letGo: boolean;
}

/** A declared call. Its outcome counts once, even if it is sent more than once. */
export interface Call {
  readonly iid: string;
  readonly generation: number;
  readonly by: Attempt;
  said: Said | null;
}

export class Model {
  state: State = 'queued';
  erased = false;
  generation = 0;
  /** The committed outcome of the upload stage. */
  upload: string | null = null;
  preflighted = false;
  open: { readonly iid: string; over: boolean } | null = null;
  readonly unknown = new Set<string>();
  /** Intents with a recorded outcome, the newest last. */
  readonly told: string[] = [];
  paid = 0;
  /** The number of answers that the vendor may or may not have billed. */
  undocumented = 0;
  allowed = 0;
  decision: { readonly decision: Decision; readonly similarity: number | null; readonly by: string } | null = null;
  late: { readonly decision: Decision; readonly similarity: number } | null = null;
  cancelled = false;
  waits = false;
  holding: 'on' | 'over' | null = null;
  deadlineOver = false;
  starts = 0;
  letGos = 0;
  /** Whether the current attempt is the only one in its process. */
  alone = false;
  /** The number of attempts that died while they were the only one in their process. */
  crashed = 0;
  tries = 0;
  freshFrom = 0;
  history: number;
  followUps = false;
  /** Whether the data that a retry needs is still kept. */
  kept = false;
  retries = 0;
  /** Webhook events in the outbox, except the event for the end of the verification. */
  readonly tellings = new Set<string>();
  lock: Fence | null = null;
  ats = 0;
  #begun: Fence | null = null;
  #handedBack: Fence | null = null;
  #adopted: object | null = null;

  readonly attempts: Attempt[] = [];
  readonly calls: Call[] = [];

  /** Whether the verification names a webhook endpoint. */
  readonly webhook: boolean;

  constructor(history: number, webhook: boolean) {
    this.history = history;
    this.webhook = webhook;
  }

  get ended(): boolean {
    return isTerminal(this.state);
  }

  /** With the call that has no outcome yet. */
  get possiblyPaid(): number {
    return this.unknown.size + this.undocumented + (this.open === null ? 0 : 1);
  }

  /** Calls that are over and that the vendor billed or may bill. */
  get behind(): number {
    return this.paid + this.unknown.size + this.undocumented;
  }

  // ── the lock ─────────────────────────────────────────────────────────────────────────────────────────────────────

  take(token: string): Attempt {
    this.ats += 1;
    this.lock = { token, ats: this.ats };
    const attempt = { fence: this.lock, verdict: null, generation: 0, decided: false, letGo: false };
    this.attempts.push(attempt);
    return attempt;
  }

  renew(fence: Fence): 'ok' | 'lost' | 'cancel' {
    if (this.lock !== fence || this.erased) return 'lost';
    return this.cancelled && this.open === null ? 'cancel' : 'ok';
  }

  // ── writes of an attempt ─────────────────────────────────────────────────────────────────────────────────────────

  begin(fence: Fence): Verdict {
    if (this.lock !== fence) return 'lost';
    if (this.erased) return 'missing';
    if (this.ended) return 'terminal';
    const held = this.holding !== null && this.decision === null;
    if (!this.cancelled && held && this.holding === 'on') return 'held';
    if (!this.cancelled && this.waits) return 'wait';
    if (this.#begun !== fence) {
      this.starts += 1;
      if (this.alone) this.crashed += 1; // the previous attempt was alone in its process when it died
      this.alone = false;
    }
    this.#begun = fence;
    this.state = 'active';
    if (held) return 'hold_expired';
    if (this.crashed >= CRASH_BUDGET) return 'poison';
    if (this.deadlineOver && this.decision === null && this.open === null) return 'expired';
    return 'go';
  }

  commit({ fence, generation }: Attempt, upload: string): WriteAnswer {
    const refused = this.#refused(fence, generation);
    if (refused !== null) return refused;
    if (this.upload !== upload) this.#remember();
    this.upload = upload;
    return this.cancelled ? 'cancel' : 'ok';
  }

  intent({ fence, generation }: Attempt, iid: string): Intent['kind'] {
    const refused = this.#refused(fence, generation);
    if (refused !== null) return refused;
    if (this.decision !== null) return 'decided';
    if (this.open !== null) return this.open.iid === iid ? 'go' : 'open';
    if (this.cancelled) return 'cancel';
    if (this.behind >= MAX_PAYMENTS + this.allowed) return 'exhausted';
    if (this.deadlineOver) return 'expired';
    this.open = { iid, over: false };
    if (!this.preflighted) this.#remember();
    this.preflighted = true;
    return 'go';
  }

  unknownOutcome(fence: Fence): 'unknown' | 'none' | 'lost' | 'ended' | 'open' {
    if (this.lock !== fence) return 'lost';
    if (this.erased || this.ended) return 'ended';
    if (this.open === null) return 'none';
    if (!this.open.over) return 'open';
    this.unknown.add(this.open.iid);
    this.open = null;
    this.#remember();
    return 'unknown';
  }

  markAlone(fence: Fence): WriteAnswer {
    if (this.lock !== fence) return 'lost';
    if (this.erased || this.ended) return 'ended';
    this.alone = true;
    return 'ok';
  }

  handback(
    { fence, generation }: Attempt,
    { waits, counts, rewind, forgives }: { waits: boolean; counts: boolean; rewind: boolean; forgives: boolean },
  ): WriteAnswer {
    // An attempt requeues at most once, so a second call is a resend after a lost reply and gets the same answer.
    if (this.lock === fence && this.#handedBack === fence) return 'ok';
    const refused = this.#refused(fence, generation);
    if (refused !== null) return refused;
    if (this.cancelled && this.open === null) return 'cancel';
    // A decided verification is not uploaded again: the next attempt continues after the decision.
    if (rewind && this.decision !== null) return 'lost';
    this.#handedBack = fence;
    this.state = 'delayed';
    this.waits = waits;
    this.letGos += 1;
    this.alone = false;
    if (counts) this.tries += 1;
    if (forgives) this.tries = 0;
    if (rewind) this.#rewind();
    this.#remember();
    return 'ok';
  }

  /** The call whose outcome Redis has lost. A receipt next to the frame can prove that call's decision. */
  get lostCall(): string | undefined {
    return this.open?.iid ?? [...this.unknown].sort()[0];
  }

  adopt({ fence, generation }: Attempt, said: { decision: Decision; similarity: number; billed: boolean }) {
    const refused = this.#refused(fence, generation);
    if (refused !== null) return refused;
    // A script that is resent after a lost reply finds the decision that it recorded itself. A later script with an equal decision
    // is refused, because an equal text is sealed differently.
    if (this.decision !== null) return this.#adopted === said ? 'ok' : 'refused';
    if (this.cancelled && this.open === null) return 'cancel';
    if (this.open === null) this.unknown.delete(this.lostCall ?? '');
    this.open = null;
    if (said.billed) this.paid += 1;
    this.decision = { decision: said.decision, similarity: said.similarity, by: 'vendor' };
    this.#adopted = said;
    this.#tell('decided');
    this.#remember();
    return 'ok';
  }

  hold({ fence, generation }: Attempt): WriteAnswer {
    if (this.lock === fence && this.state === 'held') return 'ok';
    const refused = this.#refused(fence, generation);
    if (refused !== null) return refused;
    if (this.decision !== null) return 'lost';
    if (this.cancelled) return 'cancel';
    this.state = 'held';
    this.holding = 'on';
    this.#tell(`held-${this.starts}`);
    this.letGos += 1;
    this.alone = false;
    this.#remember();
    return 'ok';
  }

  settle({ fence, generation }: Attempt, state: 'completed' | 'failed'): { kind: string; state?: State | null } {
    const refused = this.#refused(fence, generation);
    if (refused === 'ended') return { kind: 'ended', state: this.erased ? null : this.state };
    if (refused !== null || (state === 'failed' && this.decision !== null)) return { kind: 'lost' };
    this.#remember();
    this.#end(this.cancelled ? 'cancelled' : state, true, state === 'failed' && !this.cancelled);
    return { kind: 'ok', state: this.state };
  }

  // ── writes without a lock ────────────────────────────────────────────────────────────────────────────────────────

  outcome({ iid, generation }: Call, said: Said): OutcomeAnswer {
    if (this.erased) return 'orphan';
    if (this.told.slice(-OUTCOMES_KNOWN).includes(iid)) return 'again';
    this.told.push(iid);
    if (this.open?.iid === iid) this.open = null;
    this.unknown.delete(iid);
    this.#remember();
    if (said.kind !== 'unsent' && said.billed === 'yes') this.paid += 1;
    if (said.kind !== 'unsent' && said.billed === 'unknown') this.undocumented += 1;
    if (said.kind !== 'decision') return 'closed';
    const { decision, similarity } = said;
    if (this.ended || this.decision !== null || generation !== this.generation) {
      if (!this.ended && this.decision === null) this.late = { decision, similarity };
      return 'late';
    }
    this.decision = { decision, similarity, by: 'vendor' };
    this.#tell('decided');
    if (this.state === 'held') this.#goOn();
    return 'committed';
  }

  /**
   * Ends the verification, unless a call is open, a decision exists, or a worker holds its lock. A lock on a held verification
   * does not count, because it is stale.
   */
  cancel(): { status: string; state: State | null } {
    if (this.erased) return { status: 'missing', state: null };
    if (this.ended) return { status: 'ended', state: this.state };
    const started = this.starts > 0;
    if (!this.cancelled) this.#remember();
    this.cancelled = true;
    const worked = this.lock !== null && this.state !== 'held';
    if (this.open !== null || this.decision !== null || worked) return { status: 'cancelling', state: this.state };
    this.#end('cancelled', started || this.webhook);
    return { status: 'cancelled', state: 'cancelled' };
  }

  resolve(choice: HeldChoice, payAgain: boolean, by: string): { status: string; state: State | null } {
    if (this.erased) return { status: 'missing', state: null };
    if (this.state !== 'held') return { status: 'not_held', state: this.state };
    const again = choice === 'retry' || choice === 'rewind';
    if (again && this.behind > 0 && !payAgain) return { status: 'pay_again', state: 'held' };
    if (choice === 'accept-late' && this.late === null) return { status: 'nothing_late', state: 'held' };
    this.#remember();
    if (choice === 'recapture' || choice === 'accept-late') this.#tell('decided');
    if (choice === 'fail' || choice === 'recapture') {
      if (choice === 'recapture') this.decision = { decision: 'recapture', similarity: null, by };
      this.#end(choice === 'fail' ? 'failed' : 'completed', true);
      return { status: 'ok', state: this.state };
    }
    if (again && this.behind > 0) this.allowed = this.behind;
    if (choice === 'rewind') {
      this.#rewind();
      this.late = null;
    }
    this.#goOn();
    this.deadlineOver = false;
    this.freshFrom = this.generation;
    this.tries = 0;
    if (choice === 'accept-late' && this.late !== null) {
      this.decision = { ...this.late, by };
      this.late = null;
    }
    return { status: 'ok', state: 'delayed' };
  }

  /** The sweeper ends an overdue verification. */
  expire(): boolean {
    if (this.erased || this.ended || this.state === 'held' || this.decision !== null || this.open !== null)
      return false;
    if (!this.deadlineOver || this.lock !== null) return false;
    this.#remember();
    this.#end(this.cancelled ? 'cancelled' : 'failed', true, !this.cancelled);
    return true;
  }

  /** The follow-ups of the end are delivered. */
  deliver(): void {
    this.followUps = false;
  }

  /** An operator starts an ended verification again. Calls of the earlier run still count. */
  retry(): RetryStatus {
    if (this.erased) return 'erased';
    if (!this.ended) return 'not_ended';
    if (this.state === 'cancelled') return 'cancelled';
    if (this.state === 'completed') return 'answered'; // no step of the test loses a frame
    if (this.lock !== null || this.followUps) return 'ending';
    if (!this.kept) return 'sources_gone';
    if (this.behind + (this.open === null ? 0 : 1) >= MAX_PAYMENTS) return 'payments_used';
    this.state = 'queued';
    this.kept = false;
    this.retries += 1;
    this.#rewind();
    this.freshFrom = this.generation;
    this.tries = 0;
    this.deadlineOver = false;
    this.#remember();
    return 'run';
  }

  /** @returns what Redis must hold. */
  look() {
    const { state, generation, upload, preflighted, paid, allowed, decision, cancelled, waits, holding } = this;
    const { alone, crashed, starts, letGos, tries, freshFrom, history, followUps, unknown, ended, kept, retries } =
      this;
    return {
      ...{ state, generation, upload, preflighted, paid, allowed, decision, cancelled, waits, holding },
      ...{ alone, crashed, starts, letGos, tries, freshFrom, history, followUps, kept, retries },
      open: this.open?.iid ?? null,
      unknown: [...unknown].sort(),
      possiblyPaid: this.possiblyPaid,
      late: this.late !== null,
      tellings: [...this.tellings].sort(),
      expires: ended,
      isLive: !ended,
      isEnded: ended,
      isHeld: holding !== null,
    };
  }

  // ── helpers ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #refused(fence: Fence, generation: number): 'lost' | 'ended' | null {
    if (this.lock !== fence) return 'lost';
    if (this.erased || this.ended) return 'ended';
    return generation === this.generation ? null : 'lost';
  }

  #tell(event: string): void {
    const life = this.retries === 0 ? '' : `retry-${this.retries}-`;
    if (this.webhook) this.tellings.add(`${life}${event}`);
  }

  #remember(): void {
    this.history = Math.min(this.history + 1, HISTORY_KEPT);
  }

  #rewind(): void {
    this.generation += 1;
    this.upload = null;
    this.preflighted = false;
  }

  #goOn(): void {
    this.state = 'delayed';
    this.waits = false;
    this.holding = null;
  }

  #end(state: State, followUps: boolean, kept = false): void {
    this.state = state;
    this.kept = kept;
    this.followUps = followUps;
    this.upload = null;
    this.preflighted = false;
    this.late = null;
    this.waits = false;
    this.holding = null;
    this.allowed = 0;
    this.freshFrom = 0;
    this.starts = 0;
    this.letGos = 0;
    this.alone = false;
    this.crashed = 0;
  }
}
