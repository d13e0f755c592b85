/**
 * Redis as the simulation sees it: a real server that runs the real scripts (the product's and BullMQ's), with virtual time.
 *
 * What must hold:
 * 1. Each command runs alone, in the order in which `execute` is called, and its clock is the virtual one: `TIME` and every
 *    expiry (`PEXPIRE`, `SET … PX`, `PTTL`) are replaced. The server itself never expires a key.
 * 2. No reply depends on the server's own hashing: what Redis lists in no order is sorted.
 */
import { createHash } from 'node:crypto';
import { loadScript, type ScriptName } from '../../src/redis/scripts/run.ts';
import type { ExecutedCommand, Write } from '../chaos/witness.ts';
import { changedTexts, type TextChange } from '../explorer/snapshot.ts';
import { type Argument, Connection, type Reply, type Sent } from './resp.ts';
import type { VirtualTime } from './virtual-time.ts';

/** A command as a client sends it. */
export interface Command {
  /** The name of the script or command, for the log. */
  readonly name: string;
  /** Null: a plain command, which is `args`. */
  readonly sha: string | null;
  readonly keys: readonly string[];
  readonly args: readonly Argument[];
}

/** Only the writes on which the oracle depends are noted. Event streams and pub/sub have no reader, so they are left out. */
function wrap(body: string, expiries: string): string {
  return `
local NOW = tonumber(table.remove(KEYS))
local raw, writes, special = redis.call, {}, {}
local due = raw('ZRANGEBYSCORE', '${expiries}', '-inf', NOW, 'LIMIT', 0, 1000)
if #due > 0 then
  raw('DEL', unpack(due))
  raw('ZREM', '${expiries}', unpack(due))
end
local function note(...) writes[#writes + 1] = { ... } end
local function expire(key, ms)
  if raw('EXISTS', key) == 0 then return 0 end
  raw('ZADD', '${expiries}', NOW + ms, key)
  return 1
end
special.TIME = function()
  local seconds = math.floor(NOW / 1000)
  return { string.format('%d', seconds), string.format('%d', math.floor((NOW - seconds * 1000) * 1000)) }
end
special.PEXPIRE = function(key, ms) return expire(key, tonumber(ms)) end
special.EXPIRE = function(key, s) return expire(key, tonumber(s) * 1000) end
special.PTTL = function(key)
  if raw('EXISTS', key) == 0 then return -2 end
  local at = raw('ZSCORE', '${expiries}', key)
  return at and math.max(0, math.floor(tonumber(at) - NOW)) or -1
end
special.PERSIST = function(key) return raw('ZREM', '${expiries}', key) end
special.SET = function(key, value, ...)
  local options, ms, keep = {}, nil, false
  local given, i = { ... }, 1
  while i <= #given do
    local option = string.upper(tostring(given[i]))
    if option == 'PX' then ms, i = tonumber(given[i + 1]), i + 1
    elseif option == 'EX' then ms, i = tonumber(given[i + 1]) * 1000, i + 1
    else
      if option == 'KEEPTTL' then keep = true end
      options[#options + 1] = option
    end
    i = i + 1
  end
  local reply = raw('SET', key, value, unpack(options))
  if not reply then return reply end
  if ms then raw('ZADD', '${expiries}', NOW + ms, key) elseif not keep then raw('ZREM', '${expiries}', key) end
  return reply
end
special.DEL = function(...)
  raw('ZREM', '${expiries}', ...)
  note('del', (...))
  return raw('DEL', ...)
end
special.UNLINK = special.DEL
special.HSET = function(key, ...)
  if string.find(key, ':v:', 1, true) or string.find(key, ':gate:', 1, true) then note('hset', key, ...) end
  return raw('HSET', key, ...)
end
special.HMSET = function(key, ...)
  note('hmset', key)
  return raw('HMSET', key, ...)
end
special.HINCRBY = function(key, field, by)
  if field == 'ats' then note('hincrby', key, field, by) end
  return raw('HINCRBY', key, field, by)
end
special.SMEMBERS = function(key)
  local members = raw('SMEMBERS', key)
  table.sort(members)
  return members
end
special.XADD = function() return '0-1' end
special.XTRIM = function() return 0 end
special.PUBLISH = function() return 0 end
for _, name in ipairs({ 'TIME', 'PEXPIRE', 'EXPIRE', 'PTTL', 'PERSIST', 'SET', 'DEL', 'UNLINK', 'HSET', 'HMSET', 'HINCRBY',
  'SMEMBERS', 'XADD', 'XTRIM', 'PUBLISH' }) do special[string.lower(name)] = special[name] end
local redis = setmetatable({
  call = function(name, ...)
    local run = special[name]
    if run then return run(...) end
    return raw(name, ...)
  end,
}, { __index = redis })
local function body()
${body}
end
local reply = body()
local markers = {}
for _, key in ipairs(KEYS) do
  if string.sub(key, -7) == ':marker' then markers[#markers + 1] = raw('ZCARD', key) end
end
if reply == nil then reply = false end
return { reply, writes, markers }`;
}

const PLAIN = 'return redis.call(unpack(ARGV))\n';

export class Store {
  readonly prefix: string;
  /** Every script that ran and wrote something, in order. */
  readonly executed: ExecutedCommand[] = [];
  commands = 0;
  readonly #connection: Connection;
  readonly #time: VirtualTime;
  readonly #expiries: string;
  readonly #texts: ReadonlyMap<ScriptName, string>;
  /** By the SHA-1 that clients send: that of the wrapped script. */
  readonly #wrapped = new Map<string, { readonly name: string; readonly sha: string }>();
  readonly #plain: string;
  /** The last command that named a marker, by the marker's key. */
  readonly #markers = new Map<string, { readonly sent: Sent; readonly index: number }>();

  private constructor(
    connection: Connection,
    time: VirtualTime,
    prefix: string,
    texts: ReadonlyMap<ScriptName, string>,
  ) {
    this.#connection = connection;
    this.#time = time;
    this.prefix = prefix;
    this.#expiries = `${prefix}:expiries`;
    this.#texts = texts;
    this.#plain = this.#load(PLAIN);
    for (const [name, text] of texts) this.#wrapped.set(loadScript(name).sha, { name, sha: this.#load(text) });
  }

  /** @param changes changes of the product's scripts, which remove a protection */
  static async open(
    server: number | string,
    time: VirtualTime,
    prefix: string,
    changes: readonly TextChange[],
  ): Promise<Store> {
    return new Store(await Connection.open(server), time, prefix, changedTexts(changes));
  }

  /** Loads a script of BullMQ. @returns its SHA-1 */
  define(name: string, text: string): string {
    const sha = sha1(text);
    if (!this.#wrapped.has(sha)) this.#wrapped.set(sha, { name, sha: this.#load(text) });
    return sha;
  }

  nameOf(sha: string): string {
    return this.#wrapped.get(sha)?.name ?? 'unknown script';
  }

  /** Runs a command now. @returns its reply, or a promise of it */
  execute({ sha, keys, args }: Command, source: string): Sent {
    const script = sha === null ? null : this.#wrapped.get(sha);
    if (script === undefined) return () => new Error('NOSCRIPT No matching script');
    this.commands += 1;
    const now = this.#time.now;
    const note = (writes: Reply[]) =>
      this.executed.push({
        at: now,
        script: script !== null && this.#texts.has(script.name as ScriptName) ? script.name : null,
        source,
        keys,
        args: args.slice(0, 2).map(String),
        writes: writes.map(readWrite),
      });
    const sent = this.#connection.send(
      ['EVALSHA', script?.sha ?? this.#plain, keys.length + 1, ...keys, now.toFixed(3), ...args],
      (reply) => {
        if (Array.isArray(reply) && Array.isArray(reply[1]) && reply[1].length > 0) note(reply[1]);
      },
    );
    for (const [index, key] of keys.filter((each) => each.endsWith(':marker')).entries())
      this.#markers.set(key, { sent, index });
    return () => {
      const reply = sent();
      return reply instanceof Promise ? reply.then(answerOf) : answerOf(reply);
    };
  }

  /** Whether a queue's marker, for which BullMQ's workers wait, was there after the last command that may have set it. */
  async hasMarker(key: string): Promise<boolean> {
    const last = this.#markers.get(key);
    if (last === undefined) return false;
    const reply = await last.sent();
    return Array.isArray(reply) && Array.isArray(reply[2]) && Number(reply[2][last.index]) > 0;
  }

  /** Takes a queue's marker: ZPOPMIN. */
  async takeMarker(key: string): Promise<Reply> {
    const sent = this.execute({ name: 'zpopmin', sha: null, keys: [key], args: ['ZPOPMIN', key] }, 'bzpopmin');
    return sent();
  }

  /** Waits for the replies to all commands. Afterwards, `executed` is complete. */
  async settle(): Promise<void> {
    await this.#connection.send(['PING'])();
  }

  /** Names, types and sizes of the deployment's keys, in order. */
  async keys(): Promise<{ key: string; type: string; size: number }[]> {
    const text = `
local found = {}
local cursor = '0'
repeat
  local page = redis.call('SCAN', cursor, 'MATCH', ARGV[1], 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local kind = redis.call('TYPE', key).ok
    local size = 1
    if kind == 'hash' then size = redis.call('HLEN', key)
    elseif kind == 'list' then size = redis.call('LLEN', key)
    elseif kind == 'set' then size = redis.call('SCARD', key)
    elseif kind == 'zset' then size = redis.call('ZCARD', key) end
    found[#found + 1] = { key, kind, size }
  end
until cursor == '0'
return found`;
    const found = await this.#connection.send(['EVAL', text, 0, `${escapeGlob(this.prefix)}:*`])();
    if (!Array.isArray(found)) throw new Error('Redis could not list the keys of the simulation');
    return (found as [string, string, number][])
      .filter(([key]) => key !== this.#expiries)
      .map(([key, type, size]) => ({ key, type, size }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Removes the simulation's keys, and closes the connection. */
  async close(): Promise<void> {
    for (const { key } of await this.keys()) this.#connection.send(['UNLINK', key]);
    await this.#connection.send(['DEL', this.#expiries])();
    this.#connection.close();
  }

  #load(text: string): string {
    const wrapped = wrap(text, this.#expiries);
    this.#connection.send(['SCRIPT', 'LOAD', wrapped]);
    return sha1(wrapped);
  }
}

function readWrite(write: Reply): Write {
  const [command = '', key = '', ...args] = (write as Reply[]).map(String);
  return { command, key, args: command === 'hset' ? judged(args) : args };
}

function answerOf(reply: Reply): Reply {
  if (!Array.isArray(reply)) return reply;
  return reply[0] ?? null;
}

/** The journal fields that the oracle reads. The others would only take memory. */
const JUDGED = new Set(['state', 'decision', 'endedAt', 'fp', 'begun', 'open']);

function judged(args: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < args.length; i += 2)
    if (JUDGED.has(args[i] ?? '')) kept.push(args[i] ?? '', args[i + 1] ?? '');
  return kept;
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\]/g, '\\$&');
}
