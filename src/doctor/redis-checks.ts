/** Redis, by PING and INFO alone, of the server that has our keys: nothing is written. */
import { Failure } from '../domain/failure.ts';
import { askWhereKeyLies, type RedisClient, untilReady } from '../queue/connection.ts';
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

/** @param key one of the deployment's keys, there or not. */
export function redisChecks(redis: RedisClient, key: string): Check[] {
  let info: RedisInfo = new Map();
  const needs = ['redis'];
  return [
    {
      name: 'redis',
      async run() {
        try {
          await untilReady(redis, READY_MS);
          info = parseInfo(String(await askWhereKeyLies(redis, key, 'info')));
        } catch (error) {
          return unreachable(error);
        }
        return roleFinding(info);
      },
    },
    { name: 'redis.version', needs, run: async () => versionFinding(info) },
    { name: 'redis.durability', needs, run: async () => durabilityFinding(info) },
    { name: 'redis.eviction', needs, run: async () => evictionFinding(info) },
    { name: 'redis.latency', needs, run: async () => latencyFinding(await pings(redis, key)) },
  ];
}

async function pings(redis: RedisClient, key: string): Promise<number[]> {
  const times: number[] = [];
  for (let count = 0; count < PINGS; count += 1) {
    const from = performance.now();
    await askWhereKeyLies(redis, key, 'ping');
    times.push(performance.now() - from);
  }
  return times;
}

/** With the system's or Redis's own word for it, and without the address: that may hold a password. */
function unreachable(error: unknown): Finding {
  const cause = error instanceof Failure ? error.cause : error;
  // A Cluster says only that no node would do; the last one said why.
  const said = cause instanceof Error && 'lastNodeError' in cause ? cause.lastNodeError : cause;
  const code = said instanceof Error && 'code' in said ? String(said.code) : '';
  const word = code || (/\b[A-Z]{4,}\b/.exec(said instanceof Error ? said.message : '')?.[0] ?? 'no answer');
  const advice = 'Check that it runs and can be reached from here, BESTFRAME_REDIS_URL, and user and password in it.';
  return { status: 'fail', found: `Redis cannot be used (${word})`, advice };
}
