/**
 * Notices a worker that takes no job although it could. Such a worker is wedged: only a restart helps.
 *
 * What must hold: a worker is called wedged only if, at every look of a whole period, it had a free slot, a job waited that it
 * could take, and Redis answered. A worker whose slots are all in use may be slow, but it works.
 */
import type { JobCount } from './worker-lifecycle.ts';

export interface WedgeWatchOptions {
  readonly jobs: JobCount;
  readonly slots: number;
  /** How long no job must have been taken, ms. */
  readonly afterMs: number;
  /** Whether a job waits that this worker may take now. If it rejects, the answer is no. */
  mayTake(): Promise<boolean>;
  /** Called once. */
  onWedged(): void;
}

const LOOKS = 10;

export class WedgeWatch {
  readonly #options: WedgeWatchOptions;
  readonly #everyMs: number;
  /** Start of the period in which every look found the worker idle with work waiting. */
  #since = performance.now();
  #lookedAt = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: WedgeWatchOptions) {
    this.#options = options;
    this.#everyMs = options.afterMs / LOOKS;
  }

  start(): void {
    this.#since = performance.now();
    this.#lookedAt = this.#since;
    this.#next();
  }

  /** Idempotent. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #next(): void {
    this.#timer = setTimeout(async () => {
      const isIdle = await this.#isIdle();
      if (this.#stopped) return;
      const now = performance.now();
      // After a look that came late or took long, this process or Redis stood still: the period begins again.
      const isGap = now - this.#lookedAt > 3 * this.#everyMs;
      this.#lookedAt = now;
      if (!isIdle || isGap) this.#since = now;
      if (now - this.#since < this.#options.afterMs) this.#next();
      else this.#options.onWedged();
    }, this.#everyMs);
  }

  async #isIdle(): Promise<boolean> {
    const { jobs, slots, mayTake } = this.#options;
    if (jobs.running >= slots || jobs.takenAt > this.#since) return false;
    return mayTake().catch(() => false);
  }
}
