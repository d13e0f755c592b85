/**
 * Runs the product's scripts in a real Redis on a state that the explorer chooses, and reads the state that follows.
 *
 * What must hold:
 * 1. A script sees exactly the chosen state: before each call, the script's keys are written, except those that already have the
 *    right value in Redis. After the call, the same keys are read. Scripts touch no other keys (docs/decisions/one-slot.md).
 * 2. A script's clock is the state's clock: `TIME` is replaced by a key.
 * 3. The writes, the script and the reads together are one round trip.
 */
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { INCLUDES, LUA } from '../../src/redis/scripts/lua.ts';
import { loadScript, SCRIPT_NAMES, type ScriptName } from '../../src/redis/scripts/run.ts';

/** The value of one key. `items` is its content as Redis lists it; a hash or a set is sorted. */
export interface Value {
  readonly type: 'hash' | 'list' | 'zset' | 'set' | 'string';
  readonly items: readonly string[];
  /** The time by the state's clock at which Redis drops the key, in ms since 1970. Null: never. */
  readonly expires: number | null;
  /** `type` and `items` as text. */
  readonly text: string;
}

export type Snapshot = Readonly<Record<string, Value>>;

/** A change of the scripts' text. `find` must occur in at least one script or include, and only once in each. */
export interface TextChange {
  readonly find: string;
  readonly put: string;
}

/** A call of a script, as it was sent. It can be sent again. */
export interface SentCall {
  readonly script: ScriptName;
  readonly keys: readonly string[];
  readonly args: readonly string[];
}

const WRITE = `
for i = 1, #KEYS do
  local key = KEYS[i]
  redis.call('DEL', key)
  if ARGV[i] ~= '' then
    local kind, ttl, items = unpack(cjson.decode(ARGV[i]))
    if kind == 'hash' then redis.call('HSET', key, unpack(items))
    elseif kind == 'list' then redis.call('RPUSH', key, unpack(items))
    elseif kind == 'set' then redis.call('SADD', key, unpack(items))
    elseif kind == 'string' then redis.call('SET', key, items[1])
    else for j = 1, #items, 2 do redis.call('ZADD', key, items[j + 1], items[j]) end end
    if ttl > 0 then redis.call('PEXPIRE', key, ttl) end
  end
end`;

const READ = `
local reply = {}
for i = 1, #KEYS do
  local key = KEYS[i]
  local kind = redis.call('TYPE', key).ok
  local items = {}
  if kind == 'hash' then items = redis.call('HGETALL', key)
  elseif kind == 'list' then items = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'set' then items = redis.call('SMEMBERS', key)
  elseif kind == 'string' then items = { redis.call('GET', key) }
  elseif kind == 'zset' then items = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end
  reply[i] = { kind, redis.call('PTTL', key), items }
end
return reply`;

const TIME = "redis.call('TIME')";
const CONTROLLED_TIME = `(function()
  local ms = tonumber(redis.call('GET', KEYS[#KEYS]))
  return { math.floor(ms / 1000), (ms % 1000) * 1000 }
end)()`;
/** Scripts set expiry times in whole seconds, and a step takes less than a second. */
const SECOND_MS = 1_000;
/** Times that the product takes from this machine's clock. They start with 1; the explorer's own times start with 2. */
const MACHINE_TIME = /"at":1\d{12}/g;

export interface Turn {
  snapshot: Snapshot;
  readonly clock: number;
}

/** Takes the place of the product's connection: the typed functions of `src/redis/scripts` call it. */
export class ScriptedRedis {
  readonly #redis: Redis;
  readonly #clockKey: string;
  readonly #scripts = new Map<string, { readonly name: ScriptName; readonly sha: string }>();
  #write = '';
  #read = '';
  /** The keys that Redis has now. */
  readonly #present = new Map<string, Value | undefined>();
  #turn: Turn | null = null;
  /** If set, this call is sent in place of the next one, as a client repeats a command whose reply was lost. */
  #resend: SentCall | null = null;
  /** The last call of the turn. */
  sent: SentCall | null = null;

  private constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#clockKey = `${prefix}:clock`;
  }

  /** @throws Error if the text of a change occurs nowhere, or more than once in a script. */
  static async open(redis: Redis, prefix: string, changes: readonly TextChange[]): Promise<ScriptedRedis> {
    const self = new ScriptedRedis(redis, prefix);
    const load = async (text: string) => (await redis.script('LOAD', text)) as string;
    [self.#write, self.#read] = await Promise.all([load(WRITE), load(READ)]);
    const texts = changedTexts(changes);
    await Promise.all(
      SCRIPT_NAMES.map(async (name) => {
        const text = texts.get(name) ?? '';
        const sha = await load(text.replaceAll(TIME, () => CONTROLLED_TIME));
        self.#scripts.set(loadScript(name).sha, { name, sha });
      }),
    );
    return self;
  }

  /** Starts a step from a state. After the step, `turn.snapshot` holds the new state. */
  begin(turn: Turn, resend: SentCall | null): void {
    this.rest();
    this.#turn = turn;
    this.#resend = resend;
  }

  /** Ends the current turn, if there is one. */
  rest(): void {
    this.#turn = null;
    this.sent = null;
  }

  /** Removes every key that was written. */
  async clear(): Promise<void> {
    await this.#redis.del(this.#clockKey, ...this.#present.keys());
    this.#present.clear();
  }

  // ── what the typed functions call ────────────────────────────────────────────────────────────────────────────────

  async evalsha(sha: string, count: number, ...rest: readonly (string | number)[]): Promise<unknown> {
    const script = this.#scripts.get(sha);
    if (script === undefined) throw new Error('the explorer knows no such script');
    const given: SentCall = {
      script: script.name,
      keys: rest.slice(0, count).map(String),
      args: rest.slice(count).map((arg) => String(arg).replace(MACHINE_TIME, () => `"at":${this.#turn?.clock}`)),
    };
    const call = this.#resend ?? given;
    if (call.script !== given.script) throw new Error(`${given.script} cannot repeat ${call.script}`);
    if (this.sent !== null)
      throw new Error(`a step calls ${this.sent.script} and ${call.script}: it must call one script`);
    this.sent = call;
    return this.#run(script.sha, call);
  }

  eval(): never {
    throw new Error('all scripts are loaded');
  }

  pipeline() {
    const calls: Parameters<ScriptedRedis['evalsha']>[] = [];
    return {
      evalsha: (...call: Parameters<ScriptedRedis['evalsha']>) => calls.push(call),
      exec: () => Promise.all(calls.map(async (call) => [null, await this.evalsha(...call)])),
    };
  }

  /** `feed-sessions` takes prefixes, because it finds the ids itself: the keys that the journals and jobs of a state have. */
  #alsoReads({ keys, args }: Pick<SentCall, 'keys' | 'args'>, { snapshot }: Turn): string[] {
    if (this.sent?.script !== 'feed-sessions') return [];
    const prefixes = args.slice(2);
    const known = new Set([...Object.keys(snapshot), ...this.#present.keys()]);
    return [...known].filter((key) => !keys.includes(key) && prefixes.some((prefix) => key.startsWith(prefix)));
  }

  async #run(sha: string, { keys, args }: SentCall): Promise<unknown> {
    const turn = this.#turn;
    if (turn === null) throw new Error('no step has begun');
    const { clock } = turn;
    const all = [...keys, ...this.#alsoReads({ keys, args }, turn)];
    const isPresent = (key: string) => this.#present.has(key) && this.#present.get(key) === turn.snapshot[key];
    const wanted = all.filter((key) => !isPresent(key) || turn.snapshot[key]?.expires);
    const pipeline = this.#redis.pipeline();
    const texts = wanted.map((key) => written(turn.snapshot[key], clock));
    const clockValue = JSON.stringify(['string', 0, [String(clock)]]);
    pipeline.evalsha(this.#write, wanted.length + 1, ...wanted, this.#clockKey, ...texts, clockValue);
    pipeline.evalsha(sha, keys.length + 1, ...keys, this.#clockKey, ...args);
    pipeline.evalsha(this.#read, all.length, ...all);
    const [restored, answered, found] = (await pipeline.exec()) ?? [];
    const error = restored?.[0] ?? answered?.[0] ?? found?.[0];
    if (error) throw error;
    const values = (found?.[1] ?? []) as Found[];
    const next: Record<string, Value> = { ...turn.snapshot };
    for (const [index, key] of all.entries()) {
      const value = readValue(values[index], turn.snapshot[key], clock);
      this.#present.set(key, value);
      if (value === undefined) delete next[key];
      else next[key] = value;
    }
    turn.snapshot = next;
    return answered?.[1];
  }
}

type Found = readonly [type: string, pttl: number, items: string[]];

function readValue([type, pttl, found]: Found = ['none', -2, []], before: Value | undefined, clock: number) {
  if (type === 'none') return undefined;
  const value = makeValue(type as Value['type'], found, null);
  const kept = (before?.expires ?? null) === null ? null : (before?.expires ?? 0) - clock;
  // If the key's remaining life has shrunk only by the duration of the step, the script did not change it.
  const same = pttl < 0 ? kept === null : kept !== null && kept >= pttl && kept - pttl < SECOND_MS / 2;
  if (same && before !== undefined && before.text === value.text) return before;
  const expires = pttl < 0 ? null : same ? (before?.expires ?? null) : clock + Math.ceil(pttl / SECOND_MS) * SECOND_MS;
  return { ...value, expires };
}

function written(value: Value | undefined, clock: number): string {
  if (value === undefined) return '';
  return JSON.stringify([value.type, value.expires === null ? 0 : value.expires - clock, value.items]);
}

export function makeValue(type: Value['type'], items: readonly string[], expires: number | null): Value {
  const ordered = type === 'hash' ? sortedPairs(items) : type === 'set' ? [...items].sort() : items;
  return { type, items: ordered, expires, text: `${type}${JSON.stringify(ordered)}` };
}

function sortedPairs(flat: readonly string[]): string[] {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) pairs.push([flat[i] ?? '', flat[i + 1] ?? '']);
  return pairs.sort(([a], [b]) => (a < b ? -1 : 1)).flat();
}

/** Every script with its includes, after the changes. @throws Error if the text of a change occurs nowhere, or twice in a script */
export function changedTexts(changes: readonly TextChange[]): Map<ScriptName, string> {
  const unused = new Set(changes);
  const changed = (text: string) =>
    changes.reduce((before, change) => {
      const times = before.split(change.find).length - 1;
      if (times > 1)
        throw new Error(`a script contains "${change.find}" ${times} times: choose a text that occurs once`);
      if (times === 1) unused.delete(change);
      return before.replace(change.find, () => change.put);
    }, text);
  const parts = new Map(Object.values(INCLUDES).map((text: string) => [text, changed(text)]));
  const texts = SCRIPT_NAMES.map((name) => {
    let { text } = loadScript(name);
    for (const part of LUA[name].includes) text = text.replace(INCLUDES[part], () => parts.get(INCLUDES[part]) ?? '');
    return [name, text.replace(LUA[name].text, () => changed(LUA[name].text))] as const;
  });
  for (const { find } of unused) throw new Error(`no script contains "${find}": update the protection`);
  return new Map(texts);
}

/** Returns the hash of a state. @param text everything about the state on which its future depends */
export function digest(text: string): string {
  return createHash('md5').update(text).digest('base64');
}
