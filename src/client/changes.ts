/**
 * Waiting for a change: one subscription for all who wait, and a slow look now and then, since pub/sub promises nothing.
 */
import { type RedisClient, subscriberOf } from '../queue/connection.ts';

const LOOK_MS = 2_000;

export class Changes {
  readonly #redis: RedisClient;
  readonly #channel: string;
  readonly #waiting = new Map<string, Set<() => void>>();
  #subscriber: RedisClient | undefined;
  #closed = false;

  constructor(redis: RedisClient, channel: string) {
    this.#redis = redis;
    this.#channel = channel;
  }

  /** Looks, and looks again at each change of `id`, until `look` is done, the time is up or the signal aborts. */
  async until<T>(
    id: string,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    look: () => Promise<{ done: boolean; value: T }>,
  ): Promise<T> {
    await this.#subscribe();
    const endsAt = performance.now() + timeoutMs;
    for (;;) {
      signal?.throwIfAborted();
      // Listening before looking: a change in between is not missed.
      const changed = this.#next(id, Math.min(LOOK_MS, Math.max(0, endsAt - performance.now())), signal);
      const { done, value } = await look().catch((error: unknown) => {
        changed.stop();
        throw error;
      });
      if (done || performance.now() >= endsAt || this.#closed) {
        changed.stop();
        return value;
      }
      await changed.promise;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const waiters of this.#waiting.values()) for (const wake of waiters) wake();
    this.#subscriber?.disconnect();
  }

  #next(id: string, ms: number, signal: AbortSignal | undefined): { promise: Promise<void>; stop: () => void } {
    let wake: () => void = () => undefined;
    const promise = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const stop = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      const waiters = this.#waiting.get(id);
      waiters?.delete(stop);
      if (waiters?.size === 0) this.#waiting.delete(id);
      wake();
    };
    const timer = setTimeout(stop, ms);
    signal?.addEventListener('abort', stop);
    const waiters = this.#waiting.get(id) ?? new Set();
    waiters.add(stop);
    this.#waiting.set(id, waiters);
    return { promise, stop };
  }

  async #subscribe(): Promise<void> {
    if (this.#subscriber !== undefined) return;
    const subscriber = subscriberOf(this.#redis);
    this.#subscriber = subscriber;
    subscriber.on('error', () => undefined); // the slow look goes on without it
    subscriber.on('message', (_channel, id: string) => {
      for (const wake of [...(this.#waiting.get(id) ?? [])]) wake();
    });
    subscriber.subscribe(this.#channel).catch(() => undefined); // ioredis subscribes again by itself when it reconnects
  }
}
