/** Tests the counts by minute: how minutes become the points of a chart, and percentiles. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  callsIn,
  ENDS,
  minuteOf,
  SERIES,
  sumPoint,
  toPoints,
  WAIT_BOUNDS_MS,
  waitBucket,
} from '../../../src/domain/operations/series.ts';

const noEnds = Object.fromEntries(ENDS.map((end) => [end, 0]));

const minutes = (counts: readonly Record<string, number>[]) =>
  counts.map((each, index) => ({ at: index * 60_000, counts: each }));

it('adds counts, and takes the largest age', () => {
  const points = toPoints(
    minutes([
      { accepted: 2, 'end|match': 1, 'age|ap-singapore': 500, paid: 1, 'cost|USD': 150_000 },
      { accepted: 3, 'end|failed': 2, 'age|ap-singapore': 300, paid: 2, 'cost|USD': 300_000 },
      { accepted: 1 },
    ]),
    2,
  );
  expect(points).toHaveLength(2);
  expect(points[0]).toMatchObject({
    at: 0,
    accepted: 5,
    ages: { 'ap-singapore': 500 },
    paidCalls: 3,
    costs: { USD: 0.45 },
  });
  expect(points[0]?.ends).toEqual({ ...noEnds, match: 1, failed: 2 });
  expect(points[1]).toMatchObject({ at: 120_000, accepted: 1, ages: {}, costs: {} });
});

it('counts calls, and failed calls by class', () => {
  const { calls, errors } = sumPoint(
    minutes([{ [SERIES.call('ap-singapore', 'A', 'ok')]: 5, [SERIES.call('ap-singapore', 'A', 'transient')]: 2 }]),
  );
  expect({ calls, errors }).toEqual({ calls: 7, errors: { transient: 2 } });
  const [minute = { at: 0, counts: {} }] = minutes([
    { 'call|r|A|ok': 5, 'call|r|AB|ok': 3, 'call|q|A|ok': 1, 'call|r|A|account': 1 },
  ]);
  expect(callsIn(minute, 'r', 'A')).toBe(6);
});

it('a percentile is at most a fifth above the true one, and never below it', () => {
  const waits = fc.array(fc.integer({ min: 100, max: 80_000 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(waits, (given) => {
      const counts: Record<string, number> = {};
      for (const ms of given) {
        const name = SERIES.wait('batch', waitBucket(ms));
        counts[name] = (counts[name] ?? 0) + 1;
      }
      const { batch, interactive } = sumPoint(minutes([counts])).waits;
      const sorted = [...given].sort((a, b) => a - b);
      const exact = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
      for (const [found, share] of [
        [batch.p50, 0.5],
        [batch.p95, 0.95],
      ] as const) {
        expect(found).toBeGreaterThanOrEqual(exact(share));
        expect(found).toBeLessThanOrEqual(exact(share) * 1.2 + 1);
      }
      expect(batch.count).toBe(given.length);
      expect(interactive).toEqual({ p50: null, p95: null, count: 0 });
    }),
  );
});

it('a wait beyond the last bound counts in the last bucket', () => {
  expect(waitBucket(Number.MAX_SAFE_INTEGER)).toBe(WAIT_BOUNDS_MS.length - 1);
  expect(waitBucket(0)).toBe(0);
  expect(WAIT_BOUNDS_MS.at(-1)).toBeGreaterThan(10 * 3_600_000);
  expect(minuteOf(119_999)).toBe(60_000);
});
