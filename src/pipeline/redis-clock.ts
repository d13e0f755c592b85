/**
 * This process's estimate of Redis's clock, from answers that contain Redis's time. Redis read its clock at some moment between
 * request and answer, so the fastest round trip gives the best estimate. But an answer that contradicts the estimate replaces it,
 * even if the answer was slow: Redis's clock was set, or another Redis has taken over.
 */
export class RedisClock {
  /** Redis's clock minus `performance.now()`. */
  #offsetMs = 0;
  /** Round trip of the answer that gave the estimate. The error of the estimate is at most half of this. */
  #roundTripMs = Number.POSITIVE_INFINITY;

  /** @param now Redis's time in an answer. @param askedAt `performance.now()` before the request. */
  learn(now: number, askedAt: number): void {
    const roundTripMs = performance.now() - askedAt;
    const offsetMs = now + 0.5 - askedAt - roundTripMs / 2; // +0.5: Redis's time is truncated to whole milliseconds
    const contradicts = Math.abs(offsetMs - this.#offsetMs) > (roundTripMs + this.#roundTripMs) / 2 + 1;
    if (roundTripMs > this.#roundTripMs && !contradicts) return;
    this.#offsetMs = offsetMs;
    this.#roundTripMs = roundTripMs;
  }

  /** Shortest round trip to Redis so far; 0 before the first answer. */
  get roundTripMs(): number {
    return Number.isFinite(this.#roundTripMs) ? this.#roundTripMs : 0;
  }

  /** Time until Redis's clock shows `time`, ms; negative after that. */
  until(time: number): number {
    return time - this.#offsetMs - performance.now();
  }
}
