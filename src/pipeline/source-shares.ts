/**
 * Limits how many of a worker's job slots read sources from callers' hosts at the same time, because such hosts may be slow.
 *
 * What must hold: at most half of the slots are used to read from one host, at most half for one tenant, and at most three
 * quarters for all hosts together. If a job would wait for its share for more than a moment, it is requeued, which frees its
 * slot.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Order } from '../domain/verification/request.ts';

/** If a read has taken this long, its host counts as slow, and no other job waits for the same share. */
const SLOW_MS = 1_000;
/** How long a job waits for a share while no read in the share is slow. */
const PATIENCE_MS = 250;

type Leave = () => void;

export class SourceShares {
  readonly #perShare: number;
  readonly #overall: number;
  /** The running reads of each share, with their start by `performance.now()`. */
  readonly #readers = new Map<string, Set<{ readonly since: number }>>();
  #total = 0;
  readonly #waiting = new Set<() => void>();

  /** @param slots how many jobs the worker runs at the same time. */
  constructor(slots: number) {
    this.#perShare = Math.max(1, Math.floor(slots / 2));
    this.#overall = Math.max(1, Math.floor((slots * 3) / 4));
  }

  /**
   * @param names the shares that the job needs, see {@link sharesOf}
   * @returns the function that gives the shares back, or null if the shares do not become free soon enough
   */
  async enter(names: readonly string[]): Promise<Leave | null> {
    const giveUpAt = performance.now() + PATIENCE_MS;
    for (;;) {
      if (this.#hasRoom(names)) return this.#take(names);
      const leftMs = giveUpAt - performance.now();
      if (leftMs <= 0 || names.some((name) => this.#isSlow(name))) return null;
      await this.#untilSomeoneLeaves(leftMs);
    }
  }

  #hasRoom(names: readonly string[]): boolean {
    return this.#total < this.#overall && names.every((name) => this.#readersOf(name).size < this.#perShare);
  }

  #isSlow(name: string): boolean {
    const longAgo = performance.now() - SLOW_MS;
    return [...this.#readersOf(name)].some(({ since }) => since < longAgo);
  }

  #take(names: readonly string[]): Leave {
    const reader = { since: performance.now() };
    this.#total += 1;
    for (const name of names) this.#readersOf(name).add(reader);
    return () => {
      if (!names.some((name) => this.#readersOf(name).delete(reader))) return;
      for (const name of names) {
        this.#readersOf(name).delete(reader);
        if (this.#readersOf(name).size === 0) this.#readers.delete(name);
      }
      this.#total -= 1;
      for (const resume of this.#waiting) resume();
    };
  }

  #readersOf(name: string): Set<{ readonly since: number }> {
    const known = this.#readers.get(name);
    if (known !== undefined) return known;
    const readers = new Set<{ readonly since: number }>();
    this.#readers.set(name, readers);
    return readers;
  }

  async #untilSomeoneLeaves(mostMs: number): Promise<void> {
    const done = new AbortController();
    const resume = () => done.abort();
    this.#waiting.add(resume);
    try {
      await wait(mostMs, undefined, { signal: done.signal });
    } catch {
      // a reader left, and its share may now be free
    } finally {
      this.#waiting.delete(resume);
    }
  }
}

/** The shares that a verification needs to read its sources: one for each host in the sources, and one for the tenant. */
export function sharesOf({ resources }: Order, tenant: string | null): string[] {
  const hosts = Object.values(resources).flatMap((source) =>
    source?.from === 'https' ? [`host ${new URL(source.url).host}`] : [],
  );
  if (hosts.length === 0) return [];
  return [...new Set(hosts), ...(tenant === null ? [] : [`tenant ${tenant}`])];
}
