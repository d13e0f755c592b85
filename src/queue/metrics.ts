/** Reads what can be counted. A few round trips, whatever the backlog: for a scrape every few seconds. */
import type { Queue } from 'bullmq';
import type { Region } from '../domain/actions.ts';
import { COUNTERS, type Metrics } from '../domain/metrics.ts';
import type { RedisClient } from './connection.ts';
import { readGates } from './gates.ts';
import type { Names } from './names.ts';

const LOOKED_AT = 1_000;

export async function readMetrics(
  redis: RedisClient,
  names: Names,
  verify: ReadonlyMap<Region, Queue>,
  erase: Queue,
  notify: Queue,
): Promise<Metrics> {
  const now = Date.now();
  const [gates, queues, counted, live, held, oldest, outbox, toErase, toNotify, dead] = await Promise.all([
    readGates(redis, names, now),
    Promise.all([...verify].map(async ([region, queue]) => ({ region, ...(await countsOf(queue)) }))),
    redis.hmget(names.counters, ...COUNTERS),
    redis.zcard(names.live),
    redis.zrange(names.held, '0', '-1'),
    redis.zrange(names.live, '0', String(LOOKED_AT - 1), 'WITHSCORES'),
    redis.hlen(names.outbox),
    erase.getJobCounts('waiting', 'active', 'delayed'),
    notify.getJobCounts('waiting', 'active', 'delayed'),
    notify.getFailedCount(),
  ]);
  const aside = new Set(held);
  const first = oldest.findIndex((id, index) => index % 2 === 0 && !aside.has(id));
  return {
    gates,
    queues,
    counters: Object.fromEntries(
      COUNTERS.map((name, index) => [name, Number(counted[index] ?? 0)]),
    ) as Metrics['counters'],
    live,
    held: held.length,
    oldestMs: first === -1 ? null : Math.max(0, now - Number(oldest[first + 1])),
    outbox,
    toErase: sumOf(toErase),
    toNotify: sumOf(toNotify),
    deadNotifications: dead,
  };
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

async function countsOf(queue: Queue): Promise<{ waiting: number; active: number; delayed: number }> {
  const counts = await queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed');
  const { waiting = 0, prioritized = 0, active = 0, delayed = 0 } = counts;
  return { waiting: waiting + prioritized, active, delayed };
}
