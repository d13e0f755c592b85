/**
 * Captures in a file what a version of Bestframe leaves in Redis, and restores it. The file holds the keys of a
 * deployment and its input files. Placeholders stand for the prefix and the folders. Restoring moves all times forward
 * to today.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RedisClient } from '../../src/redis/connection.ts';
import type { Rig } from './rig.ts';

interface Kept {
  readonly key: string;
  readonly type: string;
  readonly value: unknown;
}

export interface Records {
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly capturedAt: number;
  readonly keys: readonly Kept[];
  /** Input files, in base64. */
  readonly inputs: Readonly<Record<string, string>>;
}

/** Keys that are not captured. No verification needs them to resume: they hold events, locks and timers. */
const LEFT_OUT = /:events$|:sweeper$|:retention$|:marker$|:stalled-check$|:lock$/;

export async function capture(rig: Rig, version: string): Promise<Records> {
  const keys: Kept[] = [];
  const names = await rig.redis.keys(`${rig.config.prefix}*`);
  for (const key of names.sort()) {
    if (LEFT_OUT.test(key)) continue;
    const type = await rig.redis.type(key);
    if (type === 'none') continue; // it expired after it was listed
    keys.push({ key, type, value: await contentOf(rig.redis, key, type) });
  }
  const records = {
    version,
    capturedAt: Date.now(),
    keys,
    inputs: Object.fromEntries(
      await Promise.all(
        (await readdir(join(rig.dir, 'inputs'))).map(
          async (name) => [name, (await readFile(join(rig.dir, 'inputs', name))).toString('base64')] as const,
        ),
      ),
    ),
  };
  return JSON.parse(
    JSON.stringify(records).replaceAll(rig.config.prefix, '<prefix>').replaceAll(rig.dir, '<dir>'),
  ) as Records;
}

/** Restores the records into an empty deployment. */
export async function restore(rig: Rig, records: Records): Promise<void> {
  const ahead = Date.now() - records.capturedAt;
  const text = JSON.stringify(records.keys)
    .replaceAll('<prefix>', rig.config.prefix)
    .replaceAll('<dir>', rig.dir)
    .replace(/\b1[789]\d{11}\b/g, (time) => String(Number(time) + ahead));
  for (const [name, bytes] of Object.entries(records.inputs)) {
    await writeFile(join(rig.dir, 'inputs', name), Buffer.from(bytes, 'base64'));
  }
  for (const { key, type, value } of JSON.parse(text) as Kept[]) await put(rig.redis, key, type, value);
}

async function contentOf(redis: RedisClient, key: string, type: string): Promise<unknown> {
  switch (type) {
    case 'string':
      return redis.get(key);
    case 'hash':
      return redis.hgetall(key);
    case 'list':
      return redis.lrange(key, 0, -1);
    case 'set':
      return redis.smembers(key);
    case 'zset':
      return redis.zrange(key, '0', '-1', 'WITHSCORES');
    default:
      throw new Error(`cannot capture ${key}: its type ${type} is not supported`);
  }
}

async function put(redis: RedisClient, key: string, type: string, value: unknown): Promise<void> {
  const items = value as string[];
  switch (type) {
    case 'string':
      await redis.set(key, value as string);
      break;
    case 'hash':
      await redis.hset(key, value as Record<string, string>);
      break;
    case 'list':
      await redis.rpush(key, ...items);
      break;
    case 'set':
      await redis.sadd(key, ...items);
      break;
    default:
      for (let i = 0; i + 1 < items.length; i += 2) await redis.zadd(key, items[i + 1] ?? '0', items[i] ?? '');
  }
}
