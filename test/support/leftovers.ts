/** Everything that a deployment has in Redis, as text: to look for what must not be there. */
import type { Redis } from 'ioredis';

export async function allText(redis: Redis, prefix: string): Promise<string> {
  const parts: string[] = [];
  for await (const keys of redis.scanStream({ match: `${prefix}*`, count: 500 }) as AsyncIterable<string[]>) {
    for (const key of keys) parts.push(key, JSON.stringify(await contents(redis, key)));
  }
  return parts.join('\n');
}

async function contents(redis: Redis, key: string): Promise<unknown> {
  switch (await redis.type(key)) {
    case 'string':
      return redis.get(key);
    case 'hash':
      return redis.hgetall(key);
    case 'list':
      return redis.lrange(key, 0, -1);
    case 'set':
      return redis.smembers(key);
    case 'zset':
      return redis.zrange(key, '0', '-1');
    case 'stream':
      return redis.xrange(key, '-', '+');
    default:
      return null;
  }
}
