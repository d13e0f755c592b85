/**
 * One state of a scenario. It consists of the keys in Redis and of facts that are not in Redis: the clock, BullMQ's queue, the
 * vendor's calls, and what each actor knows. A step works on a copy of the state.
 */
import type { Redis } from 'ioredis';
import { chargeOf, NO_PRICES } from '../../src/domain/operations/costs.ts';
import type { Deployment } from '../../src/redis/deployment.ts';
import { NextPositions } from '../../src/redis/history.ts';
import { createNames, type Names } from '../../src/redis/names.ts';
import { occasionOf } from '../../src/redis/notify-queue.ts';
import type { FollowUps } from '../../src/redis/outbox.ts';
import { Places } from '../../src/redis/read-surroundings.ts';
import { type JournalRecord, readRecord } from '../../src/redis/record.ts';
import { Sealer } from '../../src/redis/sealer.ts';
import {
  digest,
  makeValue,
  ScriptedRedis,
  type SentCall,
  type Snapshot,
  type TextChange,
  type Value,
} from './snapshot.ts';

export const REGION = 'ap-singapore';
export const ACTION = 'DetectReflectLivenessAndCompare';
export const OPINION = 'DetectAIFakeFaces';
export const WEBHOOK = 'shop';
/** The time at which every scenario begins, in ms since 1970. No time of this machine begins with these digits. */
export const START = 2_500_000_000_000;
export const LEASE_MS = 8_000;
export const CALL_MS = 15_000;
export const LIFE_MS = 60_000;
export const HOLD_MS = 3_600_000;
export const EXPIRY_MS = 86_400_000;
export const MAX_PAYMENTS = 2;
/** No script looks further back than this, so all earlier times count as equal. */
const LOOK_BACK_MS = 300_000;
const TIME = /25\d{11}(?:\.\d+)?/g;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** A paid call that was sent. */
export interface Call {
  readonly iid: string;
  readonly by: string;
  readonly until: number;
  /** Whether it asks for a second opinion. */
  readonly opinion: boolean;
  /** `answered`: the worker has the answer. `refused`: an error that is not billed. `unclear`: an error that may be billed. */
  state: 'sent' | 'billed' | 'answered' | 'refused' | 'unclear' | 'gone';
}

/** Facts about one verification that are not in its journal. */
export interface Facts {
  /** Where in BullMQ the verification's job is. */
  queue: 'none' | 'waiting' | 'active' | 'delayed' | 'finished';
  /** The time at which a delayed job may start again. */
  due: number;
  acknowledged: boolean;
  /** How often a claim was answered with `new`. */
  claims: number;
  calls: Call[];
  billed: number;
  /** How many outcomes were recorded as unknown. */
  unknown: number;
  /** The same for the calls that ask for a second opinion, and the first opinion. */
  opinions: { billed: number; unknown: number; first: string | null };
  /** How many further payments an operator has allowed. */
  allowed: number;
  /** Generations whose objects were uploaded. */
  objects: number[];
  /** Follow-ups that were added to a queue. */
  jobs: string[];
  /** The first decision, and the first terminal state. */
  decision: string | null;
  ended: string | null;
  erased: boolean;
  /** How often the verification was retried after an end. */
  retries: number;
}

/** What an actor knows. `pc` is the actor's position in its list of steps. */
export interface Local {
  pc: string;
  resend?: { step: string; call: SentCall };
  // biome-ignore lint/suspicious/noExplicitAny: each actor has facts of its own
  [fact: string]: any;
}

export interface State {
  readonly clock: number;
  readonly snapshot: Snapshot;
  readonly facts: Readonly<Record<string, Facts>>;
  readonly actors: Readonly<Record<string, Local>>;
  /** How often each bounded event may still happen. */
  readonly left: Readonly<Record<string, number>>;
}

/** What a step reads and writes. Steps with disjoint footprints commute. */
export interface Footprint {
  readonly actor: string;
  readonly touches: ReadonlySet<string>;
  readonly readsClock: boolean;
  readonly movesClock: boolean;
}

/** The deployment of one exploration, and a state that a step may change. */
export class World {
  readonly names: Names;
  readonly deployment: Deployment;
  readonly redis: ScriptedRedis;
  clock = START;
  snapshot: Snapshot = {};
  facts: Record<string, Facts> = {};
  actors: Record<string, Local> = {};
  left: Record<string, number> = {};
  #touched = new Set<string>();
  readonly #sealer = new Sealer();
  readonly #records = new WeakMap<Value, JournalRecord>();

  private constructor(redis: ScriptedRedis, prefix: string) {
    this.redis = redis;
    this.names = createNames(prefix);
    this.deployment = {
      ...{ redis: redis as unknown as Deployment['redis'], names: this.names },
      ...{ sealer: this.#sealer, positions: new NextPositions(), places: new Places() },
    };
  }

  static async open(redis: Redis, prefix: string, changes: readonly TextChange[]): Promise<World> {
    return new World(await ScriptedRedis.open(redis, prefix, changes), prefix);
  }

  /** Goes to a state in order to change it. Only a copy is changed, never the state itself. */
  enter(state: State): void {
    this.look(state);
    const { facts, actors, left } = JSON.parse(JSON.stringify({ ...state, snapshot: null })) as State;
    Object.assign(this, { facts, actors, left });
  }

  /** Goes to a state in order to read it. */
  look(state: State): void {
    Object.assign(this, state);
    this.#touched = new Set();
    this.redis.rest();
  }

  leave(): State {
    const { clock, snapshot, facts, actors, left } = this;
    return { clock, snapshot, facts, actors, left };
  }

  /** Runs one script. @param resend a call whose reply was lost, which is sent in place of this one */
  async script<T>(call: (deployment: Deployment) => Promise<T>, resend: SentCall | null = null): Promise<T> {
    const turn = { snapshot: this.snapshot, clock: this.clock };
    this.redis.begin(turn, resend);
    const answer = await call(this.deployment);
    this.snapshot = turn.snapshot;
    return answer;
  }

  touch(...what: string[]): void {
    for (const each of what) this.#touched.add(each);
  }

  /** What the step read and wrote. `ids` are the verifications of the scenario. */
  footprint(actor: string, movesClock: boolean, readsClock: boolean): Footprint {
    const { sent } = this.redis;
    const touches = new Set(this.#touched);
    for (const key of sent?.keys ?? []) touches.add(this.#shared(key, sent?.args ?? []));
    return { actor, touches, movesClock, readsClock: readsClock || sent !== null };
  }

  /** In an index, a script touches only the entry of its verification, unless it counts the entries. */
  #shared(key: string, args: readonly string[]): string {
    const { live, ended, held, frames, outbox, deletions } = this.names;
    if (![live, ended, held, frames, outbox, deletions].includes(key)) return key;
    const id = Object.keys(this.facts).find((each) => args.includes(each));
    return id === undefined ? key : `${key}#${id}`;
  }

  /** Removes the exploration's keys from Redis. */
  clear(): Promise<void> {
    return this.redis.clear();
  }

  // ── reading and editing keys ─────────────────────────────────────────────────────────────────────────────────────

  hash(key: string): Readonly<Record<string, string>> {
    return hashOf(this.snapshot[key]);
  }

  record(id: string): JournalRecord | null {
    const value = this.snapshot[this.names.journal(id)];
    if (value === undefined) return null;
    const record = this.#records.get(value) ?? readRecord(id, hashOf(value), this.#sealer);
    if (record !== null) this.#records.set(value, record);
    return record;
  }

  put(key: string, value: Value | null): void {
    const { [key]: _, ...others } = this.snapshot;
    this.snapshot = value === null ? others : { ...others, [key]: value };
    if (key !== this.names.outbox) this.touch(key); // in the outbox, a step touches only its verification's entries
  }

  setField(key: string, field: string, value: string | null): void {
    const { [field]: _, ...others } = this.hash(key);
    const all = Object.entries(value === null ? others : { ...others, [field]: value }).flat();
    this.put(key, all.length === 0 ? null : makeValue('hash', all, this.snapshot[key]?.expires ?? null));
  }

  get charge() {
    return { ...chargeOf(NO_PRICES, ACTION, 0), day: 'day', month: 'month' };
  }

  /** The sweeper removes an id from the index of live verifications. */
  dropFromLive(id: string): void {
    const { live } = this.names;
    const items = [...(this.snapshot[live]?.items ?? [])];
    const index = items.indexOf(id);
    if (index >= 0) items.splice(index, 2);
    const { [live]: _, ...others } = this.snapshot;
    this.snapshot = items.length === 0 ? others : { ...others, [live]: makeValue('zset', items, null) };
  }

  /** Moves the clock. Redis drops the keys that have expired. */
  pass(until: number): void {
    this.clock = until;
    const kept = Object.entries(this.snapshot).filter(([, { expires }]) => expires === null || expires > until);
    this.snapshot = Object.fromEntries(kept);
  }

  // ── BullMQ ───────────────────────────────────────────────────────────────────────────────────────────────────────

  nameOf(local: Local): string {
    return Object.keys(this.actors).find((name) => this.actors[name] === local) ?? '';
  }

  lockOf(id: string): string | null {
    return this.snapshot[this.names.job(REGION, id).lock]?.items[0] ?? null;
  }

  startsOf(id: string): number {
    return Number(this.hash(this.names.job(REGION, id).job).ats ?? 0);
  }

  setLock(id: string, token: string | null): void {
    const { lock } = this.names.job(REGION, id);
    this.put(lock, token === null ? null : makeValue('string', [token], this.clock + LEASE_MS));
  }

  factsOf(id: string): Facts {
    const facts = this.facts[id];
    if (facts === undefined) throw new Error(`the scenario has no verification ${id}`);
    return facts;
  }

  /** Adds the jobs of an outbox entry. A job that exists is not added again. */
  addJobs(id: string, { erase, forget, notify }: FollowUps): void {
    const facts = this.factsOf(id);
    const add = (job: string) => {
      if (!facts.jobs.some((each) => each.split('+')[0] === job.split('+')[0])) facts.jobs.push(job);
    };
    if (erase !== undefined) add(`erase-${erase.generations}${erase.secondPass === undefined ? '' : '+'}`);
    if (forget !== undefined) add('forget');
    if (notify !== undefined) add(`notify-${occasionOf(notify)}`);
    facts.jobs.sort();
    this.touch(`jobs:${id}`);
  }
}

const hashes = new WeakMap<Value, Readonly<Record<string, string>>>();

export function hashOf(value: Value | undefined): Readonly<Record<string, string>> {
  const known = value === undefined ? {} : hashes.get(value);
  if (value === undefined || known !== undefined) return known ?? {};
  const hash: Record<string, string> = {};
  for (let i = 0; i + 1 < value.items.length; i += 2) hash[value.items[i] ?? ''] = value.items[i + 1] ?? '';
  hashes.set(value, hash);
  return hash;
}

/** The state as text, with times relative to its clock. Two states with the same text have the same future. */
export function describe(state: State, names: Names): string {
  const { counters } = names;
  const [history, minutes] = [names.history(''), names.minute(0).slice(0, -1)];
  const { facts, actors, left, clock, snapshot } = state;
  const keys = Object.keys(snapshot)
    .filter((key) => key !== counters && !key.startsWith(history) && !key.startsWith(minutes)) // no script reads them
    .sort()
    .map((key) => `${key} ${relativeText(partsOfValue(snapshot[key] as Value), clock)}`);
  return [...keys, relativeText(partsOf(stableText({ facts, actors, left })), clock)].join('\n');
}

/** Texts, and the times between them. */
type Parts = readonly (string | number)[];
/** A step changes few values, so the texts of most are known. */
const valueParts = new WeakMap<Value, Parts>();

function partsOfValue(value: Value): Parts {
  const known = valueParts.get(value);
  if (known !== undefined) return known;
  const parts = partsOf(`${value.text} ${value.expires}`);
  valueParts.set(value, parts);
  return parts;
}

function partsOf(text: string): Parts {
  const parts: (string | number)[] = [];
  let end = 0;
  for (const { 0: time, index } of text.matchAll(TIME)) {
    parts.push(text.slice(end, index).replace(UUID, 'uuid'), Number(time));
    end = index + time.length;
  }
  parts.push(text.slice(end).replace(UUID, 'uuid'));
  return parts;
}

function relativeText(parts: Parts, clock: number): string {
  let text = '';
  for (const part of parts) {
    if (typeof part === 'string') text += part;
    else text += part < clock - LOOK_BACK_MS ? 'before' : `T${part - clock}`;
  }
  return text;
}

/** Like JSON.stringify, with the fields of each object in order. */
function stableText(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'undefined';
  let text = '';
  if (Array.isArray(value)) {
    for (const each of value) text += `${stableText(each)},`;
    return `[${text}]`;
  }
  const fields = value as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(fields).sort())
    if (fields[name] !== undefined) text += `${name}:${stableText(fields[name])},`;
  return `{${text}}`;
}

export function hashOfState(state: State, names: Names): string {
  return digest(describe(state, names));
}
