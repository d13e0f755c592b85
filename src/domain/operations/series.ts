/**
 * What a deployment did in each minute of the last day. The script that accepts a verification and the processes that do the work
 * count in Redis (`redis/series.ts`), so the numbers are counts and not samples. All functions here are pure.
 *
 * What must hold: the names of counts are bounded. They contain regions, actions, lanes, decisions, error classes and currencies,
 * and nothing that a caller chose.
 */
import { REGIONS, type Region } from '../verification/regions.ts';
import { LANES, type Lane } from '../verification/request.ts';
import { DECISIONS } from '../verification/states.ts';

export const MINUTE_MS = 60_000;
/** Minutes are kept for this long. */
export const SERIES_KEPT_MS = 26 * 3_600_000;

/** How a verification left the queue: a decision, or an end without one. */
export const ENDS = [...DECISIONS, 'failed', 'cancelled'] as const;
export type End = (typeof ENDS)[number];

/** The counts of one minute, by name. */
export interface MinuteCounts {
  /** Start of the minute, ms since 1970. */
  readonly at: number;
  readonly counts: Readonly<Record<string, number>>;
}

/** The names of counts. */
export const SERIES = {
  accepted: 'accepted',
  end: (end: End) => `end|${end}`,
  /** Verifications whose time to decision is at most a bound of `WAIT_BOUNDS_MS`, and above the bound before. */
  wait: (lane: Lane, bucket: number) => `wait|${lane}|${bucket}`,
  /** Calls to FaceID. @param result `ok`, or the class of the failure. */
  call: (region: string, action: string, result: string) => `call|${region}|${action}|${result}`,
  /** Paid and possibly paid calls, as in the cost. */
  paidCalls: 'paid',
  /** In millionths. */
  cost: (currency: string) => `cost|${currency}`,
  /** The largest age of the oldest waiting verification that was seen, ms. */
  age: (region: Region) => `age|${region}`,
} as const;

/** Bounds of the times to decision, ms. Each is about a fifth above the one before, so that a percentile is that exact. */
export const WAIT_BOUNDS_MS: readonly number[] = Array.from({ length: 72 }, (_, index) =>
  Math.round(100 * 1.2 ** index),
);

export function waitBucket(ms: number): number {
  const found = WAIT_BOUNDS_MS.findIndex((bound) => ms <= bound);
  return found === -1 ? WAIT_BOUNDS_MS.length - 1 : found;
}

export function minuteOf(ms: number): number {
  return Math.floor(ms / MINUTE_MS) * MINUTE_MS;
}

/** One point of the charts: one or more minutes. */
export interface SeriesPoint {
  /** Start, ms since 1970. */
  readonly at: number;
  readonly accepted: number;
  readonly ends: Readonly<Record<End, number>>;
  /** Times to decision by lane, ms. Null if none was decided. */
  readonly waits: Readonly<
    Record<Lane, { readonly p50: number | null; readonly p95: number | null; readonly count: number }>
  >;
  /** Calls to FaceID. */
  readonly calls: number;
  /** Failed calls, by error class. */
  readonly errors: Readonly<Record<string, number>>;
  /** Largest age of the oldest waiting verification, ms. */
  readonly ages: Readonly<Partial<Record<Region, number>>>;
  readonly paidCalls: number;
  /** By currency. */
  readonly costs: Readonly<Record<string, number>>;
}

const MICROS = 1_000_000;

/** Joins minutes into points of `size` minutes each, oldest first. */
export function toPoints(minutes: readonly MinuteCounts[], size: number): SeriesPoint[] {
  const points: SeriesPoint[] = [];
  for (let start = 0; start < minutes.length; start += size) points.push(pointOf(minutes.slice(start, start + size)));
  return points;
}

/** All minutes as one point. */
export function sumPoint(minutes: readonly MinuteCounts[]): SeriesPoint {
  return pointOf(minutes);
}

function pointOf(minutes: readonly MinuteCounts[]): SeriesPoint {
  const sum = new Map<string, number>();
  for (const { counts } of minutes) {
    for (const [name, value] of Object.entries(counts)) {
      const known = sum.get(name) ?? 0;
      sum.set(name, name.startsWith('age|') ? Math.max(known, value) : known + value);
    }
  }
  const of = (name: string) => sum.get(name) ?? 0;
  const named = (prefix: string) => [...sum].filter(([name]) => name.startsWith(prefix));
  const errors: Record<string, number> = {};
  let calls = 0;
  for (const [name, value] of named('call|')) {
    const result = name.split('|')[3] ?? '';
    calls += value;
    if (result !== 'ok') errors[result] = (errors[result] ?? 0) + value;
  }
  return {
    at: minutes[0]?.at ?? 0,
    accepted: of(SERIES.accepted),
    ends: Object.fromEntries(ENDS.map((end) => [end, of(SERIES.end(end))])) as Record<End, number>,
    waits: Object.fromEntries(LANES.map((lane) => [lane, percentiles(lane, of)])) as unknown as SeriesPoint['waits'],
    calls,
    errors,
    ages: Object.fromEntries(
      REGIONS.flatMap((region) => (sum.has(SERIES.age(region)) ? [[region, of(SERIES.age(region))]] : [])),
    ),
    paidCalls: of(SERIES.paidCalls),
    costs: Object.fromEntries(named('cost|').map(([name, value]) => [name.slice('cost|'.length), value / MICROS])),
  };
}

function percentiles(lane: Lane, of: (name: string) => number): SeriesPoint['waits'][Lane] {
  const buckets = WAIT_BOUNDS_MS.map((_, bucket) => of(SERIES.wait(lane, bucket)));
  const count = buckets.reduce((sum, each) => sum + each, 0);
  const percentile = (share: number) => {
    let left = share * count;
    const found = buckets.findIndex((each) => {
      left -= each;
      return each > 0 && left <= 0;
    });
    return WAIT_BOUNDS_MS[found] ?? null;
  };
  return { p50: percentile(0.5), p95: percentile(0.95), count };
}

/** How many calls of a region and action were made in a minute, whatever their result. */
export function callsIn({ counts }: MinuteCounts, region: string, action: string): number {
  const prefix = SERIES.call(region, action, '');
  return Object.entries(counts).reduce((sum, [name, value]) => (name.startsWith(prefix) ? sum + value : sum), 0);
}
