/**
 * Detects when this process could not run, because it was suspended, starved of CPU or blocked. A call that is read right after a
 * stall may have arrived at any time during the stall. Rate limits must not mistake such a burst for a caller that is too fast.
 */
export interface Arrival {
  /** When the process read the call, ms since 1970. */
  readonly at: number;
  /** The longest time that the call may have waited to be read. 0 if the process was not stalled. */
  readonly waitedMs: number;
}

const BEAT_MS = 5;
/** If the last tick of the timer is longer ago than this, the process was stalled. */
const LATE_BEAT_MS = 15;
/** Calls that arrived during a stall are read within this time after it. */
const BACKLOG_MS = 25;

export class StallDetector {
  readonly #timer: NodeJS.Timeout;
  #lastBeat = performance.now();
  #lastStall = { from: 0, to: Number.NEGATIVE_INFINITY };

  constructor() {
    this.#timer = setInterval(() => this.#beat(performance.now()), BEAT_MS);
  }

  /** The arrival of a call that the process has just read. */
  recordArrival(): Arrival {
    const now = performance.now();
    this.#beat(now);
    const isBacklog = now - this.#lastStall.to <= BACKLOG_MS;
    return { at: Date.now(), waitedMs: isBacklog ? Math.ceil(now - this.#lastStall.from) : 0 };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #beat(now: number): void {
    if (now - this.#lastBeat > LATE_BEAT_MS) this.#lastStall = { from: this.#lastBeat, to: now };
    this.#lastBeat = now;
  }
}
