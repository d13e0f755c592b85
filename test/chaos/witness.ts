/**
 * What Redis itself saw, in its own order: MONITOR, a script with the writes that it made. No worker is asked. Where Redis was
 * away the witness was, too, and says so (`gaps`).
 */
import { createHash } from 'node:crypto';
import { Redis } from 'ioredis';
import { SCRIPT_NAMES, scriptNamed } from '../../src/queue/scripts.ts';
import type { Change } from './fleet.ts';

export interface Write {
  readonly command: string;
  readonly key: string;
  readonly args: readonly string[];
}

export interface Seen {
  /** ms since 1970, by Redis. */
  readonly at: number;
  /** One of ours, or null: BullMQ's, or a plain command. */
  readonly script: string | null;
  /** `host:port` of whoever sent it. */
  readonly source: string;
  readonly keys: readonly string[];
  readonly args: readonly string[];
  readonly writes: Write[];
}

const READS =
  /^(get|mget|hget|hmget|hgetall|hexists|exists|time|z(score|card|range|rangebyscore)|l(len|range)|type|pttl|ttl)$/i;

/** By digest; a script that a run has changed has another one. */
function namesOf(changes: readonly Change[]): Map<string, string> {
  return new Map(
    SCRIPT_NAMES.flatMap((name) => {
      const { text, sha } = scriptNamed(name);
      const mine = changes.filter(
        ({ file, find }) =>
          /^lua\/(parts\/.*|NAME\.lua)$/.test(file.replace(`/${name}.`, '/NAME.')) && text.includes(find),
      );
      const changed = mine.reduce((all, { find, put }) => all.replace(find, put), text);
      return [[sha, name] as const, [createHash('sha1').update(changed).digest('hex'), name] as const];
    }),
  );
}

export class Witness {
  readonly seen: Seen[] = [];
  readonly gaps: { readonly from: number; to: number | null }[] = [];
  readonly #port: number;
  readonly #names: ReadonlyMap<string, string>;
  #monitor: Redis | null = null;

  constructor(port: number, changes: readonly Change[] = []) {
    this.#port = port;
    this.#names = namesOf(changes);
  }

  /** Again after Redis was away. Scripts are known to Redis from here on, so that each is seen by its digest. */
  async attach(): Promise<void> {
    const redis = new Redis({ host: '127.0.0.1', port: this.#port, lazyConnect: true });
    redis.on('error', () => undefined); // `connect` says it
    try {
      await redis.connect();
      for (const name of SCRIPT_NAMES) await redis.script('LOAD', scriptNamed(name).text);
      this.#monitor = await redis.monitor();
    } finally {
      redis.disconnect();
    }
    const gap = this.gaps.at(-1);
    if (gap?.to === null) gap.to = Date.now();
    const monitor = this.#monitor;
    monitor.on('error', () => undefined);
    monitor.on('monitor', (time: string, args: string[], source: string) =>
      this.#hear(Number(time) * 1_000, args, source),
    );
    monitor.on('close', () => {
      if (this.#monitor !== monitor) return;
      monitor.disconnect();
      this.gaps.push({ from: Date.now(), to: null });
    });
  }

  detach(): void {
    const monitor = this.#monitor;
    this.#monitor = null;
    monitor?.disconnect();
  }

  #hear(at: number, args: readonly string[], source: string): void {
    const [command = '', first = '', ...rest] = args;
    if (source === 'lua') {
      if (!READS.test(command))
        this.seen.at(-1)?.writes.push({ command: command.toLowerCase(), key: first, args: rest });
      return;
    }
    const isScript = /^eval(sha)?$/i.test(command);
    const keyCount = isScript ? Number(rest[0]) : 0;
    const entry: Seen = {
      at,
      source,
      script: isScript ? (this.#names.get(first) ?? null) : null,
      keys: isScript ? rest.slice(1, 1 + keyCount) : [first],
      args: isScript ? rest.slice(1 + keyCount) : rest,
      writes: [],
    };
    if (!isScript && !READS.test(command))
      entry.writes.push({ command: command.toLowerCase(), key: first, args: rest });
    this.seen.push(entry);
  }
}
