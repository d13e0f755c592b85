import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { createNames } from '../../../src/queue/names.ts';
import { Gate } from '../../../src/runtime/gate.ts';

it('a first answer that came after a minute books nobody a slot minutes away', () => {
  const redis = new Redis({ lazyConnect: true });
  const gate = new Gate(redis, createNames('{unit}'), {});
  gate.clock.learn(Date.now(), performance.now() - 60_000);
  const { soonMs, aheadMs } = gate.rate('ap-singapore', 'DetectReflectLivenessAndCompare');
  expect(soonMs).toBeLessThanOrEqual(1_000);
  expect(aheadMs).toBeLessThanOrEqual(1_000);
  redis.disconnect();
});
