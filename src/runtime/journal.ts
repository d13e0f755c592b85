/**
 * The journal, as one attempt sees it. Every write is one Lua script that checks the fence (lock token, `ats`, generation)
 * and can be sent twice without doing its work twice; `outcome` alone needs no lock, since a paid answer is never thrown away.
 */
import { randomUUID } from 'node:crypto';
import pRetry from 'p-retry';
import { Failure } from '../domain/failure.ts';
import type { HistoryEntry } from '../domain/history.ts';
import type { Counter } from '../domain/metrics.ts';
import type { DetectOutcome, Md5Outcome, StoredFrame } from '../domain/outcomes.ts';
import type { FrameState, StageName, State } from '../domain/states.ts';
import type { Lane } from '../domain/verification.ts';
import { type RedisClient, refusesWrites } from '../queue/connection.ts';
import type { GateKeys, JobKeys, Names } from '../queue/names.ts';
import type { NotifyJob } from '../queue/notify-queue.ts';
import { entryOf, type FollowUps, fieldOf } from '../queue/outbox.ts';
import { type JournalRecord, type Reason, readRecord, writeEntry } from '../queue/record.ts';
import { run } from '../queue/scripts.ts';
import { Sealer } from '../queue/seal.ts';

/** Who this attempt is. */
export interface Fence {
  readonly token: string;
  /** BullMQ's count of started attempts, as read when this one began. */
  readonly ats: number;
}

/** `sealed`: a key is missing, so that nobody here can read it. */
export type Verdict =
  | 'sealed'
  | 'lost'
  | 'missing'
  | 'terminal'
  | 'held'
  | 'wait'
  | 'poison'
  | 'expired'
  | 'unheld'
  | 'go';

export interface Begun {
  readonly verdict: Verdict;
  /** Redis's time, ms since 1970. */
  readonly now: number;
  /** `wait`: until it may run. `go`: until admission may be asked for again; 0 = admitted. */
  readonly waitMs: number;
  readonly record: JournalRecord | null;
  /** Of the gate, as it was then. */
  readonly epoch: string;
  /** The record's, also where it cannot be read. */
  readonly generation: number;
}

export type Commit = 'ok' | 'lost' | 'ended' | 'cancel';

export type Intent =
  | {
      readonly kind: 'go';
      readonly now: number;
      readonly until: number;
      readonly at: number;
      readonly epoch: string;
      readonly probe: boolean;
    }
  | { readonly kind: 'slot'; readonly now: number; readonly slot: Slot }
  | { readonly kind: 'open'; readonly now: number; readonly until: number }
  | { readonly kind: 'reused'; readonly at: number }
  | { readonly kind: 'closed'; readonly now: number; readonly until: number; readonly code: string }
  | { readonly kind: 'lost' | 'ended' | 'cancel' | 'decided' | 'exhausted' | 'expired' };

export interface IntentRequest {
  readonly iid: string;
  readonly generation: number;
  readonly preflight: Md5Outcome;
  readonly preflightEntry: HistoryEntry | null;
  readonly callMs: number;
  readonly rate: Rate;
  /** That `slot` named before; null = none yet. */
  readonly slot: Slot | null;
  readonly maxPayments: number;
  /** Digest of the liveness package, and how long an answered one is remembered. */
  readonly package: PackageDigest;
}

export interface PackageDigest {
  readonly digest: string;
  readonly ttlMs: number;
  /** Refuse one that was answered in another verification. */
  readonly refuse: boolean;
}

export type OutcomeAnswer = 'committed' | 'closed' | 'late' | 'again' | 'orphan';

export interface OutcomeReport {
  readonly iid: string;
  readonly generation: number;
  readonly decided: DetectOutcome | null;
  /** Of a decision that is told by a code. */
  readonly reason: Reason | null;
  readonly frame: FrameState;
  readonly sent: boolean;
  readonly billed: boolean;
  readonly entry: HistoryEntry;
  /** The vendor throttled: nobody calls for this long. */
  readonly penaltyMs: number;
  readonly package: PackageDigest;
  /** Of a decision, where somebody wants to be told. */
  readonly notify?: NotifyJob | undefined;
}

/** The vendor's limit for a call, as lanes: see lua/parts/slot.lua. */
export interface Rate {
  readonly lanes: number;
  /** From one call in a lane to the next. */
  readonly laneMs: number;
  /** No slot is sooner than this after it was asked for. */
  readonly soonMs: number;
  /** How long before its slot an intent is declared, at most. */
  readonly aheadMs: number;
}

/** When a call may leave, by Redis's clock, in ms since 1970. */
export interface Slot {
  readonly lane: number;
  readonly at: number;
}

export interface Admission {
  readonly capacity: number;
  readonly holdMs: number;
}

export interface Ending {
  readonly generation: number;
  readonly state: State;
  readonly reason: Reason | null;
  readonly followUps: FollowUps | null;
  readonly entry: HistoryEntry | null;
  readonly frame: FrameState;
  readonly stored: StoredFrame | null;
  /** How long the frame is kept, ms; 0: it is not ours to delete. */
  readonly keepFrameMs: number;
}

const UNTIL_TAKEN = {
  retries: Number.POSITIVE_INFINITY,
  minTimeout: 100,
  maxTimeout: 2_000,
  shouldRetry: ({ error }: { error: Error }) => refusesWrites(error),
};

export class Journal {
  readonly #redis: RedisClient;
  readonly #names: Names;
  readonly #id: string;
  readonly #fence: Fence;
  readonly #job: JobKeys;
  readonly #gate: GateKeys;
  readonly #expiryMs: number;
  readonly #sealer: Sealer;

  constructor(
    redis: RedisClient,
    names: Names,
    id: string,
    fence: Fence,
    job: JobKeys,
    gate: GateKeys,
    expiryMs: number,
    sealer: Sealer = new Sealer(),
  ) {
    this.#redis = redis;
    this.#names = names;
    this.#id = id;
    this.#fence = fence;
    this.#job = job;
    this.#gate = gate;
    this.#expiryMs = expiryMs;
    this.#sealer = sealer;
  }

  async begin(lane: Lane, crashBudget: number, admission: Admission): Promise<Begun> {
    const reply = (await run(
      this.#redis,
      'begin',
      [this.#journal, this.#job.lock, this.#job.job, this.#gate.gate, this.#gate.admitted, this.#gate.express],
      [this.#fence.token, this.#fence.ats, this.#id, lane, crashBudget, admission.capacity, admission.holdMs],
    )) as [Verdict, number, number, string[], string];
    const [verdict, now, waitMs, flat, epoch] = reply;
    const hash: Record<string, string> = {};
    for (let i = 0; i + 1 < flat.length; i += 2) hash[flat[i] ?? ''] = flat[i + 1] ?? '';
    const begun = { now, waitMs, epoch, generation: Number(hash.gen ?? 0) };
    try {
      return { ...begun, verdict, record: readRecord(this.#id, hash, this.#sealer) };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return { ...begun, verdict: 'sealed', record: null };
    }
  }

  /** `waitMs` before asking again; 0 = admitted. */
  async admit(lane: Lane, admission: Admission): Promise<{ waitMs: number; epoch: string }> {
    const keys = [this.#gate.gate, this.#gate.admitted, this.#gate.express];
    const reply = await run(this.#redis, 'admit', keys, [this.#id, lane, admission.capacity, admission.holdMs]);
    const [waitMs, epoch] = reply as [number, string];
    return { waitMs, epoch };
  }

  async renew(leaseMs: number): Promise<'ok' | 'lost' | 'cancel'> {
    const keys = [this.#job.lock, this.#job.job, this.#job.stalled, this.#journal, this.#gate.admitted];
    return (await run(this.#redis, 'renew', keys, [...this.#proof, leaseMs, this.#id])) as 'ok' | 'lost' | 'cancel';
  }

  async commit(stage: StageName, generation: number, outcome: unknown, entry: HistoryEntry): Promise<Commit> {
    const field = `s:${stage}`;
    const sealed = this.#sealer.seal(this.#id, field, JSON.stringify(outcome));
    const args = [...this.#proof, generation, field, sealed, this.#entry(entry)];
    return (await run(this.#redis, 'commit', this.#fenced, args)) as Commit;
  }

  async intent(request: IntentRequest): Promise<Intent> {
    const [kind, now, at, slot, epoch, probe] = (await run(
      this.#redis,
      'intent',
      [...this.#fenced, this.#gate.gate, this.#gate.admitted, this.#names.answered],
      [
        ...this.#proof,
        request.generation,
        this.#id,
        request.iid,
        JSON.stringify(request.preflight),
        this.#entry(request.preflightEntry),
        request.callMs,
        request.slot?.lane ?? '',
        request.slot?.at ?? 0,
        request.maxPayments,
        request.rate.lanes,
        request.rate.laneMs,
        request.rate.soonMs,
        request.rate.aheadMs,
        request.package.refuse ? request.package.digest : '',
        request.package.ttlMs,
      ],
    )) as [Intent['kind'], number, number, (number | string)?, string?, number?];
    if (kind === 'slot') return { kind, now, slot: { at, lane: Number(slot) } };
    if (kind === 'go') return { kind, now, until: at, at: Number(slot), epoch: epoch ?? '0', probe: probe === 1 };
    if (kind === 'closed') return { kind, now, until: at, code: String(slot) };
    if (kind === 'reused') return { kind, at };
    if (kind === 'open') return { kind, now, until: at };
    return { kind };
  }

  /** Told until Redis takes it, for as long as this process lives: a call whose answer is not in the journal is made again. */
  async outcome(report: OutcomeReport): Promise<OutcomeAnswer> {
    const { decided } = report;
    const kind = decided !== null ? 'decision' : report.sent ? 'error' : 'unsent';
    const tell = () =>
      run(
        this.#redis,
        'outcome',
        [
          this.#journal,
          this.#history,
          this.#gate.gate,
          this.#names.counters,
          this.#names.held,
          this.#names.answered,
          this.#names.outbox,
        ],
        [
          this.#id,
          report.iid,
          report.generation,
          kind,
          decided === null ? '' : this.#sealer.seal(this.#id, 's:detect', JSON.stringify(decided)),
          decided?.decision ?? '',
          decided?.similarity ?? '',
          report.frame,
          report.billed ? 1 : 0,
          this.#entry(report.entry),
          report.penaltyMs,
          this.#names.channel,
          report.reason === null ? '' : JSON.stringify(report.reason),
          report.package.digest,
          report.package.ttlMs,
          ...telling(report.notify),
        ],
      );
    return (await pRetry(tell, UNTIL_TAKEN)) as OutcomeAnswer;
  }

  /** @returns `open` with the ms until the intent's deadline, after which it may be declared unknown. */
  async unknown(
    entry: HistoryEntry,
  ): Promise<{ kind: 'unknown' | 'none' | 'lost' | 'ended' | 'open'; leftMs: number }> {
    const keys = [...this.#fenced, this.#names.counters];
    const reply = await run(this.#redis, 'unknown', keys, [...this.#proof, this.#entry(entry)]);
    const [kind, leftMs] = reply as ['unknown' | 'none' | 'lost' | 'ended' | 'open', number];
    return { kind, leftMs };
  }

  async handback(step: {
    generation: number;
    delayMs: number;
    stage: StageName;
    counts: boolean;
    rewind: boolean;
    reason: Reason;
    entry: HistoryEntry | null;
  }): Promise<Commit> {
    const keys = [...this.#fenced, this.#gate.admitted, this.#gate.gate];
    return (await run(this.#redis, 'handback', keys, [
      ...this.#proof,
      step.generation,
      this.#id,
      randomUUID(),
      step.delayMs,
      step.stage,
      step.counts ? 1 : 0,
      step.rewind ? 1 : 0,
      JSON.stringify(step.reason),
      this.#entry(step.entry),
    ])) as Commit;
  }

  /** Takes over a decision that lay beside its frame. `no`: this life has made a call of its own. */
  async adopt(
    generation: number,
    decided: DetectOutcome,
    decidedAt: number,
    reason: Reason | null,
    entry: HistoryEntry,
    notify?: NotifyJob,
  ): Promise<Commit | 'no'> {
    const sealed = this.#sealer.seal(this.#id, 's:detect', JSON.stringify(decided));
    return (await run(
      this.#redis,
      'adopt',
      [...this.#fenced, this.#names.outbox],
      [
        ...this.#proof,
        generation,
        sealed,
        decided.decision,
        decided.similarity ?? '',
        decidedAt,
        reason === null ? '' : JSON.stringify(reason),
        this.#entry(entry),
        ...telling(notify),
      ],
    )) as Commit | 'no';
  }

  /** A failure whose code is in no table: counted for the whole deployment. */
  async countUnknownCode(): Promise<void> {
    await this.#redis.hincrby(this.#names.counters, 'unknownCodes' satisfies Counter, 1);
  }

  /** Sets it aside for a person. */
  async hold(
    generation: number,
    reason: Reason,
    holdMs: number,
    entry: HistoryEntry,
    notify?: NotifyJob,
  ): Promise<Commit> {
    const keys = [...this.#fenced, this.#gate.admitted, this.#gate.gate, this.#names.held, this.#names.outbox];
    const args = [
      ...this.#proof,
      generation,
      this.#id,
      JSON.stringify(reason),
      holdMs,
      this.#entry(entry),
      this.#names.channel,
      ...telling(notify),
    ];
    return (await run(this.#redis, 'hold', keys, args)) as Commit;
  }

  async settle(ending: Ending): Promise<{ kind: 'ok' | 'ended' | 'lost'; state: State | null }> {
    const { live, ended, outbox, channel } = this.#names;
    const [kind, state] = (await run(
      this.#redis,
      'settle',
      [
        ...this.#fenced,
        live,
        ended,
        outbox,
        this.#gate.admitted,
        this.#gate.gate,
        this.#names.held,
        this.#names.frames,
      ],
      [
        ...this.#proof,
        ending.generation,
        this.#id,
        channel,
        ending.state,
        ending.reason === null ? '' : JSON.stringify(ending.reason),
        ending.followUps === null ? '' : entryOf(ending.followUps),
        this.#expiryMs,
        this.#entry(ending.entry),
        ending.frame,
        ending.stored === null ? '' : this.#sealer.seal(this.#id, 'stored', JSON.stringify(ending.stored)),
        ending.keepFrameMs,
      ],
    )) as ['ok' | 'ended' | 'lost', State | ''];
    return { kind, state: state === '' ? null : state };
  }

  #entry(entry: HistoryEntry | null): string {
    return entry === null ? '' : writeEntry(this.#sealer, this.#id, entry);
  }

  get #journal(): string {
    return this.#names.journal(this.#id);
  }

  get #history(): string {
    return this.#names.history(this.#id);
  }

  get #fenced(): readonly string[] {
    return [this.#journal, this.#job.lock, this.#job.job, this.#history];
  }

  get #proof(): readonly [string, number] {
    return [this.#fence.token, this.#fence.ats];
  }
}

/** Where an outbox entry lies, and the entry; both '' where nobody is told. */
function telling(notify: NotifyJob | undefined): readonly [string, string] {
  return notify === undefined ? ['', ''] : [fieldOf(notify), entryOf({ notify })];
}
