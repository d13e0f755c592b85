/**
 * Reads the metrics of a deployment in a few round trips, even if the backlog is long. So a scrape every few seconds is cheap.
 */
import type { Queue } from 'bullmq';
import { COPY_WITHIN_MS } from '../domain/operations/evidence.ts';
import { COUNTERS, type Metrics, type TenantCounts } from '../domain/operations/metrics.ts';
import { RESULT_CALLS } from '../domain/verification/flows.ts';
import { REGIONS, type Region } from '../domain/verification/regions.ts';
import { readBreakers } from './breakers.ts';
import { openPipeline, repliesOf } from './connection.ts';
import { readCostMetrics, readCosts, readLedgerDay } from './costs.ts';
import { countDeletions } from './deletions.ts';
import type { Deployment } from './deployment.ts';
import { countCopies } from './evidence.ts';
import { readGates } from './gates.ts';
import { oldestLive } from './indexes.ts';
import { readOldest } from './oldest.ts';
import { readServerInfo } from './read-server-info.ts';
import { readWorkers } from './workers.ts';

const OLDEST_READ = 1_000;

export async function readMetrics(
  deployment: Deployment,
  { verify, erase, notify }: { verify: ReadonlyMap<Region, Queue>; erase: Queue; notify: Queue },
  listed: readonly string[] = [],
): Promise<Metrics> {
  const { redis, names } = deployment;
  const now = Date.now();
  const [
    gates,
    workers,
    breakers,
    queues,
    counted,
    live,
    held,
    oldestIds,
    waitingSessions,
    outbox,
    erasing,
    toNotify,
    dead,
    costs,
    tenants,
    server,
  ] = await Promise.all([
    readGates(deployment, now),
    readWorkers(deployment),
    readBreakers(deployment),
    Promise.all([...verify].map(async ([region, queue]) => ({ region, ...(await countsOf(queue)) }))),
    redis.hmget(names.counters, ...COUNTERS),
    redis.zcard(names.live),
    redis.zrange(names.held, '0', '-1'),
    oldestLive(deployment, OLDEST_READ),
    countWaitingSessions(deployment),
    redis.hlen(names.outbox),
    countErasing(deployment, erase, now),
    notify.getJobCounts('waiting', 'active', 'delayed'),
    notify.getFailedCount(),
    readCostMetrics(deployment, now),
    readTenants(deployment, listed),
    readServerInfo(deployment),
  ]);
  const isHeld = new Set(held);
  const oldest = await readOldest(deployment, [...verify.keys()], { oldest: oldestIds, held: isHeld, now });
  return {
    gates,
    workers,
    breakers,
    queues,
    counters: Object.fromEntries(
      COUNTERS.map((name, index) => [name, Number(counted[index] ?? 0)]),
    ) as Metrics['counters'],
    live,
    held: held.length,
    waitingSessions,
    oldestMs: oldest.length === 0 ? null : Math.max(...oldest.map(({ ageMs }) => ageMs)),
    oldest,
    outbox,
    ...erasing,
    toNotify: sumOf(toNotify),
    deadNotifications: dead,
    costs,
    redis: server,
    tenants,
  };
}

/** Sessions that wait without a job, of all regions. */
async function countWaitingSessions({ redis, names }: Deployment): Promise<number> {
  const pipeline = openPipeline(redis);
  for (const region of REGIONS) {
    for (const call of RESULT_CALLS) {
      const { due, ripe } = names.waits(region, call);
      pipeline.zcard(due).zcard(ripe);
    }
  }
  const counts = await repliesOf(pipeline.exec());
  return counts.reduce<number>((sum, count) => sum + Number(count), 0);
}

async function countErasing(deployment: Deployment, erase: Queue, now: number) {
  const [jobs, deletions, { waiting, firstUntil }] = await Promise.all([
    erase.getJobCounts('waiting', 'active', 'delayed'),
    countDeletions(deployment),
    countCopies(deployment),
  ]);
  const oldestMs = firstUntil === null ? null : Math.max(0, now + COPY_WITHIN_MS - firstUntil);
  return { toErase: sumOf(jobs) + deletions, evidence: { waiting, oldestMs } };
}

async function readTenants(deployment: Deployment, listed: readonly string[]): Promise<TenantCounts[]> {
  if (listed.length === 0) return [];
  const { redis, names } = deployment;
  const day = await readLedgerDay(deployment);
  const entries = day === null ? [] : await readCosts(deployment, [day], undefined);
  return Promise.all(
    listed.map(async (tenant) => {
      const own = entries.filter((entry) => entry.tenant === tenant);
      return {
        tenant,
        records: await redis.zcard(names.tenant(tenant)),
        paidCalls: own.reduce((sum, { paidCalls }) => sum + paidCalls, 0),
        possiblyPaidCalls: own.reduce((sum, { possiblyPaidCalls }) => sum + possiblyPaidCalls, 0),
      };
    }),
  );
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

async function countsOf(queue: Queue): Promise<{ waiting: number; active: number; delayed: number }> {
  const counts = await queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed');
  const { waiting = 0, prioritized = 0, active = 0, delayed = 0 } = counts;
  return { waiting: waiting + prioritized, active, delayed };
}
