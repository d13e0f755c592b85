import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { WedgeWatch, type WedgeWatchOptions } from '../../../src/pipeline/wedge-watch.ts';
import { JobCount } from '../../../src/pipeline/worker-lifecycle.ts';

const AFTER_MS = 60_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** @returns how often the watch reported the worker as wedged within `ms`. */
async function reports(options: Partial<WedgeWatchOptions>, ms: number): Promise<number> {
  const onWedged = vi.fn();
  const watch = new WedgeWatch({
    ...{ jobs: new JobCount(), slots: 2, afterMs: AFTER_MS, mayTake: async () => true, onWedged },
    ...options,
  });
  watch.start();
  await vi.advanceTimersByTimeAsync(ms);
  watch.stop();
  return onWedged.mock.calls.length;
}

it('reports a worker once, after a whole period in which it could take a job at every look', async () => {
  expect(await reports({}, AFTER_MS - 1)).toBe(0);
  expect(await reports({}, 10 * AFTER_MS)).toBe(1);
});

it('does not report a worker that has nothing to take, or does not know', async () => {
  expect(await reports({ mayTake: async () => false }, 10 * AFTER_MS)).toBe(0);
  expect(await reports({ mayTake: () => Promise.reject(new Error('no Redis')) }, 10 * AFTER_MS)).toBe(0);
});

it('starts a new period when work is missing at one look', async () => {
  let looks = 0;
  const mayTake = async () => {
    looks += 1;
    return looks !== 9;
  };
  expect(await reports({ mayTake }, AFTER_MS)).toBe(0);
  looks = 0;
  expect(await reports({ mayTake }, 2 * AFTER_MS)).toBe(1);
});

it('does not report a worker whose slots are all in use, nor one that takes a job now and then', async () => {
  const busy = new JobCount();
  for (const _slot of [1, 2]) void busy.run(() => new Promise(() => undefined));
  expect(await reports({ jobs: busy }, 10 * AFTER_MS)).toBe(0);

  const slow = new JobCount();
  const timer = setInterval(() => void slow.run(async () => undefined), AFTER_MS / 2);
  expect(await reports({ jobs: slow }, 10 * AFTER_MS)).toBe(0);
  clearInterval(timer);
});

it('reports a worker with one stuck job and a free slot', async () => {
  const stuck = new JobCount();
  void stuck.run(() => new Promise(() => undefined));
  expect(await reports({ jobs: stuck }, 2 * AFTER_MS)).toBe(1);
});

it('does not count a time in which Redis or the process stood still', async () => {
  let looks = 0;
  const mayTake = async () => {
    looks += 1;
    if (looks === 5) await new Promise((resolve) => setTimeout(resolve, AFTER_MS));
    return true;
  };
  expect(await reports({ mayTake }, 1.5 * AFTER_MS)).toBe(0);
});
