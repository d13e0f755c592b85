/**
 * Records what Redis executed, in order, through MONITOR: each script with the writes that it made. This evidence does
 * not depend on any worker. The witness loses its connection whenever Redis is down and records these periods in
 * `gaps`.
 */
import { createHash } from 'node:crypto';
import { Redis } from 'ioredis';
import { loadScript, SCRIPT_NAMES } from '../../src/redis/scripts/run.ts';
import { type MonitoredCommand, RedisMonitor, writingCommands } from '../support/redis-monitor.ts';
import { type Change, LUA_FILE } from './fleet.ts';

export interface Write {
  readonly command: string;
  readonly key: string;
  readonly args: readonly string[];
}

export interface ExecutedCommand {
  /** The time on Redis's clock, in ms since 1970. */
  readonly at: number;
  /** The name of a product script, or null for a BullMQ script or a plain command. */
  readonly script: string | null;
  /** The `host:port` of the sender. */
  readonly source: string;
  readonly keys: readonly string[];
  readonly args: readonly string[];
  readonly writes: Write[];
  /** Redis was killed at that moment, so the command may be lost, although MONITOR reported it. */
  mayBeLost?: true;
}

/**
 * Redis writes to its AOF after a round of its event loop. If a monitor's socket was full in the round before, the monitor gets its
 * lines earlier. A kill in between loses commands that were reported but not answered: those of the last round, within this time.
 */
const LAST_ROUND_MS = 100;

/** Maps script digests to names. It includes the digests of changed scripts, because a change gives a new digest. */
function namesByDigest(changes: readonly Change[]): Map<string, string> {
  return new Map(
    SCRIPT_NAMES.flatMap((name) => {
      const { text, sha } = loadScript(name);
      const applied = changes.filter(({ file, find }) => file === LUA_FILE && text.includes(find));
      const changed = applied.reduce((all, { find, put }) => all.replace(find, put), text);
      return [[sha, name] as const, [createHash('sha1').update(changed).digest('hex'), name] as const];
    }),
  );
}

export class Witness {
  readonly executed: ExecutedCommand[] = [];
  readonly gaps: { readonly from: number; to: number | null }[] = [];
  readonly #port: number;
  readonly #names: ReadonlyMap<string, string>;
  #writing: ReadonlySet<string> = new Set();
  #monitor: RedisMonitor | null = null;

  constructor(port: number, changes: readonly Change[] = []) {
    this.#port = port;
    this.#names = namesByDigest(changes);
  }

  /**
   * Connects to Redis, also after an outage. It loads the product's scripts first, so that workers call them by digest
   * and each call can be named.
   */
  async attach(): Promise<void> {
    const redis = new Redis({ host: '127.0.0.1', port: this.#port, lazyConnect: true });
    redis.on('error', () => undefined); // `connect` reports the same error
    try {
      await redis.connect();
      this.#writing = await writingCommands(redis);
      for (const name of SCRIPT_NAMES) await redis.script('LOAD', loadScript(name).text);
    } finally {
      redis.disconnect();
    }
    const monitor = await RedisMonitor.open('127.0.0.1', this.#port, (command) => this.#record(command));
    this.#monitor = monitor;
    const gap = this.gaps.at(-1);
    if (gap?.to === null) gap.to = Date.now();
    void monitor.closed.then(() => {
      if (this.#monitor !== monitor) return;
      this.gaps.push({ from: Date.now(), to: null });
      this.#markLastRound();
    });
  }

  detach(): void {
    const monitor = this.#monitor;
    this.#monitor = null;
    monitor?.close();
  }

  #markLastRound(): void {
    const lastAt = this.executed.at(-1)?.at ?? 0;
    for (const command of this.executed.toReversed()) {
      if (command.at < lastAt - LAST_ROUND_MS) break;
      command.mayBeLost = true;
    }
  }

  #record({ at, args, source }: MonitoredCommand): void {
    const [command = '', first = '', ...rest] = args;
    const write = { command: command.toLowerCase(), key: first, args: rest };
    const isWrite = this.#writing.has(write.command);
    if (source === 'lua') {
      if (isWrite) this.executed.at(-1)?.writes.push(write);
      return;
    }
    const isScript = /^eval(sha)?$/i.test(command);
    const keyCount = isScript ? Number(rest[0]) : 0;
    const entry: ExecutedCommand = {
      at,
      source,
      script: isScript ? (this.#names.get(first) ?? null) : null,
      keys: isScript ? rest.slice(1, 1 + keyCount) : [first],
      args: isScript ? rest.slice(1 + keyCount) : rest,
      writes: isWrite ? [write] : [],
    };
    this.executed.push(entry);
  }
}
