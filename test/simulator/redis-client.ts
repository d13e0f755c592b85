/**
 * A connection to Redis, in place of ioredis: the same commands, over the simulated network.
 *
 * What must hold, as ioredis promises it:
 * 1. Commands of one connection arrive in order, and so do their replies.
 * 2. A worker's connection waits for Redis without limit. If the connection was lost, commands without a reply are sent again, so
 *    a command may run twice.
 * 3. A producer's command fails if it cannot be sent now, if the connection is lost, or after its time limit.
 * 4. If packets are lost for less than the socket's time limit, TCP sends them again: nothing runs twice.
 */
import { EventEmitter } from 'node:events';
import { COMMAND_TIMEOUT_MS, type RedisClient } from '../../src/redis/connection.ts';
import type { Network } from './network.ts';
import type { Argument, Reply, Sent } from './resp.ts';
import type { Command, Store } from './store.ts';
import type { Owner, VirtualTime } from './virtual-time.ts';

export interface Wire {
  readonly time: VirtualTime;
  readonly store: Store;
  readonly network: Network;
  readonly blocked: Blocked;
  log(owner: Owner | null, line: string): void;
  /** Reports an error that nothing handles. */
  fail(error: unknown): void;
}

interface Request {
  readonly commands: readonly Command[];
  readonly read: (replies: Reply[]) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  /** Blocks until the list has an entry, or for this time. */
  readonly blockMs?: number;
  /** Redis has received it on the current connection. */
  arrived: boolean;
  replies: Sent[] | null;
  done: boolean;
}

type Kind = 'worker' | 'producer';

const PLAIN_COMMANDS = [
  ...['get', 'set', 'del', 'exists', 'type', 'pttl', 'time', 'zscan', 'hscan'],
  ...['hget', 'hset', 'hdel', 'hmget', 'hgetall', 'hlen', 'hincrby', 'hexists'],
  ...['zadd', 'zrem', 'zcard', 'zscore', 'zcount', 'zrange', 'zrevrange', 'zrangebyscore', 'zrevrangebyscore'],
  ...['lrange', 'llen', 'lpos', 'ltrim', 'smembers', 'sscan', 'scard', 'xtrim', 'xadd'],
];

type Read = (reply: Reply) => unknown;

/** The commands whose order Redis does not define are replaced by ones that list everything, in order. */
function plain(name: string, args: readonly Argument[]): { command: Command; read: Read } {
  const upper = name.toUpperCase();
  const as = (command: readonly Argument[], read: Read = (reply) => reply) => ({
    command: { name, sha: null, keys: [], args: command },
    read,
  });
  switch (name) {
    case 'hgetall':
      return as(['HGETALL', ...args], (reply) => Object.fromEntries(pairsOf(reply as string[])));
    case 'hscan':
      return as(['HGETALL', args[0] ?? ''], (reply) => ['0', pairsOf(reply as string[]).flat()]);
    case 'zscan':
      return as(['ZRANGE', args[0] ?? '', 0, -1, 'WITHSCORES'], (reply) => ['0', reply]);
    default:
      return as([upper, ...args]);
  }
}

function pairsOf(flat: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) pairs.push([flat[i] ?? '', flat[i + 1] ?? '']);
  return pairs.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Scripts of BullMQ, by the name under which it defines them. */
const defined = new Map<string, { readonly keys: number; readonly text: string }>();

/** Fills in `client[name]` and `pipeline[name]` for each command. */
abstract class Commands extends EventEmitter {
  abstract issue(command: Command, read: Read): unknown;
  protected abstract readonly wire: Wire;

  static {
    const prototype = Commands.prototype as unknown as Record<string, unknown>;
    for (const name of PLAIN_COMMANDS) {
      prototype[name] = function (this: Commands, ...args: Argument[]) {
        const { command, read } = plain(name, args.flat() as Argument[]);
        return this.issue(command, read);
      };
    }
  }

  evalsha(sha: string, count: number, ...rest: Argument[]): unknown {
    return this.#script(sha, count, rest);
  }

  /** The product calls `eval` only if Redis does not know the script. */
  eval(): never {
    throw new Error('all scripts of the product are loaded');
  }

  protected callDefined(name: string, args: readonly Argument[]): unknown {
    const { keys, text } = defined.get(name) as { keys: number; text: string };
    return this.#script(this.wire.store.define(name.split(':')[0] ?? name, text), keys, args);
  }

  #script(sha: string, count: number, rest: readonly Argument[]): unknown {
    const keys = rest.slice(0, count).map(String);
    return this.issue({ name: this.wire.store.nameOf(sha), sha, keys, args: rest.slice(count) }, (reply) => reply);
  }
}

function defineOn(target: object, name: string): void {
  if (name in target) return;
  Object.defineProperty(target, name, {
    value(this: Commands & { callDefined(name: string, args: readonly Argument[]): unknown }, ...args: Argument[]) {
      return this.callDefined(name, args.flat() as Argument[]);
    },
    configurable: true,
    writable: true,
  });
}

class Pipeline extends Commands {
  protected readonly wire: Wire;
  readonly #client: SimulatedRedis;
  readonly #queued: { readonly command: Command; readonly read: Read }[] = [];

  constructor(client: SimulatedRedis, wire: Wire) {
    super();
    this.#client = client;
    this.wire = wire;
  }

  issue(command: Command, read: Read): this {
    this.#queued.push({ command, read });
    return this;
  }

  exec(): Promise<[Error | null, unknown][]> {
    const queued = this.#queued;
    const commands = queued.map(({ command }) => command);
    return this.#client.request(commands, (replies) =>
      replies.map((reply, i) => (reply instanceof Error ? [reply, undefined] : [null, queued[i]?.read(reply)])),
    ) as Promise<[Error | null, unknown][]>;
  }
}

let opened = 0;

export class SimulatedRedis extends Commands {
  status: 'ready' | 'reconnecting' | 'end' = 'ready';
  readonly isCluster = false;
  readonly options: object;
  protected readonly wire: Wire;
  readonly #owner: Owner;
  readonly #kind: Kind;
  readonly #name: string;
  /** Requests without a reply, in order. */
  #open: Request[] = [];
  /** Counts connections: what belongs to an earlier one is lost. */
  #epoch = 0;
  #lastArrival = 0;
  #lastReply = 0;

  constructor(wire: Wire, owner: Owner, kind: Kind) {
    super();
    this.setMaxListeners(Number.POSITIVE_INFINITY); // BullMQ adds to the number
    this.wire = wire;
    this.#owner = owner;
    this.#kind = kind;
    opened += 1;
    this.#name = `${owner.name}/${opened}`;
    this.options = { maxRetriesPerRequest: kind === 'worker' ? null : 1, lazyConnect: kind === 'producer' };
    wire.network.register(owner, this);
  }

  static open(wire: Wire, owner: Owner, kind: Kind): RedisClient {
    return new SimulatedRedis(wire, owner, kind) as unknown as RedisClient;
  }

  issue(command: Command, read: Read): Promise<unknown> {
    return this.request([command], ([reply = null]) => {
      if (reply instanceof Error) throw reply;
      return read(reply);
    });
  }

  pipeline(): Pipeline {
    return new Pipeline(this, this.wire);
  }

  multi(): Pipeline {
    return this.pipeline();
  }

  defineCommand(name: string, { numberOfKeys, lua }: { numberOfKeys: number; lua: string }): void {
    defined.set(name, { keys: numberOfKeys, text: lua });
    defineOn(Commands.prototype, name);
  }

  duplicate(): SimulatedRedis {
    return new SimulatedRedis(this.wire, this.#owner, this.#kind);
  }

  async connect(): Promise<void> {
    this.status = 'ready';
  }

  async info(): Promise<string> {
    return 'redis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\n';
  }

  async client(): Promise<string> {
    return 'OK';
  }

  disconnect(): void {
    if (this.status === 'end') return;
    this.status = 'end';
    this.#lose();
    for (const { reject } of this.#open.splice(0)) reject(new Error('Connection is closed.'));
    this.emit('close');
    this.emit('end');
  }

  async quit(): Promise<'OK'> {
    this.disconnect();
    return 'OK';
  }

  bzpopmin(key: string, seconds: number): Promise<unknown> {
    const command = { name: 'zpopmin', sha: null, keys: [], args: ['ZPOPMIN', key] };
    const read = ([reply = null]: Reply[]) => {
      if (reply instanceof Error) throw reply;
      return Array.isArray(reply) && reply.length > 0 ? [key, ...reply] : null;
    };
    return this.request([command], read, seconds * 1_000);
  }

  request(commands: readonly Command[], read: Request['read'], blockMs?: number): Promise<unknown> {
    const { time, network } = this.wire;
    if (this.status === 'end') return Promise.reject(new Error('Connection is closed.'));
    if (this.#kind === 'producer' && this.status !== 'ready')
      return Promise.reject(new Error("Stream isn't writeable and enableOfflineQueue options is false"));
    return new Promise((resolve, reject) => {
      const request: Request = {
        ...{ commands, read, resolve, reject, arrived: false, replies: null, done: false },
        ...(blockMs === undefined ? {} : { blockMs }),
      };
      this.#open.push(request);
      if (this.#kind === 'producer')
        time.after(COMMAND_TIMEOUT_MS, this.#owner, () => this.#fail(request, 'Command timed out'));
      if (this.status === 'ready' && !network.isCut(this.#owner)) this.#send(request);
    });
  }

  // ── the network ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Packets arrive again after a short interruption. */
  heal(): void {
    if (this.status !== 'ready') return;
    const owner = this.#owner;
    for (const request of [...this.#open]) {
      if (!request.arrived) this.#send(request);
      else if (request.replies !== null) this.#reply(request, this.wire.network.redisMs(owner));
    }
  }

  /** The connection is lost. Redis forgets what it waited for. */
  drop(): void {
    if (this.status !== 'ready') return;
    this.status = 'reconnecting';
    this.#lose();
    if (this.#kind === 'producer')
      for (const request of [...this.#open]) this.#fail(request, 'Reached the max retries per request limit');
    this.emit('close');
  }

  /** A new connection: everything without a reply is sent again. */
  reconnect(): void {
    if (this.status !== 'reconnecting') return;
    this.status = 'ready';
    this.emit('ready');
    for (const request of [...this.#open]) {
      request.arrived = false;
      request.replies = null;
      this.#send(request);
    }
  }

  #lose(): void {
    this.#epoch += 1;
    this.wire.blocked.forget(this.#name);
  }

  #fail(request: Request, message: string): void {
    if (request.done) return;
    this.#close(request);
    request.reject(new Error(message));
  }

  #close(request: Request): void {
    request.done = true;
    const index = this.#open.indexOf(request);
    if (index >= 0) this.#open.splice(index, 1);
  }

  #send(request: Request): void {
    const { time, network } = this.wire;
    const epoch = this.#epoch;
    this.#lastArrival = Math.max(this.#lastArrival, time.now + network.redisMs(this.#owner));
    // A connection that was closed in the meantime does not stop packets that are on their way: the command still runs.
    time.at(this.#lastArrival, null, () => {
      if (network.isCut(this.#owner) || (epoch !== this.#epoch && !this.#owner.dead)) return;
      return this.#arrive(request);
    });
  }

  #arrive(request: Request): Promise<void> | undefined {
    const { store, blocked, network } = this.wire;
    if (request.arrived) return;
    request.arrived = true;
    if (request.blockMs !== undefined) {
      if (this.#owner.dead) return;
      const [{ args }] = request.commands as [Command];
      const answer = (reply: Sent) => {
        request.replies = [reply];
        this.#reply(request, network.redisMs(this.#owner));
      };
      return blocked.pop(String(args[1]), request.blockMs, this.#name, answer);
    }
    for (const { name, keys, args, sha } of request.commands)
      this.wire.log(
        this.#owner,
        sha === null ? `redis ${args.slice(0, 3).join(' ')}` : `redis ${name} ${shortKeys(keys)}`,
      );
    request.replies = request.commands.map((command) =>
      command.name === 'time' ? () => this.#clock : store.execute(command, this.#owner.name),
    );
    this.#reply(request, network.redisMs(this.#owner));
    const markers = request.commands.flatMap(({ keys }) => keys.filter((key) => key.endsWith(':marker')));
    return markers.length === 0 ? undefined : blocked.serve(markers);
  }

  /** Redis's TIME. All machines but the faulty ones have the same clock, so Redis need not be asked. */
  get #clock(): Reply {
    const micros = Math.floor(this.wire.time.now * 1_000);
    return [String(Math.floor(micros / 1_000_000)), String(micros % 1_000_000)];
  }

  #reply(request: Request, ms: number): void {
    const { time, network } = this.wire;
    const epoch = this.#epoch;
    this.#lastReply = Math.max(this.#lastReply, time.now + ms);
    time.at(this.#lastReply, this.#owner, () => {
      if (request.done || network.isCut(this.#owner) || epoch !== this.#epoch) return;
      const replies = (request.replies ?? []).map((reply) => reply());
      return replies.some((reply) => reply instanceof Promise)
        ? Promise.all(replies).then((all) => this.#finish(request, all))
        : this.#finish(request, replies as Reply[]);
    });
  }

  #finish(request: Request, replies: Reply[]): void {
    this.#close(request);
    for (const reply of replies)
      if (reply instanceof Error) this.wire.log(this.#owner, `redis error: ${reply.message}`);
    try {
      request.resolve(request.read(replies));
    } catch (error) {
      request.reject(error as Error);
    }
  }
}

/** The clients that wait for an entry of a sorted set (BZPOPMIN), in the order in which Redis serves them. */
export class Blocked {
  readonly #time: VirtualTime;
  readonly #store: Store;
  #waiting: { key: string; client: string; answer: (reply: Sent) => void; cancel: () => void }[] = [];

  constructor(time: VirtualTime, store: Store) {
    this.#time = time;
    this.#store = store;
  }

  async pop(key: string, ms: number, client: string, answer: (reply: Sent) => void): Promise<void> {
    if (await this.#store.hasMarker(key)) {
      const reply = await this.#store.takeMarker(key);
      return answer(() => reply);
    }
    const waiter = { key, client, answer, cancel: (): void => undefined };
    waiter.cancel = this.#time.after(ms, null, () => {
      this.#waiting = this.#waiting.filter((each) => each !== waiter);
      answer(() => null);
    });
    this.#waiting.push(waiter);
  }

  /** Call after a command that may have filled these lists. */
  async serve(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      for (;;) {
        const waiter = this.#waiting.find((each) => each.key === key);
        if (waiter === undefined || !(await this.#store.hasMarker(key))) break;
        const reply = await this.#store.takeMarker(key);
        waiter.cancel();
        this.#waiting = this.#waiting.filter((each) => each !== waiter);
        waiter.answer(() => reply);
      }
    }
  }

  forget(client: string): void {
    for (const each of this.#waiting) if (each.client === client) each.cancel();
    this.#waiting = this.#waiting.filter((each) => each.client !== client);
  }
}

function shortKeys(keys: readonly string[]): string {
  return keys[0]?.slice(keys[0].indexOf('}') + 2) ?? '';
}
