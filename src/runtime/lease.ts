/**
 * One attempt's lease on its job. Holds while Redis confirms it in time:
 * 1. it is renewed by one timer of its own, on token and `ats` (BullMQ's renewal goes by job id, and a zombie's end would
 *    un-track the new attempt);
 * 2. a local monotonic deadline, counted from when the last confirmed renewal was *sent*, ends it even while Redis cannot
 *    be asked or the event loop was blocked;
 * 3. once lost it stays lost, and everything that the attempt waits for is aborted.
 */
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';

export interface LeaseTimes {
  /** How long Redis holds the lock without renewal. */
  readonly leaseMs: number;
  readonly renewMs: number;
}

export const DEFAULT_LEASE: LeaseTimes = { leaseMs: 8_000, renewMs: 1_500 };

export type Renewal = 'ok' | 'lost' | 'cancel';

export class Lease {
  readonly #lost = new AbortController();
  readonly #cancelled = new AbortController();
  readonly #handedOver = new AbortController();
  /** Aborted with a Failure: LEASE_LOST, or CANCELLED or WORKER_DRAINED while the lease itself still holds. */
  readonly signal: AbortSignal = AbortSignal.any([this.#lost.signal, this.#cancelled.signal, this.#handedOver.signal]);
  readonly #renew: () => Promise<Renewal>;
  readonly #times: LeaseTimes;
  #timer: NodeJS.Timeout;
  #watch: NodeJS.Timeout | undefined;
  #validUntil = 0;
  #stopped = false;

  /** @param takenAt `performance.now()` from before the lock was known to be held. */
  constructor(takenAt: number, times: LeaseTimes, renew: () => Promise<Renewal>) {
    this.#renew = renew;
    this.#times = times;
    this.#extend(takenAt);
    this.#timer = setTimeout(() => void this.#tick(), times.renewMs);
  }

  get lost(): boolean {
    return this.#lost.signal.aborted;
  }

  /** To be asked right before anything that must not happen twice. @throws Failure LEASE_LOST | CANCELLED | WORKER_DRAINED */
  check(): void {
    if (performance.now() > this.#validUntil) this.#lose();
    this.signal.throwIfAborted();
  }

  /** Waits for a journal write, but no longer than the lease holds. @throws Failure LEASE_LOST */
  async guard<T>(write: Promise<T>): Promise<T> {
    const { signal } = this.#lost;
    let giveUp: (() => void) | undefined;
    const lost = new Promise<never>((_, reject) => {
      giveUp = () => reject(signal.reason);
      if (signal.aborted) giveUp();
      else signal.addEventListener('abort', giveUp);
    });
    try {
      return await Promise.race([write, lost]);
    } finally {
      if (giveUp !== undefined) signal.removeEventListener('abort', giveUp);
    }
  }

  /** This process ends: the attempt stops where it may, and hands its work back under the lease that it still has. */
  handOver(): void {
    this.#handedOver.abort(failure(CODES.WORKER_DRAINED, 'the worker was told to end, and its time to drain is over'));
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#watch);
  }

  async #tick(): Promise<void> {
    const sentAt = performance.now();
    let answer: Renewal | 'away';
    try {
      answer = await this.#renew();
    } catch {
      answer = 'away'; // Redis did not answer: the local deadline decides, not this error.
    }
    if (this.#stopped) return;
    if (answer === 'lost') return this.#lose();
    if (answer !== 'away') this.#extend(sentAt);
    if (answer === 'cancel') this.#cancelled.abort(failure(CODES.CANCELLED, 'cancelled by its caller'));
    this.#timer = setTimeout(() => void this.#tick(), this.#times.renewMs);
  }

  /** A margin before Redis would let go: work must have stopped before another attempt starts. */
  #extend(since: number): void {
    this.#validUntil = since + this.#times.leaseMs * 0.9;
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#lose(), Math.max(0, this.#validUntil - performance.now()));
  }

  #lose(): void {
    this.stop();
    const message = 'the lease on this verification was lost: another attempt goes on with it';
    this.#lost.abort(failure(CODES.LEASE_LOST, message));
  }
}

function failure(code: string, message: string): Failure {
  return new Failure({ service: 'bestframe', channel: 'local', code, sent: 'no' }, message);
}
