/**
 * One attempt's lease on its job, that is, the BullMQ lock. The lease is valid while Redis confirms renewals in time.
 *
 * What must hold:
 * 1. The lease has its own timer, and is renewed by token and `ats`. BullMQ renews by job id alone, so the end of a stale attempt
 *    would stop the renewal of the new attempt's lock.
 * 2. A local monotonic deadline ends the lease even if Redis is unreachable or the event loop was blocked. It is counted from the
 *    moment when the last confirmed renewal was *sent*.
 * 3. A lost lease stays lost, and everything that the attempt waits for is aborted.
 */

import { type Failure, localFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import type { Renewal } from '../redis/scripts/renew-lease.ts';

export interface LeaseTimes {
  /** How long Redis keeps the lock without a renewal. */
  readonly leaseMs: number;
  readonly renewMs: number;
}

export const DEFAULT_LEASE: LeaseTimes = { leaseMs: 8_000, renewMs: 1_500 };

export class Lease {
  readonly #controller = new AbortController();
  /**
   * Aborted with a Failure: LEASE_LOST if the lease has ended; CANCELLED or WORKER_DRAINED if work must stop although the lease
   * is valid. Only the first reason counts.
   */
  readonly signal: AbortSignal = this.#controller.signal;
  /** Controllers that are aborted with the lease. */
  readonly #linked = new Set<AbortController>();
  /** Called when the lease is lost. */
  readonly #waiting = new Set<(reason: Failure) => void>();
  #lost: Failure | null = null;
  readonly #renew: () => Promise<Renewal>;
  readonly #times: LeaseTimes;
  #renewTimer: NodeJS.Timeout;
  #expiryTimer: NodeJS.Timeout | undefined;
  #validUntil = 0;
  #stopped = false;

  /** @param takenAt `performance.now()`, read before the lock was confirmed. */
  constructor(takenAt: number, times: LeaseTimes, renew: () => Promise<Renewal>) {
    this.#renew = renew;
    this.#times = times;
    this.#extend(takenAt);
    this.#renewTimer = setTimeout(() => void this.#tick(), times.renewMs);
  }

  get lost(): boolean {
    return this.#lost !== null;
  }

  /** Call right before anything that must not happen twice. @throws Failure LEASE_LOST | CANCELLED | WORKER_DRAINED */
  check(): void {
    if (performance.now() > this.#validUntil) this.#lose();
    this.signal.throwIfAborted();
  }

  /**
   * A controller that is aborted with this lease, and may be aborted earlier. In contrast to `AbortSignal.any`, this costs no
   * listener, and Node does not lose the signal while only its listeners are referenced.
   */
  link(): AbortController {
    const controller = new AbortController();
    if (this.signal.aborted) controller.abort(this.signal.reason);
    this.#linked.add(controller);
    return controller;
  }

  /** Waits for a journal write, but no longer than the lease is valid. @throws Failure LEASE_LOST */
  guard<T>(write: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#lost !== null) reject(this.#lost);
      this.#waiting.add(reject);
      write.then(resolve, reject).finally(() => this.#waiting.delete(reject));
    });
  }

  /**
   * Called when the process shuts down. The attempt stops at the next safe point, and requeues its work while its lease is still
   * valid.
   */
  releaseOnDrain(): void {
    this.#abort(localFailure(CODES.WORKER_DRAINED, 'the worker is shutting down, and its time to drain is over'));
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#renewTimer);
    clearTimeout(this.#expiryTimer);
  }

  async #tick(): Promise<void> {
    const sentAt = performance.now();
    let answer: Renewal | 'unreachable';
    try {
      answer = await this.#renew();
    } catch {
      answer = 'unreachable'; // a failed renewal does not end the lease; only the local deadline does
    }
    if (this.#stopped) return;
    if (answer === 'lost') return this.#lose();
    if (answer !== 'unreachable') this.#extend(sentAt);
    if (answer === 'cancel') this.#abort(localFailure(CODES.CANCELLED, 'the caller cancelled it'));
    this.#renewTimer = setTimeout(() => void this.#tick(), this.#times.renewMs);
  }

  /** The lease ends after 90 % of the lock's time, because work must have stopped before another attempt can start. */
  #extend(since: number): void {
    this.#validUntil = since + this.#times.leaseMs * 0.9;
    clearTimeout(this.#expiryTimer);
    this.#expiryTimer = setTimeout(() => this.#lose(), Math.max(0, this.#validUntil - performance.now()));
  }

  #lose(): void {
    this.stop();
    if (this.#lost !== null) return;
    const message = 'the lease on this verification was lost: another attempt continues it';
    this.#lost = localFailure(CODES.LEASE_LOST, message);
    for (const reject of this.#waiting) reject(this.#lost);
    this.#abort(this.#lost);
  }

  #abort(reason: Failure): void {
    for (const controller of [this.#controller, ...this.#linked]) controller.abort(reason);
  }
}
