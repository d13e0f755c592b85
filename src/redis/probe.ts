/** Asks Redis for a write and a read within a short time, and says in words what is wrong. */
import { connectProbe, type RedisClient, waitUntilReady } from './connection.ts';
import { createNames } from './names.ts';
import type { RedisSettings } from './redis-url.ts';
import { REPLICA, redisTrouble } from './trouble.ts';

const LIMIT_MS = 2_000;
/** The key disappears by itself after this time. */
const KEPT_MS = 60_000;

const SILENT = `Redis did not answer within ${LIMIT_MS / 1_000} s: check whether it hangs`;

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
    const asked = this.#exchange(redis).catch((error: unknown) => redisTrouble(this.#reasonOf(error)));
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

  /** After several tries, ioredis reports only their number. */
  #reasonOf(error: unknown): unknown {
    const isGivenUp = error instanceof Error && error.name === 'MaxRetriesPerRequestError';
    return isGivenUp ? (this.#lastError ?? error) : error;
  }

  /** The run may end between two tries to connect. Then the last try shows the reason. */
  #silence(redis: RedisClient): string {
    return redis.status === 'ready' || this.#lastError === undefined ? SILENT : redisTrouble(this.#lastError);
  }

  async #exchange(redis: RedisClient): Promise<string | null> {
    await waitUntilReady(redis, 2 * LIMIT_MS);
    await redis.set(this.#key, '1', 'PX', KEPT_MS);
    return (await redis.get(this.#key)) === '1' ? null : 'Redis lost what was just written: check its memory policy';
  }
}
