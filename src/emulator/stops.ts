/**
 * When this process was kept from looking: stopped, starved, or busy. A call that is found right after that may have been
 * waiting since it began: a limit counted by the clock must not take the machine's stop for the caller's haste.
 */
export interface Arrival {
  /** When it was found, ms since 1970. */
  readonly at: number;
  /** For how long, at most, it had been waiting; 0 where this process was not stopped. */
  readonly waitedMs: number;
}

const BEAT_MS = 5;
/** A beat that comes later than this tells of a stop. */
const LATE_MS = 15;
/** What waited is found within this time of its end. */
const AFTER_MS = 25;

export class Stops {
  readonly #timer: NodeJS.Timeout;
  #beat = performance.now();
  #last = { from: 0, to: Number.NEGATIVE_INFINITY };

  constructor() {
    this.#timer = setInterval(() => this.#look(performance.now()), BEAT_MS);
  }

  /** Of a call that is found now. */
  arrival(): Arrival {
    const now = performance.now();
    this.#look(now);
    const waitedMs = now - this.#last.to > AFTER_MS ? 0 : Math.ceil(now - this.#last.from);
    return { at: Date.now(), waitedMs };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(now: number): void {
    if (now - this.#beat > LATE_MS) this.#last = { from: this.#beat, to: now };
    this.#beat = now;
  }
}
