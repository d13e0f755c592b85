/**
 * Limits calls per second by action and region. The limit holds over any second, and refused calls do not count.
 *
 * A stall of this process bunches calls together. Such calls count from the earliest time at which they may have arrived.
 */
import type { Arrival } from './stall-detector.ts';

const WINDOW_MS = 1_000;

export class RateLimiter {
  /** Earliest possible arrival times of the accepted calls in the last second, by action and region. */
  readonly #accepted = new Map<string, number[]>();

  /** Counts the call if it is within the limit. @returns whether it is. */
  tryAccept(action: string, region: string, limit: number, { at, waitedMs }: Arrival): boolean {
    const name = `${action} ${region}`;
    const accepted = (this.#accepted.get(name) ?? []).filter((arrivedAt) => arrivedAt > at - WINDOW_MS);
    this.#accepted.set(name, accepted);
    if (accepted.length >= limit) return false;
    accepted.push(at - waitedMs);
    return true;
  }

  reset(): void {
    this.#accepted.clear();
  }
}
