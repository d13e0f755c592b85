import { expect, it } from 'vitest';
import { type Fleet, simulate } from '../../../bench/fleet.ts';

const COSTS = { redisMs: 5, workerMs: 20, uploadMs: 200, checkMs: 50, detectMs: 500, downloadMs: 100 };
/** Redis: 200 a second. Slots: 40 × 8 ÷ 0.9 s. FaceID: 1,000 ÷ 1.08. */
const FLEET: Fleet = {
  parts: [{ share: 1, redis: 0, rate: 1_000 }],
  workers: 40,
  slots: 8,
  load: 20,
  seconds: 30,
  costs: COSTS,
};

it('takes the sum of the costs if nothing is busy, and ends all that came', () => {
  const { p50Ms, ended, unfinished } = simulate(FLEET);
  const sum = COSTS.redisMs + COSTS.workerMs + COSTS.uploadMs + COSTS.checkMs + COSTS.detectMs + COSTS.downloadMs;
  expect(p50Ms).toBeGreaterThan(sum * 0.95);
  expect(p50Ms).toBeLessThan(sum * 1.1);
  expect((ended + unfinished) / (FLEET.load * FLEET.seconds)).toBeCloseTo(1, 1);
  expect(unfinished).toBeLessThan(FLEET.load * 3);
});

it('has the same result for the same seed', () => {
  expect(simulate(FLEET, 7)).toEqual(simulate(FLEET, 7));
  expect(simulate(FLEET, 7)).not.toEqual(simulate(FLEET, 8));
});

it.each([
  { limit: 'redis', perSecond: 200, fleet: {} },
  { limit: 'rate', perSecond: 100 / 1.08, fleet: { parts: [{ share: 1, redis: 0, rate: 100 }] } },
  { limit: 'slots', perSecond: 16 / 0.88, fleet: { workers: 2 } },
  { limit: 'cores', perSecond: 50, fleet: { workers: 1, slots: 400 } },
] as const)('is limited by $limit', ({ limit, perSecond, fleet }) => {
  const { ended, busy, unfinished } = simulate({ ...FLEET, ...fleet, load: 400 });
  expect(busy[limit]).toBeGreaterThan(0.9);
  expect(ended).toBeLessThanOrEqual(perSecond * FLEET.seconds * 1.02);
  expect(unfinished).toBeGreaterThan(0);
});

it('shares the load among Redis servers', () => {
  const parts = [0, 1].map((redis) => ({ share: 0.5, redis, rate: 1_000 }));
  const one = simulate({ ...FLEET, load: 100 });
  const two = simulate({ ...FLEET, load: 100, parts });
  expect(two.busy.redis / one.busy.redis).toBeCloseTo(0.5, 1);
});
