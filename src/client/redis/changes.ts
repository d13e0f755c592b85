/** Waits for changes of a verification: one subscription for all waiters, and a slow poll, since pub/sub may lose a message. */
import { isTerminal } from '../../domain/verification/states.ts';
import type { VerificationView } from '../../domain/verification/view.ts';
import { type Deployment, subscribeToChanges } from '../../redis/deployment.ts';

const POLL_MS = 2_000;
/** How long a watch waits for a change before it reads the verification anyway. */
const WATCH_MS = 60_000;

/**
 * The part of a view whose change is reported to waiters. Two things are left out: the next free slot of the rate (calls of other
 * verifications move it), and a pause due to a used-up rate (it lasts only a moment).
 */
export function lastingText(view: VerificationView): string {
  const pausedBy = view.pausedBy === 'rate' ? null : view.pausedBy;
  return JSON.stringify({ ...view, pausedBy, retryAfter: null });
}

export class Changes {
  readonly #deployment: Deployment;
  readonly #waiting = new Map<string, Set<() => void>>();
  #unsubscribe: (() => void) | undefined;
  #closed = false;

  constructor(deployment: Deployment) {
    this.#deployment = deployment;
  }

  /**
   * Calls `look` at once and after each change to the verification, until `look` reports `done`, the time is up, or the signal
   * aborts.
   */
  async until<T>(
    id: string,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    look: () => Promise<{ done: boolean; value: T }>,
  ): Promise<T> {
    this.#subscribe();
    const endsAt = performance.now() + timeoutMs;
    for (;;) {
      signal?.throwIfAborted();
      // Subscribe before reading, so that a change in between is not missed.
      const changed = this.#next(id, Math.min(POLL_MS, Math.max(0, endsAt - performance.now())), signal);
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

  /** Yields the verification now and after each change, until it ends or is gone. */
  async *watch(
    id: string,
    signal: AbortSignal,
    read: () => Promise<VerificationView | null>,
  ): AsyncGenerator<VerificationView> {
    let seen = '';
    for (;;) {
      const view = await this.until(id, WATCH_MS, signal, async () => {
        const now = await read();
        return { done: now === null || lastingText(now) !== seen, value: now };
      });
      if (view === null) return;
      const text = lastingText(view);
      if (text === seen) continue;
      seen = text;
      yield view;
      if (isTerminal(view.state)) return;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const waiters of this.#waiting.values()) for (const wake of waiters) wake();
    this.#unsubscribe?.();
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

  #subscribe(): void {
    this.#unsubscribe ??= subscribeToChanges(this.#deployment, (id) => {
      for (const wake of [...(this.#waiting.get(id) ?? [])]) wake();
    });
  }
}
