/**
 * Decides which attempts may run in this process: many concurrent attempts, or a single one whose verification is suspected of
 * crashing workers (a suspect).
 *
 * What must hold: no other attempt runs at the same time as a suspect, and an attempt that waits here has not begun its run.
 */
import { sleep } from './sleep.ts';

export type Leave = () => void;

export class Occupancy {
  #inside = 0;
  /** Resolves when the suspect that runs, or waits to run, has left. */
  #alone: Promise<void> | null = null;
  #onEmpty: (() => void) | null = null;

  /** Waits while a suspect runs or waits to run. @returns the function to call when the run is over. */
  async enter(signal: AbortSignal): Promise<Leave> {
    while (this.#alone !== null) await untilAborted(this.#alone, signal);
    signal.throwIfAborted();
    this.#inside += 1;
    return once(() => {
      this.#inside -= 1;
      if (this.#inside === 0) this.#onEmpty?.();
    });
  }

  /** Waits until no other attempt runs. @returns null if that takes longer than `limitMs`. */
  async enterAlone(signal: AbortSignal, limitMs: number): Promise<Leave | null> {
    while (this.#alone !== null) await untilAborted(this.#alone, signal);
    signal.throwIfAborted();
    let done: () => void = () => undefined;
    this.#alone = new Promise((resolve) => {
      done = resolve;
    });
    const leave = once(() => {
      this.#alone = null;
      this.#onEmpty = null;
      done();
    });
    const empty = new Promise<'empty'>((resolve) => {
      this.#onEmpty = () => resolve('empty');
      if (this.#inside === 0) resolve('empty');
    });
    const ended = new AbortController();
    try {
      const late = sleep(limitMs, AbortSignal.any([signal, ended.signal])).then(() => 'late' as const);
      if ((await Promise.race([empty, late])) === 'empty') return leave;
    } catch (error) {
      leave();
      throw error;
    } finally {
      ended.abort();
    }
    leave();
    return null;
  }
}

function once(leave: Leave): Leave {
  let left = false;
  return () => {
    if (left) return;
    left = true;
    leave();
  };
}

async function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop);
  });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
