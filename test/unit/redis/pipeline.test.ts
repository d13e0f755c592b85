import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { openPipeline } from '../../../src/redis/connection.ts';

it('opens a pipeline without the scripts that BullMQ defines on the connection', () => {
  const redis = new Redis({ lazyConnect: true });
  redis.defineCommand('addJob', { lua: 'return 1', numberOfKeys: 0 });
  expect(redis.pipeline()).toHaveProperty('addJob');
  const pipeline = openPipeline(redis);
  expect(pipeline).not.toHaveProperty('addJob');
  expect(pipeline).toHaveProperty('redis', redis);
  expect(redis.pipeline()).toHaveProperty('addJob');
});
