/** One verification in a real Redis: who works on it, what is left of it, and what must hold of it whatever the model says. */
import type { Redis } from 'ioredis';
import { expect } from 'vitest';
import type { BestframeClient } from '../../../src/client/client.ts';
import { type HistoryEntry, packHistory } from '../../../src/domain/history.ts';
import { isTerminal } from '../../../src/domain/states.ts';
import type { Names } from '../../../src/queue/names.ts';
import { notification } from '../../../src/queue/notify-queue.ts';
import { type JournalRecord, readRecord } from '../../../src/queue/record.ts';
import { run } from '../../../src/queue/scripts.ts';
import { Sealer } from '../../../src/queue/seal.ts';
import { type Fence, Journal } from '../../../src/runtime/journal.ts';
import { MAX_PAYMENTS, type Model } from './model.ts';

export const REGION = 'ap-singapore';
/** Registered where the model runs. */
export const WEBHOOK = 'shop';
/** More than runs hold it in a sequence. */
const TOLD = ['decided', ...Array.from({ length: 40 }, (_, starts) => `held-${starts + 1}`)];
const DETECT = 'DetectReflectLivenessAndCompare';
export const HOUR_MS = 3_600_000;
export const OPERATOR = 'maria';
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
  hash: Hash = {};
  record: JournalRecord | null = null;
  /** Calls that somebody was told to make, and that were neither answered nor given up. */
  readonly outstanding = new Set<string>();
  /** Decisions that the vendor told. */
  readonly told = new Set<string>();
  /** Calls that were billed. */
  billed = 0;
  /** What a person allowed beyond the most that may be paid. */
  allowed = 0;

  private constructor({ redis, names, client }: Deployment, id: string, webhook: boolean) {
    this.id = id;
    this.webhook = webhook ? WEBHOOK : null;
    this.client = client;
    this.#redis = redis;
    this.#names = names;
  }

  /** @param past entries of its history, as if they had been there long ago. */
  static async claimed(deployment: Deployment, key: string, past: number, webhook: boolean): Promise<World> {
    const { client, redis, names } = deployment;
    const resources = {
      liveData: { from: 'file', path: '/in/live.gz' },
      image: { from: 'file', path: '/in/photo.jpg' },
    } as const;
    const request = { key, region: REGION, upload: 'own-bucket', lane: 'batch', resources } as const;
    const { id } = await client.enqueue(webhook ? { ...request, webhook: WEBHOOK } : request);
    if (past > 0) await redis.rpush(names.history(id), ...new Array<string>(past).fill(packHistory(ENTRY)));
    return new World(deployment, id, webhook);
  }

  get followUps() {
    const erase = { id: this.id, region: REGION, action: DETECT, generations: 1 } as const;
    return { erase, ...notification(this, 'ended') };
  }

  /** @param twice as ioredis does where a reply was dropped: the script is sent again, and that answer counts. */
  journal(fence: Fence, twice: boolean): Journal {
    const [job, gate] = [this.#names.job(REGION, this.id), this.#names.gate(REGION, DETECT)];
    return new Journal(this.#connection(twice), this.#names, this.id, fence, job, gate, HOUR_MS);
  }

  /** What the sweeper runs. */
  async expire(twice: boolean): Promise<unknown> {
    const { journal, history, live, ended, outbox, held, channel } = this.#names;
    const { admitted, express } = this.#names.gate(REGION, DETECT);
    const { lock } = this.#names.job(REGION, this.id);
    const keys = [journal(this.id), lock, history(this.id), live, ended, outbox, held, admitted, express];
    const reason = JSON.stringify({ code: 'DEADLINE_EXCEEDED', class: 'caller' });
    const args = [this.id, channel, JSON.stringify(this.followUps), HOUR_MS, packHistory(ENTRY), reason];
    return run(this.#connection(twice), 'expire', keys, args);
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

  // ── what is done to it by hand ───────────────────────────────────────────────────────────────────────────────────

  /** As BullMQ hands a job out. */
  async lock({ token, ats }: Fence): Promise<void> {
    const { lock, job } = this.#names.job(REGION, this.id);
    await this.#redis.multi().set(lock, token, 'PX', HOUR_MS).hset(job, 'ats', ats).exec();
  }

  async unlock(): Promise<void> {
    await this.#redis.del(this.#names.job(REGION, this.id).lock);
  }

  /** Redis’s clock cannot be moved: what waits for a time is given one that has passed. */
  async passed(fields: object): Promise<void> {
    await this.#redis.hset(this.#names.journal(this.id), fields);
  }

  /** What is left is a tombstone, which every writer must leave as it is. */
  async erase(): Promise<void> {
    const { journal, history, live, ended, held, outbox } = this.#names;
    const erasing = this.#redis.multi().del(journal(this.id), history(this.id)).hset(journal(this.id), 'erased', 1);
    for (const index of [live, ended, held]) erasing.zrem(index, this.id);
    await erasing.hdel(outbox, this.id).exec();
  }

  /** @returns the journal as it is now. */
  read(): Promise<Hash> {
    return this.#redis.hgetall(this.#names.journal(this.id));
  }

  // ── what must hold ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Reads it, and compares it with the model and with what it was before. */
  async check(model: Model): Promise<void> {
    const { journal, history, live, ended, held, outbox } = this.#names;
    const replies = await this.#redis
      .multi()
      .hgetall(journal(this.id))
      .llen(history(this.id))
      .pttl(journal(this.id))
      .zscore(live, this.id)
      .zscore(ended, this.id)
      .zscore(held, this.id)
      .hexists(outbox, this.id)
      .hmget(outbox, ...TOLD.map((event) => `${this.id}:${event}`))
      .exec();
    const [hash, entries, life, isLive, isEnded, isHeld, followUps, told] = (replies ?? []).map(([, reply]) => reply);
    const before = this.record;
    this.hash = hash as Hash;
    this.record = readRecord(this.id, this.hash, new Sealer());
    if (this.record === null) {
      expect(model.erased).toBe(true);
      expect(this.hash).toEqual({ erased: '1' });
      return;
    }
    expect({
      ...lookOf(this.record, this.hash),
      history: entries,
      expires: Number(life) > 0,
      isLive: isLive !== null,
      isEnded: isEnded !== null,
      isHeld: isHeld !== null,
      followUps: followUps === 1,
      tellings: TOLD.filter((_, index) => (told as (string | null)[])[index] !== null).sort(),
    }).toEqual(model.look());
    const rules = this.#rules(before ?? this.record, this.record, Number(entries));
    expect(Object.entries(rules).filter(([, holds]) => !holds)).toEqual([]);
  }

  /** By what was seen and done alone. */
  #rules(before: JournalRecord, now: JournalRecord, entries: number): Readonly<Record<string, boolean>> {
    const money = now.paid + now.possiblyPaid + (now.open === null ? 0 : 1);
    const same = (...fields: (keyof JournalRecord)[]) => fields.every((field) => before[field] === now[field]);
    const ended = isTerminal(now.state);
    const byPerson = now.decision === 'recapture' && now.decidedBy === OPERATOR;
    return {
      'an end is an end': !isTerminal(before.state) || same('state'),
      'what was cancelled ends as cancelled': !before.cancelled || !ended || now.state === 'cancelled',
      'what is completed has a decision': now.state !== 'completed' || now.decision !== null,
      'a decision is made once': before.decision === null || same('decision', 'similarity', 'decidedBy', 'decidedAt'),
      'a decision is what the vendor told, or a person’s recapture':
        now.decision === null || this.told.has(now.decision) || byPerson,
      'each billed call is counted, and once': now.paid === this.billed,
      'no more is paid than may be': money <= MAX_PAYMENTS + this.allowed,
      'at most one call is out': this.outstanding.size <= 1,
      'generations only rise': now.generation >= before.generation,
      'the history is bounded': entries <= 40,
    };
  }
}

function lookOf(record: JournalRecord, hash: Hash) {
  const { state, generation, open, paid, possiblyPaid, decision, similarity, decidedBy, cancelled } = record;
  const ahead = (time: number | null) => (time ?? 0) - Date.now() > HOUR_MS / 2;
  return {
    ...{ state, generation, paid, possiblyPaid, cancelled, starts: Number(hash.starts ?? 0) },
    upload: hash['s:upload'] ?? null,
    preflighted: record.outcomes.md5 !== undefined,
    open: open?.iid ?? null,
    unknown: Object.keys(hash)
      .filter((field) => field.startsWith('u:'))
      .map((field) => field.slice(2))
      .sort(),
    allowed: Number(hash.allowed ?? 0),
    decision: decision === null ? null : { decision, similarity, by: decidedBy },
    late: record.late,
    waits: ahead(record.notBefore),
    holding: record.heldUntil === null ? null : ahead(record.heldUntil) ? 'on' : 'over',
    letGos: Number(hash.yields ?? 0),
    tries: record.attempts.detect,
    freshFrom: record.freshFrom,
  };
}
