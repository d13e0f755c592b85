/**
 * Measures a stretch of work in the middle of a queue: from the end of one job to the end of a later one. So neither the start of a
 * worker counts, nor the end of a queue, where most slots are empty.
 */
import type { Redis } from 'ioredis';
import { redisCoreMs } from './cpu.ts';

/** Which jobs are counted. */
export interface Stretch {
  /** So many jobs end before the stretch. */
  readonly skip: number;
  readonly count: number;
}

export interface Work {
  readonly perSecond: number;
  /** CPU of the worker's process, per job. */
  readonly nodeMs: number;
  /** CPU of Redis, per job. */
  readonly redisMs: number;
  /** The end of the stretch, ms since 1970. */
  readonly endedAt: number;
}

/** CPU of the worker's process and of Redis, ms per job. */
export function cpuOf({ nodeMs, redisMs }: Work): number {
  return nodeMs + redisMs;
}

interface Mark {
  readonly at: number;
  readonly nodeMs: number;
  readonly redisMs: Promise<number>;
}

export class WorkWindow {
  /** Resolves with what one job took. */
  readonly work: Promise<Work>;
  readonly #redis: Redis;
  readonly #stretch: Stretch;
  readonly #end: (work: Promise<Work>) => void;
  #first: Mark | undefined;
  #ended = 0;

  constructor(redis: Redis, stretch: Stretch) {
    const { promise, resolve } = promiseOf<Work>();
    this.work = promise;
    this.#end = resolve;
    this.#redis = redis;
    this.#stretch = stretch;
  }

  /** Call this at the end of each job. */
  ended(): void {
    this.#ended += 1;
    const { skip, count } = this.#stretch;
    if (this.#ended === skip) this.#first = this.#mark();
    if (this.#ended === skip + count && this.#first !== undefined) this.#end(workOf(this.#first, this.#mark(), count));
  }

  #mark(): Mark {
    const { user, system } = process.cpuUsage();
    return { at: performance.now(), nodeMs: (user + system) / 1_000, redisMs: redisCoreMs(this.#redis) };
  }
}

async function workOf(first: Mark, last: Mark, count: number): Promise<Work> {
  const endedAt = Date.now();
  return {
    endedAt,
    perSecond: (1_000 * count) / (last.at - first.at),
    nodeMs: (last.nodeMs - first.nodeMs) / count,
    redisMs: ((await last.redisMs) - (await first.redisMs)) / count,
  };
}

function promiseOf<T>() {
  let resolve: (value: T | Promise<T>) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
