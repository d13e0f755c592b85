/** Redis, by PING and INFO alone: nothing is written. */
import type { Redis } from 'ioredis';
import { Failure } from '../domain/failure.ts';
import { untilReady } from '../queue/connection.ts';
import type { Check, Finding } from './check.ts';
import {
  durabilityFinding,
  evictionFinding,
  latencyFinding,
  parseInfo,
  type RedisInfo,
  roleFinding,
  versionFinding,
} from './redis-info.ts';

const READY_MS = 5_000;
const PINGS = 20;

export function redisChecks(redis: Redis): Check[] {
  let info: RedisInfo = new Map();
  const needs = ['redis'];
  return [
    {
      name: 'redis',
      async run() {
        try {
          await untilReady(redis, READY_MS);
          info = parseInfo(await redis.info());
        } catch (error) {
          return unreachable(error);
        }
        return roleFinding(info);
      },
    },
    { name: 'redis.version', needs, run: async () => versionFinding(info) },
    { name: 'redis.durability', needs, run: async () => durabilityFinding(info) },
    { name: 'redis.eviction', needs, run: async () => evictionFinding(info) },
    { name: 'redis.latency', needs, run: async () => latencyFinding(await pings(redis)) },
  ];
}

async function pings(redis: Redis): Promise<number[]> {
  const times: number[] = [];
  for (let count = 0; count < PINGS; count += 1) {
    const from = performance.now();
    await redis.ping();
    times.push(performance.now() - from);
  }
  return times;
}

/** With the system's or Redis's own word for it, and without the address: that may hold a password. */
function unreachable(error: unknown): Finding {
  const cause = error instanceof Failure ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const word = code || (/^[A-Z]{4,}\b/.exec(cause instanceof Error ? cause.message : '')?.[0] ?? 'no answer');
  const advice = 'Check that it runs and can be reached from here, BESTFRAME_REDIS_URL, and user and password in it.';
  return { status: 'fail', found: `Redis cannot be used (${word})`, advice };
}
