/**
 * Counts of each minute of the last day, one hash for each minute (`domain/operations/series.ts`). Accepted verifications are counted
 * by the script that accepts them. Everything else is counted in the process that does it, and added every few seconds and when the
 * process stops. A process that is killed loses the counts of its last seconds; they are shown to operators, and nothing depends on
 * them.
 */
import type { Observer } from '../domain/operations/process-metrics.ts';
import {
  ENDS,
  type End,
  MINUTE_MS,
  type MinuteCounts,
  minuteOf,
  SERIES,
  SERIES_KEPT_MS,
  waitBucket,
} from '../domain/operations/series.ts';
import { MICROS } from '../domain/verification/cost.ts';
import type { Region } from '../domain/verification/regions.ts';
import { LANES } from '../domain/verification/request.ts';
import { openPipeline, repliesOf } from './connection.ts';
import type { Deployment } from './deployment.ts';

type Minutes = Pick<Deployment, 'redis' | 'names'>;

const FLUSH_MS = 5_000;

/** Adds counts to the present minute. */
export async function addCounts(
  { redis, names }: Minutes,
  counts: ReadonlyMap<string, number>,
  now: number = Date.now(),
): Promise<void> {
  if (counts.size === 0) return;
  const key = names.minute(now);
  const pipeline = openPipeline(redis);
  for (const [name, by] of counts) pipeline.hincrby(key, name, by);
  pipeline.pexpire(key, SERIES_KEPT_MS);
  await repliesOf(pipeline.exec());
}

/** Counts an end that no worker made. */
export async function countEnd(deployment: Minutes, end: End): Promise<void> {
  await addCounts(deployment, new Map([[SERIES.end(end), 1]]));
}

/** Notes how long the oldest verification of each region waits. Only the largest age of a minute is kept. */
export async function noteAges(
  { redis, names }: Minutes,
  ages: ReadonlyMap<Region, number>,
  now: number = Date.now(),
): Promise<void> {
  if (ages.size === 0) return;
  const key = names.minute(now);
  const known = await redis.hmget(key, ...[...ages.keys()].map(SERIES.age));
  const fields = [...ages].flatMap(([region, ms], index) =>
    Number(known[index] ?? -1) >= ms ? [] : [SERIES.age(region), String(Math.round(ms))],
  );
  if (fields.length === 0) return;
  await redis.hset(key, ...fields);
  await redis.pexpire(key, SERIES_KEPT_MS);
}

/** Minutes may still change for this long, because the clocks of processes differ. */
const SETTLED_MS = 5 * MINUTE_MS;

/** Reads minutes, and remembers those that do not change any more. */
export class MinuteReader {
  readonly #deployment: Minutes;
  readonly #settled = new Map<number, MinuteCounts>();

  constructor(deployment: Minutes) {
    this.#deployment = deployment;
  }

  /** The last minutes, oldest first; the present one is the last. A minute without counts is empty. */
  async read(count: number, now: number = Date.now()): Promise<MinuteCounts[]> {
    const { redis, names } = this.#deployment;
    const last = minuteOf(now);
    const times = Array.from({ length: count }, (_, index) => last - (count - 1 - index) * MINUTE_MS);
    const unknown = times.filter((at) => !this.#settled.has(at));
    const pipeline = openPipeline(redis);
    for (const at of unknown) pipeline.hgetall(names.minute(at));
    const replies = (await repliesOf(pipeline.exec())) as Record<string, string>[];
    const found = new Map(unknown.map((at, index) => [at, countsOf(at, replies[index] ?? {})]));
    for (const [at, minute] of found) if (at < now - SETTLED_MS) this.#settled.set(at, minute);
    for (const at of this.#settled.keys()) if (at < now - SERIES_KEPT_MS) this.#settled.delete(at);
    return times.map((at) => this.#settled.get(at) ?? found.get(at) ?? { at, counts: {} });
  }
}

function countsOf(at: number, hash: Readonly<Record<string, string>>): MinuteCounts {
  return { at, counts: Object.fromEntries(Object.entries(hash).map(([name, value]) => [name, Number(value)])) };
}

/** Passes on what a process observes, and counts it by minute. */
export class SeriesObserver implements Observer {
  readonly #deployment: Minutes;
  readonly #next: Observer;
  readonly #timer: NodeJS.Timeout;
  #counts = new Map<string, number>();

  constructor(deployment: Minutes, next: Observer) {
    this.#deployment = deployment;
    this.#next = next;
    this.#timer = setInterval(() => void this.#flush(), FLUSH_MS).unref();
  }

  measure: Observer['measure'] = (name, labels, ms) => {
    this.#next.measure(name, labels, ms);
    const { lane, region = '', action = '', result = '' } = labels as Readonly<Record<string, string>>;
    if (name === 'vendorCall') this.#add(SERIES.call(region, action, result));
    const known = LANES.find((each) => each === lane);
    if (name === 'timeToDecision' && known !== undefined) this.#add(SERIES.wait(known, waitBucket(ms)));
  };

  count: Observer['count'] = (name, labels, by = 1) => {
    this.#next.count(name, labels, by);
    const { state = '', decision = '', currency = '' } = labels as Readonly<Record<string, string>>;
    const end = ENDS.find((each) => each === (state === 'completed' ? decision : state));
    if (name === 'ended' && end !== undefined) this.#add(SERIES.end(end), by);
    if (name === 'paidCalls') this.#add(SERIES.paidCalls, by);
    if (name === 'cost') this.#add(SERIES.cost(currency), Math.round(by * MICROS));
  };

  /** Adds the last counts. Never throws. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#flush();
  }

  #add(name: string, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }

  /** If Redis is away, the counts stay for the next time. */
  async #flush(): Promise<void> {
    const counts = this.#counts;
    this.#counts = new Map();
    try {
      await addCounts(this.#deployment, counts);
    } catch {
      for (const [name, by] of counts) this.#add(name, by);
    }
  }
}
