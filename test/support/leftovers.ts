/** Returns one text with everything that a deployment keeps in Redis, so that a test can search it for forbidden values. */
import type { RedisClient } from '../../src/redis/connection.ts';

/** @param except selects the keys to leave out. */
export async function allText(
  redis: RedisClient,
  prefix: string,
  except: (key: string) => boolean = () => false,
): Promise<string> {
  const parts: string[] = [];
  for (const key of await redis.keys(`${prefix}*`))
    if (!except(key)) parts.push(key, JSON.stringify(await contents(redis, key)));
  return parts.join('\n');
}

async function contents(redis: RedisClient, key: string): Promise<unknown> {
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
