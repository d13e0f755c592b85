/**
 * Traces the scripts that a private Redis runs, with their writes, in the order of Redis. It uses MONITOR, so the order
 * does not depend on the speed of this machine.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { Redis } from 'ioredis';
import { loadScript, SCRIPT_NAMES } from '../../src/redis/scripts/run.ts';
import { type MonitoredCommand, RedisMonitor, writingCommands } from './redis-monitor.ts';

export interface ScriptWrite {
  /** The command in lower case. */
  readonly command: string;
  readonly key: string;
  readonly args: readonly string[];
}

export interface ScriptRun {
  /** The file name of our script, BullMQ's name of its script, or `unknown`. */
  readonly name: string;
  /** Milliseconds since 1970, by the clock of Redis. */
  readonly at: number;
  readonly keys: readonly string[];
  readonly args: readonly string[];
  readonly writes: readonly ScriptWrite[];
  /** How many commands it ran. */
  readonly commands: number;
}

/** A command outside a script. */
export interface PlainCommand {
  readonly command: string;
  readonly args: readonly string[];
}

const ID = /v[0-9a-z]{25}(?![0-9a-z])/;
const bullmqScripts = createRequire(import.meta.url)('bullmq/dist/cjs/scripts/index.js') as Readonly<
  Record<string, { readonly name: string; readonly content: string }>
>;
const SCRIPTS = [
  ...SCRIPT_NAMES.map((name) => ({ name: name as string, text: loadScript(name).text })),
  ...Object.values(bullmqScripts).map(({ name, content }) => ({ name, text: content })),
];
const NAME_BY_DIGEST = new Map(
  SCRIPTS.map(({ name, text }) => [createHash('sha1').update(text).digest('hex'), name] as const),
);
const NAME_BY_TEXT = new Map(SCRIPTS.map(({ name, text }) => [withoutWhitespace(text), name] as const));

export class ScriptTrace {
  readonly #redis: Redis;
  readonly #writing: ReadonlySet<string>;
  #monitor: RedisMonitor | null = null;
  /** Called when MONITOR shows the marker that it waits for. */
  #awaited: { readonly marker: string; seen(): void } | null = null;
  #runs: (ScriptRun & { readonly writes: ScriptWrite[]; commands: number })[] = [];
  #plain: PlainCommand[] = [];
  #closed = false;

  private constructor(redis: Redis, writing: ReadonlySet<string>) {
    this.#redis = redis;
    this.#writing = writing;
  }

  /** Starts a trace. Our scripts are loaded first: otherwise a run would appear twice, as a failed EVALSHA and as an EVAL. */
  static async start(url: string): Promise<ScriptTrace> {
    const redis = new Redis(url);
    const trace = new ScriptTrace(redis, await writingCommands(redis));
    for (const name of SCRIPT_NAMES) await trace.#redis.script('LOAD', loadScript(name).text);
    const { hostname, port } = new URL(url);
    trace.#monitor = await RedisMonitor.open(hostname, Number(port), (command) => trace.#record(command));
    void trace.#monitor.closed.then(() => {
      trace.#closed = true;
    });
    return trace;
  }

  /** Drops all runs so far. */
  async clear(): Promise<void> {
    await this.#catchUp();
    this.#runs = [];
    this.#plain = [];
  }

  /** @returns the runs that Redis finished before this call, since the start or the last `clear`. */
  async read(): Promise<readonly ScriptRun[]> {
    await this.#catchUp();
    return [...this.#runs];
  }

  /** @returns the commands that ran outside scripts, in the same period as `read`. */
  async readPlain(): Promise<readonly PlainCommand[]> {
    await this.#catchUp();
    return [...this.#plain];
  }

  stop(): void {
    this.#monitor?.close();
    this.#redis.disconnect();
  }

  /**
   * Waits until MONITOR has caught up. MONITOR keeps the order: once MONITOR shows the marker, it has shown every
   * earlier command.
   */
  async #catchUp(): Promise<void> {
    const marker = randomBytes(8).toString('hex');
    const signal = AbortSignal.timeout(30_000);
    const seen = new Promise<void>((resolve) => {
      this.#awaited = { marker, seen: resolve };
    });
    await this.#redis.echo(marker);
    await Promise.race([seen, once(signal, 'abort')]);
    if (this.#closed || signal.aborted) throw new Error('MONITOR did not deliver everything: the trace is incomplete');
  }

  #record({ at, source, args: [command = '', first = '', ...rest] }: MonitoredCommand): void {
    if (source === 'lua') {
      const running = this.#runs.at(-1);
      if (running !== undefined) running.commands += 1;
      const name = command.toLowerCase();
      if (this.#writing.has(name)) this.#runs.at(-1)?.writes.push({ command: name, key: first, args: rest });
      return;
    }
    const isEval = /^eval$/i.test(command);
    if (!isEval && !/^evalsha$/i.test(command)) {
      if (first === this.#awaited?.marker) this.#awaited.seen();
      this.#plain.push({ command: command.toLowerCase(), args: [first, ...rest] });
      return;
    }
    const name = isEval ? NAME_BY_TEXT.get(withoutWhitespace(first)) : NAME_BY_DIGEST.get(first);
    const keyCount = Number(rest[0]);
    const [keys, args] = [rest.slice(1, 1 + keyCount), rest.slice(1 + keyCount)];
    this.#runs.push({ name: name ?? 'unknown', at, keys, args, writes: [], commands: 0 });
  }
}

/** @returns the verification of a run or a command, which is the first id in its keys and arguments. */
export function verificationOf({
  keys = [],
  args,
}: Pick<PlainCommand, 'args'> & Partial<Pick<ScriptRun, 'keys'>>): string | null {
  return [...keys, ...args].map((text) => ID.exec(text)?.[0]).find((id) => id !== undefined) ?? null;
}

/** Removes whitespace and escapes, because MONITOR escapes line breaks and backslashes. */
function withoutWhitespace(text: string): string {
  return text.replace(/\\[nrt]|\\|\s/g, '');
}
