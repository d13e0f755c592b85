/** Checks the Redis server that holds our keys. The checks use only PING and INFO, and write nothing. */
import { Failure } from '../../domain/errors/failure.ts';
import { queryKeyOwner, type RedisClient, waitUntilReady } from '../../redis/connection.ts';
import {
  durabilityFinding,
  evictionFinding,
  latencyFinding,
  parseInfo,
  type RedisInfo,
  roleFinding,
  versionFinding,
} from './redis-info.ts';
import type { Check, Finding } from './run-checks.ts';

const READY_MS = 5_000;
const PINGS = 20;

/** @param key any key name of the deployment; it need not exist. */
export function redisChecks(redis: RedisClient, key: string): Check[] {
  let info: RedisInfo = new Map();
  const needs = ['redis'];
  return [
    {
      name: 'redis',
      async run() {
        try {
          await waitUntilReady(redis, READY_MS);
          info = parseInfo(String(await queryKeyOwner(redis, key, 'info')));
        } catch (error) {
          return unreachable(error);
        }
        return roleFinding(info);
      },
    },
    { name: 'redis.version', needs, run: async () => versionFinding(info) },
    { name: 'redis.durability', needs, run: async () => durabilityFinding(info) },
    { name: 'redis.eviction', needs, run: async () => evictionFinding(info) },
    { name: 'redis.latency', needs, run: async () => latencyFinding(await measurePings(redis, key)) },
  ];
}

async function measurePings(redis: RedisClient, key: string): Promise<number[]> {
  const times: number[] = [];
  for (let count = 0; count < PINGS; count += 1) {
    const start = performance.now();
    await queryKeyOwner(redis, key, 'ping');
    times.push(performance.now() - start);
  }
  return times;
}

/** Names the error code of the system or of Redis. The address is left out, since it may contain a password. */
function unreachable(error: unknown): Finding {
  const cause = error instanceof Failure ? error.cause : error;
  // A Cluster reports only that no node is usable; the last node's error holds the reason.
  const reason = cause instanceof Error && 'lastNodeError' in cause ? cause.lastNodeError : cause;
  const code = reason instanceof Error && 'code' in reason ? String(reason.code) : '';
  const shown = code || (/\b[A-Z]{4,}\b/.exec(reason instanceof Error ? reason.message : '')?.[0] ?? 'no answer');
  const advice =
    'Check that Redis runs and is reachable from this machine, and that BESTFRAME_REDIS_URL has the right address, user and password.';
  return { status: 'fail', found: `Redis cannot be used (${shown})`, advice };
}
