/** Asks Redis for a write and a read within a short time, and says in words what is wrong. */
import { Failure } from '../domain/errors/failure.ts';
import { connectProbe, type RedisClient, waitUntilReady } from './connection.ts';
import { createNames } from './names.ts';
import type { RedisSettings } from './redis-url.ts';

const LIMIT_MS = 2_000;
/** The key disappears by itself after this time. */
const KEPT_MS = 60_000;

const REPLICA = 'Redis is a replica and refuses writes: check the address, or the failover';
const TROUBLES: readonly (readonly [answer: RegExp, words: string])[] = [
  [/\bOOM\b/, 'Redis is out of memory and refuses writes: raise maxmemory, or free memory'],
  [/\bMISCONF\b/, 'Redis cannot write to its disk and refuses writes: check its disk'],
  [/\bREADONLY\b/, REPLICA],
  [/\bNOREPLICAS\b/, 'Redis has too few replicas and refuses writes: check the replicas'],
  [/\bLOADING\b/, 'Redis is still loading its data'],
  [/\bBUSY\b/, 'Redis is busy with a script'],
  [/\b(?:MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b/, 'Redis has no primary: check the failover'],
  [
    /\b(?:NOAUTH|WRONGPASS|NOPERM)\b/,
    'Redis refuses the user, the password or the command: check the Redis URL and the rights',
  ],
  [/\bmax number of clients\b/, 'Redis accepts no more connections: raise maxclients'],
];
const SILENT = `Redis did not answer within ${LIMIT_MS / 1_000} s: check whether it hangs`;
const UNREACHABLE = 'Redis cannot be reached: check that it runs and that the Redis URL is correct';

export class RedisProbe {
  readonly #key: string;
  readonly #settings: RedisSettings;
  #redis: RedisClient | undefined;
  #lastError: unknown;
  #running: Promise<string | null> | undefined;

  /** Connects when it first runs, over a connection of its own, whose commands fail instead of waiting for Redis. */
  constructor(settings: RedisSettings, prefix: string) {
    this.#settings = settings;
    this.#key = createNames(prefix).probe;
  }

  /** Concurrent callers share one run. @returns what is wrong; null if Redis took the write and answered the read. */
  run(): Promise<string | null> {
    this.#running ??= this.#ask().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  close(): void {
    this.#redis?.disconnect();
  }

  async #ask(): Promise<string | null> {
    this.#redis ??= this.#connect();
    const redis = this.#redis;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(this.#silence(redis)), LIMIT_MS);
    });
    const asked = this.#exchange(redis).catch((error: unknown) => wordsFor(error));
    const trouble = await Promise.race([asked, late]);
    clearTimeout(timer);
    if (trouble === REPLICA) {
      // After a failover, a new connection finds the new primary.
      redis.disconnect();
      this.#redis = undefined;
    }
    return trouble;
  }

  #connect(): RedisClient {
    const redis = connectProbe(this.#settings);
    redis.on('error', (error) => {
      this.#lastError = error;
    });
    redis.on('ready', () => {
      this.#lastError = undefined;
    });
    return redis;
  }

  /** The run may end between two tries to connect. Then the last try shows the reason. */
  #silence(redis: RedisClient): string {
    return redis.status === 'ready' || this.#lastError === undefined ? SILENT : wordsFor(this.#lastError);
  }

  async #exchange(redis: RedisClient): Promise<string | null> {
    await waitUntilReady(redis, 2 * LIMIT_MS);
    await redis.set(this.#key, '1', 'PX', KEPT_MS);
    return (await redis.get(this.#key)) === '1' ? null : 'Redis lost what was just written: check its memory policy';
  }
}

/** The server's address, which an error may contain, is left out. */
function wordsFor(error: unknown): string {
  const cause = error instanceof Failure ? error.cause : error;
  const message = cause instanceof Error ? cause.message : '';
  return TROUBLES.find(([answer]) => answer.test(message))?.[1] ?? UNREACHABLE;
}
