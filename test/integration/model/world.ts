/**
 * One verification in a real Redis, with methods that change it, compare it with the model, and check the invariants.
 */
import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { expect } from 'vitest';
import type { BestframeClient } from '../../../src/client/redis/client.ts';
import { type Charge, chargeOf, NO_PRICES } from '../../../src/domain/operations/costs.ts';
import type { RetryStatus } from '../../../src/domain/operations/retries.ts';
import type { HistoryEntry } from '../../../src/domain/verification/history.ts';
import { isTerminal } from '../../../src/domain/verification/states.ts';
import { Journal } from '../../../src/pipeline/journal.ts';
import { entryText, NextPositions, openHistory } from '../../../src/redis/history.ts';
import type { Names } from '../../../src/redis/names.ts';
import { notification } from '../../../src/redis/notify-queue.ts';
import { endField } from '../../../src/redis/outbox.ts';
import { Places } from '../../../src/redis/read-surroundings.ts';
import { type JournalRecord, readRecord } from '../../../src/redis/record.ts';
import type { Fence } from '../../../src/redis/scripts/attempt-ref.ts';
import { expireOverdue } from '../../../src/redis/scripts/expire-overdue.ts';
import { retryEnded } from '../../../src/redis/scripts/retry-ended.ts';
import { parseKeyRing, Sealer } from '../../../src/redis/sealer.ts';
import { MAX_PAYMENTS, type Model } from './model.ts';

export const REGION = 'ap-singapore';
/** The webhook endpoint that the model test registers. */
export const WEBHOOK = 'shop';
/**
 * All webhook events that can be in the outbox. Each hold of the verification adds one event, and no sequence of steps has 40
 * holds.
 */
const EVENTS = ['decided', ...Array.from({ length: 40 }, (_, starts) => `held-${starts + 1}`)];

/** All events of a verification that was retried `retries` times. */
function eventsOf(retries: number): string[] {
  const again = Array.from({ length: retries }, (_, index) => EVENTS.map((event) => `retry-${index + 1}-${event}`));
  return [...EVENTS, ...again.flat()];
}

const DETECT = 'DetectReflectLivenessAndCompare';
export const HOUR_MS = 3_600_000;
export const OPERATOR = 'maria';
export const KEEP = { ms: HOUR_MS, maxPayments: MAX_PAYMENTS };
/** Everything is sealed, so that each script is also tried with history entries that are bound to their positions. */
export const KEY_RING = `k1:${randomBytes(32).toString('base64')}`;
const SEALER = new Sealer(parseKeyRing(KEY_RING));
export const ENTRY: HistoryEntry = { at: 1, event: 'done', stage: 'detect', ms: 5 };

export interface Deployment {
  readonly redis: Redis;
  readonly names: Names;
  readonly client: BestframeClient;
}

type Hash = Readonly<Record<string, string>>;

export class World {
  readonly id: string;
  readonly webhook: string | null;
  readonly client: BestframeClient;
  readonly #redis: Redis;
  readonly #names: Names;
  readonly #positions = new NextPositions();
  hash: Hash = {};
  record: JournalRecord | null = null;
  /** Intents of declared calls that are neither answered nor marked as unknown. */
  readonly outstanding = new Set<string>();
  /** Decisions in the vendor's answers. */
  readonly told = new Set<string>();
  /** Number of billed calls. */
  billed = 0;
  /** Number of calls whose answer the vendor may bill. */
  maybeBilled = 0;
  /**
   * The ledger entry of a paid call. Day and month contain the verification's id, so that no other verification writes to the
   * same ledger.
   */
  readonly charge: Charge;
  /** Number of payments that an operator allowed beyond the maximum. */
  allowed = 0;

  private constructor({ redis, names, client }: Deployment, id: string, webhook: boolean) {
    this.id = id;
    this.webhook = webhook ? WEBHOOK : null;
    this.client = client;
    this.charge = { ...chargeOf(NO_PRICES, DETECT, 0), day: `${id}-day`, month: `${id}-month` };
    this.#redis = redis;
    this.#names = names;
  }

  /** @param past the number of history entries to add, as if the verification had a longer past. */
  static async claimed(deployment: Deployment, key: string, past: number, webhook: boolean): Promise<World> {
    const { client, redis, names } = deployment;
    const resources = {
      liveData: { from: 'file', path: '/in/live.gz' },
      image: { from: 'file', path: '/in/photo.jpg' },
    } as const;
    const request = { key, region: REGION, upload: 'own-bucket', lane: 'batch', resources } as const;
    const { id } = await client.enqueue(webhook ? { ...request, webhook: WEBHOOK } : request);
    const entries = Array.from({ length: past }, (_, index) => entryText(SEALER, id, index + 1, ENTRY));
    if (past > 0) await redis.rpush(names.history(id), ...entries);
    return new World(deployment, id, webhook);
  }

  get retries(): number {
    return this.record?.retries ?? 0;
  }

  get followUps() {
    const erase = { id: this.id, region: REGION, action: DETECT, generations: 1 } as const;
    return { erase, ...notification(this, 'ended') };
  }

  /** @param twice sends each script a second time, as ioredis does after a lost reply. The second answer counts. */
  journal(fence: Fence, twice: boolean): Journal {
    return new Journal(this.#through(twice), { id: this.id, region: REGION, action: DETECT, ...fence }, HOUR_MS);
  }

  /** Runs the script that the sweeper uses for overdue verifications. */
  expire(twice: boolean): Promise<boolean> {
    const place = { id: this.id, region: REGION, action: DETECT } as const;
    return expireOverdue(this.#through(twice), place, { followUps: this.followUps, expiryMs: HOUR_MS, keep: KEEP });
  }

  /** Plans a retry and, if it is possible, carries it out. A plan must not change anything. */
  async retry(twice: boolean): Promise<RetryStatus> {
    const place = { id: this.id, region: REGION, subject: null } as const;
    const before = await this.read();
    const plan = await retryEnded(this.#through(false), place, { expiryMs: HOUR_MS, write: null });
    expect(await this.read()).toEqual(before);
    if (plan.status !== 'run') return plan.status;
    const write = { entry: ENTRY, plan };
    const { status } = await retryEnded(this.#through(twice), place, { expiryMs: HOUR_MS, write });
    return status;
  }

  /** Removes the entry for the end from the outbox, as happens when the follow-ups are delivered. */
  async deliver(): Promise<void> {
    await this.#redis.hdel(this.#names.outbox, endField({ id: this.id, retries: this.retries }));
  }

  #through(twice: boolean) {
    const positions = this.#positions;
    return { redis: this.#connection(twice), names: this.#names, sealer: SEALER, positions, places: new Places() };
  }

  #connection(twice: boolean): Redis {
    if (!twice) return this.#redis;
    return new Proxy(this.#redis, {
      get(target, name) {
        if (name !== 'evalsha' && name !== 'eval') return Reflect.get(target, name, target);
        return async (...args: Parameters<Redis['evalsha']>) => {
          await target[name](...args);
          return target[name](...args);
        };
      },
    });
  }

  // ── direct changes in Redis ──────────────────────────────────────────────────────────────────────────────────────

  /** Locks the job as BullMQ does when a worker takes it. */
  async lock({ token, ats }: Fence): Promise<void> {
    const { lock, job } = this.#names.job(REGION, this.id);
    await this.#redis.multi().set(lock, token, 'PX', HOUR_MS).hset(job, 'ats', ats).exec();
  }

  async unlock(): Promise<void> {
    await this.#redis.del(this.#names.job(REGION, this.id).lock);
  }

  /** Sets times of the journal to the past, because the clock of Redis cannot be moved. */
  async passed(fields: object): Promise<void> {
    await this.#redis.hset(this.#names.journal(this.id), fields);
  }

  /** Erases the verification. Only a tombstone is left, and no writer may change it. */
  async erase(): Promise<void> {
    const { journal, history, live, ended, held, outbox, kept } = this.#names;
    const erasing = this.#redis
      .multi()
      .del(journal(this.id), history(this.id), kept(this.id))
      .hset(journal(this.id), 'erased', 1);
    for (const index of [live, ended, held]) erasing.zrem(index, this.id);
    await erasing.hdel(outbox, endField({ id: this.id, retries: this.retries })).exec();
  }

  /** @returns the journal as it is now. */
  read(): Promise<Hash> {
    return this.#redis.hgetall(this.#names.journal(this.id));
  }

  // ── invariants ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Reads the verification from Redis, and compares it with the model and with its previous state. */
  async check(model: Model): Promise<void> {
    const { journal, history, live, ended, held, outbox, kept } = this.#names;
    await this.#checkLedger(model);
    const { retries } = model;
    const tellings = eventsOf(retries);
    const replies = await this.#redis
      .multi()
      .hgetall(journal(this.id))
      .lrange(history(this.id), 0, -1)
      .pttl(journal(this.id))
      .zscore(live, this.id)
      .zscore(ended, this.id)
      .zscore(held, this.id)
      .hexists(outbox, endField({ id: this.id, retries }))
      .hmget(outbox, ...tellings.map((event) => `${this.id}:${event}`))
      .exists(kept(this.id))
      .exec();
    const [hash, texts, life, isLive, isEnded, isHeld, followUps, told, keeps] = (replies ?? []).map(
      ([, reply]) => reply,
    );
    const entries = openHistory(SEALER, this.id, texts as string[], { isSealed: true, createdAt: 0 });
    expect(entries.filter(({ event }) => event === 'altered')).toEqual([]);
    const before = this.record;
    this.hash = hash as Hash;
    this.record = readRecord(this.id, this.hash, SEALER);
    if (this.record === null) {
      expect(model.erased).toBe(true);
      expect(this.hash).toEqual({ erased: '1' });
      return;
    }
    expect({
      ...lookOf(this.record, this.hash),
      history: entries.length,
      expires: Number(life) > 0,
      isLive: isLive !== null,
      isEnded: isEnded !== null,
      isHeld: isHeld !== null,
      followUps: followUps === 1,
      kept: keeps === 1,
      tellings: tellings.filter((_, index) => (told as (string | null)[])[index] !== null).sort(),
    }).toEqual(model.look());
    const rules = this.#rules(before ?? this.record, this.record, entries.length);
    expect(Object.entries(rules).filter(([, holds]) => !holds)).toEqual([]);
  }

  /** The ledger counts each call at most once, and keeps the calls of an erased verification. */
  async #checkLedger(model: Model): Promise<void> {
    if (model.erased) return;
    const fields = ['all|paid', 'all|maybe', `${REGION}|${DETECT}||paid`, `${REGION}|${DETECT}||maybe`];
    const booked = await this.#redis.hmget(this.#names.costs(this.charge.day), ...fields);
    const maybe = model.possiblyPaid;
    expect(booked.map((count) => Number(count ?? 0))).toEqual([model.paid, maybe, model.paid, maybe]);
  }

  /** Invariants that do not depend on the model: they use only the records, the calls and the answers. */
  #rules(before: JournalRecord, now: JournalRecord, entries: number): Readonly<Record<string, boolean>> {
    const money = now.paid + now.possiblyPaid;
    const same = (...fields: (keyof JournalRecord)[]) => fields.every((field) => before[field] === now[field]);
    const ended = isTerminal(now.state);
    const byPerson = now.decision === 'recapture' && now.decidedBy === OPERATOR;
    return {
      'a final state changes only by a retry, which keeps every call':
        !isTerminal(before.state) || same('state') || now.retries === before.retries + 1,
      'a cancelled verification ends as cancelled': !before.cancelled || !ended || now.state === 'cancelled',
      'a completed verification has a decision': now.state !== 'completed' || now.decision !== null,
      'a decision is made once': before.decision === null || same('decision', 'similarity', 'decidedBy', 'decidedAt'),
      'a decision comes from the vendor, or is an operator’s recapture':
        now.decision === null || this.told.has(now.decision) || byPerson,
      'each billed call is counted once': now.paid === this.billed,
      'each call that may be billed is counted': now.possiblyPaid >= this.maybeBilled,
      'payments stay within the limit': money <= MAX_PAYMENTS + this.allowed,
      'at most one call is open': this.outstanding.size <= 1,
      'generations only rise': now.generation >= before.generation,
      'the history is bounded': entries <= 40,
    };
  }
}

function lookOf(record: JournalRecord, hash: Hash) {
  const { state, generation, openIntent, paid, possiblyPaid, decision, similarity, decidedBy, cancelled } = record;
  const ahead = (time: number | null) => (time ?? 0) - Date.now() > HOUR_MS / 2;
  return {
    ...{ state, generation, paid, possiblyPaid, cancelled, starts: Number(hash.starts ?? 0) },
    upload: hash['s:upload'] === undefined ? null : SEALER.open(record.id, 's:upload', hash['s:upload']),
    preflighted: record.outcomes.md5 !== undefined,
    open: openIntent?.iid ?? null,
    unknown: Object.keys(hash)
      .filter((field) => field.startsWith('u:'))
      .map((field) => field.slice(2))
      .sort(),
    allowed: Number(hash.allowed ?? 0),
    decision: decision === null ? null : { decision, similarity, by: decidedBy },
    late: record.hasLateAnswer,
    waits: ahead(record.notBefore),
    holding: record.heldUntil === null ? null : ahead(record.heldUntil) ? 'on' : 'over',
    letGos: Number(hash.yields ?? 0),
    alone: hash.alone !== undefined,
    crashed: Number(hash.crashed ?? 0),
    tries: record.attempts.detect,
    freshFrom: record.freshFrom,
    retries: record.retries,
  };
}
