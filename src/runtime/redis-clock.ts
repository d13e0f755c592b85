/**
 * Redis's clock, as this process knows it by the answers that carry it. An answer says no more than that Redis read its clock
 * between question and answer; the quickest one says it best. An answer that cannot be so by what is known says that the
 * clock was set, or another Redis answers: it counts from then on.
 */
export class RedisClock {
  /** Redis's clock minus `performance.now()`. */
  #ahead = 0;
  /** Of the answer that is believed; half of it is how far off the clock can be. */
  #roundTripMs = Number.POSITIVE_INFINITY;

  /** @param now Redis's time in an answer. @param askedAt `performance.now()` before it was asked. */
  learn(now: number, askedAt: number): void {
    const roundTripMs = performance.now() - askedAt;
    const ahead = now + 0.5 - askedAt - roundTripMs / 2; // Redis says whole milliseconds, cut
    const impossible = Math.abs(ahead - this.#ahead) > (roundTripMs + this.#roundTripMs) / 2 + 1;
    if (roundTripMs > this.#roundTripMs && !impossible) return;
    this.#ahead = ahead;
    this.#roundTripMs = roundTripMs;
  }

  /** The quickest way to Redis and back; 0 as long as nobody knows. */
  get roundTripMs(): number {
    return Number.isFinite(this.#roundTripMs) ? this.#roundTripMs : 0;
  }

  /** ms until a time of Redis's; negative: since. */
  until(time: number): number {
    return time - this.#ahead - performance.now();
  }
}
