import { expect, it } from 'vitest';
import { steadyRate } from '../../../bench/vendor-world.ts';

it('measures the time between waves: four calls every 500 ms are eight a second', () => {
  const waves = [0, 500, 1_000, 1_500, 2_000];
  expect(
    steadyRate(
      waves.flatMap((at) => [at, at, at, at]),
      4,
    ),
  ).toBe(8);
});

it('does not count the first wave, which waits for connections', () => {
  expect(steadyRate([0, 0, 5_000, 5_000, 5_500, 5_500, 6_000, 6_000], 2)).toBe(4);
});

it('refuses a run that is shorter than three waves', () => {
  expect(() => steadyRate([0, 0, 500, 500], 2)).toThrow('too few');
});
