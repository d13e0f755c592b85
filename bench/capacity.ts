/**
 * Measures what `docs/operations/capacity.md` calculates with: how many verifications a second 1, 2, 4 and 8 worker processes carry
 * if FaceID takes 300 ms and the rate is high, what a verification costs in core time of a worker and of Redis, and what Redis keeps
 * of it in memory and on disk.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { openClient } from '../src/app/client.ts';
import { type LocalWorld, startLocalWorld } from '../src/dev/local-world.ts';
import { startWorker } from '../src/dev/worker-process.ts';
import { type CallEntry, EmulatorControl } from '../src/emulator/control.ts';
import { sampleImage, sampleLiveData } from '../src/emulator/samples.ts';
import type { BenchEnvironment } from './environment.ts';
import { cpuMs } from './load.ts';

export interface CapacityRow {
  readonly workers: number;
  /** Paid calls per second in the steady state. */
  readonly perSecond: number;
  /** What the slots and the rate allow if nothing else took time. */
  readonly idealPerSecond: number;
  /** Core time of all verify workers per verification. Null if it cannot be measured. */
  readonly workerCoreMs: number | null;
  readonly redisCoreMs: number;
}

export interface RedisUse {
  readonly verifications: number;
  readonly queuedBytes: number;
  /** Including the ended jobs, of which BullMQ keeps 5,000 in each queue. */
  readonly finishedBytes: number;
  /** Written to the append-only file, until Redis rewrites it. */
  readonly aofBytes: number;
}

export interface Capacity {
  readonly rate: number;
  readonly detectMs: number;
  readonly rows: readonly CapacityRow[];
  readonly redis: RedisUse;
}

const ACTION = 'DetectReflectLivenessAndCompare';
const RATE = 100;
const DETECT_MS = 300;
const SLOTS = 8;
const WORKERS = [1, 2, 4, 8];
/** Verifications for each second of a row, of which the memory is measured. */
const MEMORY_PER_SECOND = 100;
/** The start and the end of a run are not the steady state, so they are not counted: so long each, or a quarter of a short run. */
const EDGE_MS = 3_000;

export async function measureCapacity(
  seconds: number,
  environment: BenchEnvironment,
  log: (line: string) => void,
): Promise<Capacity> {
  const rows: CapacityRow[] = [];
  for (const workers of WORKERS) {
    log(`capacity, ${workers} worker processes`);
    const row = await measureRow(workers, seconds, environment);
    log(`  ${row.perSecond.toFixed(1)} verifications per second`);
    rows.push(row);
  }
  log('memory of Redis');
  return {
    rate: RATE,
    detectMs: DETECT_MS,
    rows,
    redis: await measureRedis(Math.ceil(seconds * MEMORY_PER_SECOND), environment),
  };
}

function openWorld(name: string, workers: number, environment: BenchEnvironment): Promise<LocalWorld> {
  return startLocalWorld({
    dir: join(environment.dir, name),
    cacheDir: environment.cacheDir,
    redisUrl: environment.redisUrl,
    clearRedis: true,
    workers,
    dashboard: false,
    workersDir: environment.workersDir,
    emulatorSettings: { latencyMs: { [ACTION]: DETECT_MS }, qps: {} },
    settings: {
      BESTFRAME_PREFIX: `{${name}}`,
      BESTFRAME_QPS_DETECT: String(RATE),
      BESTFRAME_SLOTS: String(SLOTS),
      BESTFRAME_LOG: 'silent',
    },
  });
}

async function measureRow(workers: number, seconds: number, environment: BenchEnvironment): Promise<CapacityRow> {
  const world = await openWorld(`capacity-${workers}`, workers, environment);
  const redis = new Redis(environment.redisUrl);
  const idealPerSecond = Math.min(RATE, (workers * SLOTS * 1_000) / DETECT_MS);
  const pids = world.workers.slice(0, workers).map(({ pid }) => pid);
  const coreMs = async () => {
    const times = await Promise.all(pids.map(cpuMs));
    return times.some((time) => time === null) ? null : times.reduce<number>((sum, time) => sum + (time ?? 0), 0);
  };
  try {
    const count = Math.ceil(idealPerSecond * seconds);
    const [coreBefore, redisBefore] = [await coreMs(), await redisCoreMs(redis)];
    await enqueue(world, count);
    await finish(world);
    const [coreAfter, redisAfter] = [await coreMs(), await redisCoreMs(redis)];
    const calls = await new EmulatorControl(world.emulator.controlUrl).calls({ action: ACTION });
    return {
      workers,
      perSecond: steadyRate(calls),
      idealPerSecond,
      workerCoreMs: coreBefore === null || coreAfter === null ? null : (coreAfter - coreBefore) / count,
      redisCoreMs: (redisAfter - redisBefore) / count,
    };
  } finally {
    redis.disconnect();
    await world.stop();
  }
}

async function measureRedis(count: number, environment: BenchEnvironment): Promise<RedisUse> {
  const world = await openWorld('capacity-memory', 0, environment);
  const redis = new Redis(environment.redisUrl);
  const read = async () => {
    const info = await redis.info();
    const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]);
    return { memory: field('used_memory'), aof: field('aof_current_size') };
  };
  try {
    const before = await read();
    await enqueue(world, count);
    const queued = await read();
    const worker = await startWorker('verify', { dir: environment.workersDir, env: world.env });
    await finish(world);
    await worker.stop(10_000);
    const after = await read();
    return {
      verifications: count,
      queuedBytes: (queued.memory - before.memory) / count,
      finishedBytes: (after.memory - before.memory) / count,
      aofBytes: (after.aof - before.aof) / count,
    };
  } finally {
    redis.disconnect();
    await world.stop();
  }
}

async function enqueue({ config }: LocalWorld, count: number): Promise<void> {
  const inputs = config.fileRoots.at(-1) ?? '';
  const [liveData, image] = [join(inputs, 'live.gz'), join(inputs, 'photo.jpg')];
  await mkdir(inputs, { recursive: true });
  await writeFile(liveData, sampleLiveData({ card: 'match' }));
  await writeFile(image, sampleImage());
  const client = openClient(config);
  try {
    const requests = Array.from({ length: count }, (_, index) => ({
      key: `capacity-${index}`,
      region: 'ap-singapore' as const,
      lane: 'batch' as const,
      upload: 'own-bucket' as const,
      resources: { liveData: { from: 'file', path: liveData }, image: { from: 'file', path: image } } as const,
    }));
    for (const item of await client.enqueueMany(requests)) if (item.status === 'refused') throw item.error;
  } finally {
    await client.close();
  }
}

/** Waits until all verifications have ended and their objects are deleted. */
async function finish({ config }: LocalWorld): Promise<void> {
  const client = openClient(config);
  try {
    for (let round = 0; round < 3_000; round += 1) {
      const { live, outbox, toErase } = await client.metrics();
      if (live + outbox + toErase === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error('the verifications did not end within ten minutes');
  } finally {
    await client.close();
  }
}

function steadyRate(calls: readonly CallEntry[]): number {
  const times = calls.map(({ at }) => at).sort((a, b) => a - b);
  const [first = 0, last = first] = [times[0], times.at(-1)];
  const edgeMs = Math.min(EDGE_MS, (last - first) / 4);
  const [from, until] = [first + edgeMs, last - edgeMs];
  return (times.filter((at) => at >= from && at < until).length * 1_000) / (until - from);
}

/** CPU time of the Redis server, with its background threads. */
async function redisCoreMs(redis: Redis): Promise<number> {
  const info = await redis.info('cpu');
  const seconds = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1]);
  return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1_000;
}
