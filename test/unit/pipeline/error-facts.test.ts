import { expect, it } from 'vitest';
import { errorFacts } from '../../../src/pipeline/worker-lifecycle.ts';
import { redisFailure } from '../../../src/redis/connection.ts';

const refused = Object.assign(new Error('BUSY Redis is busy running a script.'), { name: 'ReplyError' });

it('names the cause of an error of Redis in words', () => {
  expect(errorFacts(refused)).toEqual({ error: 'ReplyError', reason: 'Redis is busy with a script' });
  expect(errorFacts(redisFailure(refused))).toEqual({
    error: 'REDIS_UNAVAILABLE',
    reason: 'Redis is busy with a script',
  });
});

it('says nothing about other errors but their name', () => {
  expect(errorFacts(new TypeError('https://host/link'))).toEqual({ error: 'TypeError' });
  expect(errorFacts('https://host/link')).toEqual({ error: 'unknown' });
});
