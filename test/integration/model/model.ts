/**
 * One verification as the documents have it (docs/states.md, docs/decisions/paid-calls.md, docs/decisions/ends.md), without
 * Redis and without a clock: what each script must answer, and what it must leave behind. A script that is sent twice is
 * asked twice here too.
 */
import type { HeldChoice } from '../../../src/domain/held.ts';
import { type Decision, isTerminal, type State } from '../../../src/domain/states.ts';
import type { Commit, Fence, Intent, OutcomeAnswer, Verdict } from '../../../src/runtime/journal.ts';

export const MAX_PAYMENTS = 2;
export const CRASH_BUDGET = 3;
const HISTORY_KEPT = 40;
/** Outcomes that are known again when they are sent again. */
export const OUTCOMES_KNOWN = 8;

export type Said =
  | { readonly kind: 'decision'; readonly decision: Decision; readonly similarity: number; readonly billed: boolean }
  | { readonly kind: 'error' | 'unsent' };

/** Who works on it, or thinks so: one that lost its lock goes on until it is told. */
export interface Attempt {
  readonly fence: Fence;
  verdict: Verdict | null;
  generation: number;
  /** Knows of a decision. */
  decided: boolean;
  /** Has handed it back, held or ended it, and writes no more. */
  letGo: boolean;
}

/** A call that was declared: what came of it is told once, however often it is sent. */
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
  /** What was committed for the upload. */
  upload: string | null = null;
  preflighted = false;
  open: { readonly iid: string; over: boolean } | null = null;
  readonly unknown = new Set<string>();
  /** Intents whose outcome was told, the newest last. */
  readonly told: string[] = [];
  paid = 0;
  allowed = 0;
  decision: { readonly decision: Decision; readonly similarity: number | null; readonly by: string } | null = null;
  late: { readonly decision: Decision; readonly similarity: number } | null = null;
  cancelled = false;
  waits = false;
  holding: 'on' | 'over' | null = null;
  deadlineOver = false;
  starts = 0;
  letGos = 0;
  tries = 0;
  freshFrom = 0;
  history: number;
  followUps = false;
  /** What its endpoint is to be told before the end. */
  readonly tellings = new Set<string>();
  lock: Fence | null = null;
  ats = 0;
  #begun: Fence | null = null;
  #handedBack: Fence | null = null;

  readonly attempts: Attempt[] = [];
  readonly calls: Call[] = [];

  /** It names an endpoint. */
  readonly webhook: boolean;

  constructor(history: number, webhook: boolean) {
    this.history = history;
    this.webhook = webhook;
  }

  get ended(): boolean {
    return isTerminal(this.state);
  }

  get behind(): number {
    return this.paid + this.unknown.size;
  }

  // ── the lock ───────────────────────────────────────────────────────────────────────────────────────────────────────

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

  // ── what an attempt writes ─────────────────────────────────────────────────────────────────────────────────────────

  begin(fence: Fence): Verdict {
    if (this.lock !== fence) return 'lost';
    if (this.erased) return 'missing';
    if (this.ended) return 'terminal';
    const held = this.holding !== null && this.decision === null;
    if (!this.cancelled && held && this.holding === 'on') return 'held';
    if (!this.cancelled && this.waits) return 'wait';
    if (this.#begun !== fence) this.starts += 1;
    this.#begun = fence;
    this.state = 'active';
    if (held) return 'unheld';
    if (this.starts - 1 - this.letGos >= CRASH_BUDGET) return 'poison';
    if (this.deadlineOver && this.decision === null && this.open === null) return 'expired';
    return 'go';
  }

  commit({ fence, generation }: Attempt, upload: string): Commit {
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

  handback(
    { fence, generation }: Attempt,
    { waits, counts, rewind }: { waits: boolean; counts: boolean; rewind: boolean },
  ): Commit {
    // One attempt hands back once: what comes again is the same script, sent again.
    if (this.lock === fence && this.#handedBack === fence) return 'ok';
    const refused = this.#refused(fence, generation);
    if (refused !== null) return refused;
    if (this.cancelled && this.open === null) return 'cancel';
    // What is decided is not uploaded again: whoever comes next goes on from there.
    if (rewind && this.decision !== null) return 'lost';
    this.#handedBack = fence;
    this.state = 'delayed';
    this.waits = waits;
    this.letGos += 1;
    if (counts) this.tries += 1;
    if (rewind) this.#rewind();
    this.#remember();
    return 'ok';
  }

  hold({ fence, generation }: Attempt): Commit {
    if (this.lock === fence && this.state === 'held') return 'ok';
    const refused = this.#refused(fence, generation);
    if (refused !== null) return refused;
    if (this.decision !== null) return 'lost';
    if (this.cancelled) return 'cancel';
    this.state = 'held';
    this.holding = 'on';
    this.#tell(`held-${this.starts}`);
    this.letGos += 1;
    this.#remember();
    return 'ok';
  }

  settle({ fence, generation }: Attempt, state: 'completed' | 'failed'): { kind: string; state: State | null } {
    const refused = this.#refused(fence, generation);
    if (refused === 'ended') return { kind: 'ended', state: this.erased ? null : this.state };
    if (refused !== null || (state === 'failed' && this.decision !== null)) return { kind: 'lost', state: null };
    this.#remember();
    this.#end(this.cancelled ? 'cancelled' : state, true);
    return { kind: 'ok', state: this.state };
  }

  // ── what needs no lock ─────────────────────────────────────────────────────────────────────────────────────────────

  outcome({ iid, generation }: Call, said: Said): OutcomeAnswer {
    if (this.erased) return 'orphan';
    if (this.told.slice(-OUTCOMES_KNOWN).includes(iid)) return 'again';
    this.told.push(iid);
    if (this.open?.iid === iid) this.open = null;
    this.unknown.delete(iid);
    this.#remember();
    if (said.kind !== 'decision') return 'closed';
    const { decision, similarity, billed } = said;
    if (billed) this.paid += 1;
    if (this.ended || this.decision !== null || generation !== this.generation) {
      if (!this.ended && this.decision === null) this.late = { decision, similarity };
      return 'late';
    }
    this.decision = { decision, similarity, by: 'vendor' };
    this.#tell('decided');
    if (this.state === 'held') this.#goOn();
    return 'committed';
  }

  /** Ends at once where nobody is at it: a held one is nobody's. */
  cancel(): { status: string; state: State | null } {
    if (this.erased) return { status: 'missing', state: null };
    if (this.ended) return { status: 'ended', state: this.state };
    const started = this.history > 0 || this.state !== 'queued';
    if (!this.cancelled) this.#remember();
    this.cancelled = true;
    const worked = this.lock !== null && this.state !== 'held';
    if (this.open !== null || this.decision !== null || worked) return { status: 'cancelling', state: this.state };
    this.#end('cancelled', started || this.webhook);
    return { status: 'cancelled', state: 'cancelled' };
  }

  resolve(choice: HeldChoice, payAgain: boolean, by: string): { status: string; state: State | null } {
    if (this.erased) return { status: 'missing', state: null };
    if (this.state !== 'held') return { status: 'not held', state: this.state };
    const again = choice === 'retry' || choice === 'rewind';
    if (again && this.behind > 0 && !payAgain) return { status: 'pay again', state: 'held' };
    if (choice === 'accept-late' && this.late === null) return { status: 'nothing late', state: 'held' };
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

  /** By the sweeper. */
  expire(): 'expired' | 'no' {
    if (this.erased || this.ended || this.state === 'held' || this.decision !== null || this.open !== null) return 'no';
    if (!this.deadlineOver || this.lock !== null) return 'no';
    this.#remember();
    this.#end(this.cancelled ? 'cancelled' : 'failed', true);
    return 'expired';
  }

  /** What must be left of it in Redis. */
  look() {
    const { state, generation, upload, preflighted, paid, allowed, decision, cancelled, waits, holding } = this;
    const { starts, letGos, tries, freshFrom, history, followUps, unknown, ended } = this;
    return {
      ...{ state, generation, upload, preflighted, paid, allowed, decision, cancelled, waits, holding },
      ...{ starts, letGos, tries, freshFrom, history, followUps },
      open: this.open?.iid ?? null,
      unknown: [...unknown].sort(),
      possiblyPaid: unknown.size,
      late: this.late !== null,
      tellings: [...this.tellings].sort(),
      expires: ended,
      isLive: !ended,
      isEnded: ended,
      isHeld: holding !== null,
    };
  }

  // ── parts ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #refused(fence: Fence, generation: number): 'lost' | 'ended' | null {
    if (this.lock !== fence) return 'lost';
    if (this.erased || this.ended) return 'ended';
    return generation === this.generation ? null : 'lost';
  }

  #tell(event: string): void {
    if (this.webhook) this.tellings.add(event);
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

  #end(state: State, followUps: boolean): void {
    this.state = state;
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
  }
}
