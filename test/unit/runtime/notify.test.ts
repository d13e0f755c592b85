/** When a notification is tried again. */
import { describe, expect, it } from 'vitest';
import { jobOptions, NOTIFY_FOR_MS, NOTIFY_WAITS_MS } from '../../../src/queue/options.ts';
import { nextTryMs } from '../../../src/runtime/notify-worker.ts';

const HOUR_MS = 3_600_000;

describe('the schedule', () => {
  it('is 13 tries over three days', () => {
    expect(jobOptions.notify.attempts).toBe(13);
    const sum = NOTIFY_WAITS_MS.reduce((ms, wait) => ms + wait, 0);
    expect(sum).toBeGreaterThan(71 * HOUR_MS);
    expect(sum).toBeLessThanOrEqual(NOTIFY_FOR_MS);
    expect([...NOTIFY_WAITS_MS].sort((a, b) => a - b)).toEqual(NOTIFY_WAITS_MS);
  });

  it('has jitter: each wait a fifth shorter or longer, and no two alike', () => {
    for (const [index, waitMs] of NOTIFY_WAITS_MS.entries()) {
      const drawn = Array.from({ length: 50 }, () => nextTryMs(index + 1, null));
      expect(Math.min(...drawn)).toBeGreaterThanOrEqual(waitMs * 0.8 - 1);
      expect(Math.max(...drawn)).toBeLessThanOrEqual(waitMs * 1.2 + 1);
      expect(new Set(drawn).size).toBeGreaterThan(5);
    }
  });

  it('waits for as long as it is asked to, but for no more than a day', () => {
    expect(nextTryMs(1, 90_000)).toBe(90_000);
    expect(nextTryMs(1, 10 * 24 * HOUR_MS)).toBe(24 * HOUR_MS);
    expect(nextTryMs(6, 1_000)).toBeGreaterThan(HOUR_MS / 2);
  });
});
