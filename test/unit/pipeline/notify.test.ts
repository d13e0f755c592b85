/** Tests when a failed notification is retried. */
import { describe, expect, it } from 'vitest';
import { nextTryMs } from '../../../src/background/notify-worker.ts';
import { jobOptions, NOTIFY_BACKOFF_MS, NOTIFY_MAX_AGE_MS } from '../../../src/redis/job-options.ts';

const HOUR_MS = 3_600_000;

describe('the retry schedule', () => {
  it('has 13 tries over three days', () => {
    expect(jobOptions.notify.attempts).toBe(13);
    const sum = NOTIFY_BACKOFF_MS.reduce((ms, wait) => ms + wait, 0);
    expect(sum).toBeGreaterThan(71 * HOUR_MS);
    expect(sum).toBeLessThanOrEqual(NOTIFY_MAX_AGE_MS);
    expect([...NOTIFY_BACKOFF_MS].sort((a, b) => a - b)).toEqual(NOTIFY_BACKOFF_MS);
  });

  it('varies each delay by up to 20 %', () => {
    for (const [index, waitMs] of NOTIFY_BACKOFF_MS.entries()) {
      const drawn = Array.from({ length: 50 }, () => nextTryMs(index + 1, null));
      expect(Math.min(...drawn)).toBeGreaterThanOrEqual(waitMs * 0.8 - 1);
      expect(Math.max(...drawn)).toBeLessThanOrEqual(waitMs * 1.2 + 1);
      expect(new Set(drawn).size).toBeGreaterThan(5);
    }
  });

  it('honors Retry-After, up to a day', () => {
    expect(nextTryMs(1, 90_000)).toBe(90_000);
    expect(nextTryMs(1, 10 * 24 * HOUR_MS)).toBe(24 * HOUR_MS);
    expect(nextTryMs(6, 1_000)).toBeGreaterThan(HOUR_MS / 2);
  });
});
