import type { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { WorkWindow } from '../../../bench/work-window.ts';

/** A server that has used another 10 ms each time it is asked. */
function fakeRedis(): Redis {
  let asked = 0;
  const info = async () => {
    asked += 1;
    return `used_cpu_sys:${asked / 100}\r\nused_cpu_user:1.00\r\n`;
  };
  return { info } as unknown as Redis;
}

it('counts the jobs of the stretch, and not those before it', async () => {
  const window = new WorkWindow(fakeRedis(), { skip: 3, count: 5 });
  for (let job = 0; job < 3 + 5; job += 1) window.ended();
  const { redisMs, nodeMs, perSecond } = await window.work;
  expect(redisMs).toBeCloseTo(10 / 5);
  expect(nodeMs).toBeGreaterThanOrEqual(0);
  expect(perSecond).toBeGreaterThan(0);
});

it('does not end before the last job of the stretch', async () => {
  const window = new WorkWindow(fakeRedis(), { skip: 1, count: 2 });
  const ended = window.work.then(() => 'ended');
  window.ended();
  window.ended();
  expect(await Promise.race([ended, Promise.resolve('open')])).toBe('open');
  window.ended();
  expect(await ended).toBe('ended');
});
