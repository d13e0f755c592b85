/**
 * Measures what `docs/operations/capacity.md` calculates with: how many verifications a second 1, 2, 4 and 8 worker processes carry
 * if FaceID takes 300 ms and the rate is high, what a verification costs in core time of a worker and of Redis, and what Redis keeps
 * of it in memory and on disk.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { type LocalWorld, startLocalWorld } from '../../src/dev/local-world.ts';
import { startWorker } from '../../src/dev/worker-process.ts';
import { type CallEntry, EmulatorControl } from '../../src/emulator/control.ts';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { cpuMs } from '../cpu.ts';
import type { BenchEnvironment } from '../environment.ts';
import type { Figure } from '../figure.ts';

type Client = ReturnType<BenchEnvironment['build']['openClient']>;

const ACTION = 'DetectReflectLivenessAndCompare';
const RATE = 100;
const DETECT_MS = 300;
const SLOTS = 8;
const WORKERS = [1, 2, 4, 8];
/** Verifications for each second of a row, of which the memory is measured. */
const MEMORY_PER_SECOND = 100;
/** The start and the end of a run are not the steady state, so they are not counted: so long each, or a quarter of a short run. */
const EDGE_MS = 3_000;

export const capacity: Figure = {
  name: 'capacity',
  about: `verifications per second with 1, 2, 4 and 8 workers, FaceID takes ${DETECT_MS} ms; what each costs`,
  values: [
    ...WORKERS.flatMap((workers) => [
      { name: `${workers} workers`, unit: '/s' as const },
      { name: `${workers} workers ÷ ideal`, unit: '' as const },
    ]),
    { name: 'CPU of workers', unit: 'ms' },
    { name: 'CPU of Redis', unit: 'ms' },
    { name: 'bytes queued', unit: '' },
    { name: 'bytes finished', unit: '' },
    { name: 'bytes of the append-only file', unit: '' },
  ],
  seconds: { usual: 10, quick: 2 },
  async measure(environment, seconds) {
    const found: Record<string, number> = {};
    for (const workers of WORKERS) {
      const { perSecond, idealPerSecond, workerCoreMs, redisCoreMs } = await measureRow(workers, seconds, environment);
      found[`${workers} workers`] = perSecond;
      found[`${workers} workers ÷ ideal`] = perSecond / idealPerSecond;
      if (workers === WORKERS[0]) found['CPU of workers'] = workerCoreMs;
      if (workers === WORKERS[0]) found['CPU of Redis'] = redisCoreMs;
    }
    const redis = await measureRedis(Math.ceil(seconds * MEMORY_PER_SECOND), environment);
    return { ...found, ...redis };
  },
};

/** A world of the build that is measured, with a client of it. */
async function openWorld(name: string, workers: number, environment: BenchEnvironment) {
  const { build } = environment;
  const world = await startLocalWorld({
    dir: join(environment.dir, name),
    cacheDir: environment.cacheDir,
    redisUrl: environment.redisUrl,
    workers,
    dashboard: false,
    workersDir: build.workersDir,
    emulatorSettings: { latencyMs: { [ACTION]: DETECT_MS }, qps: {} },
    settings: {
      BESTFRAME_PREFIX: `{${name}-${Date.now()}}`,
      BESTFRAME_QPS_DETECT: String(RATE),
      BESTFRAME_SLOTS: String(SLOTS),
      BESTFRAME_LOG: 'silent',
    },
  });
  return { world, client: build.openClient(build.readConfig(world.env)) };
}

async function measureRow(workers: number, seconds: number, environment: BenchEnvironment) {
  const { world, client } = await openWorld(`capacity-${workers}`, workers, environment);
  const redis = new Redis(environment.redisUrl);
  const idealPerSecond = Math.min(RATE, (workers * SLOTS * 1_000) / DETECT_MS);
  const pids = world.workers.slice(0, workers).map(({ pid }) => pid);
  const coreMs = async () => (await Promise.all(pids.map(cpuMs))).reduce((sum, time) => sum + time, 0);
  try {
    const count = Math.ceil(idealPerSecond * seconds);
    const [coreBefore, redisBefore] = [await coreMs(), await redisCoreMs(redis)];
    await enqueue(client, world, count);
    await finish(client);
    const [coreAfter, redisAfter] = [await coreMs(), await redisCoreMs(redis)];
    const calls = await new EmulatorControl(world.emulator.controlUrl).calls({ action: ACTION });
    return {
      perSecond: steadyRate(calls),
      idealPerSecond,
      workerCoreMs: (coreAfter - coreBefore) / count,
      redisCoreMs: (redisAfter - redisBefore) / count,
    };
  } finally {
    redis.disconnect();
    await client.close();
    await world.stop();
  }
}

async function measureRedis(count: number, environment: BenchEnvironment) {
  const { world, client } = await openWorld('capacity-memory', 0, environment);
  const redis = new Redis(environment.redisUrl);
  const read = async () => {
    const info = await redis.info();
    const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]);
    return { memory: field('used_memory'), aof: field('aof_current_size') };
  };
  try {
    const before = await read();
    await enqueue(client, world, count);
    const queued = await read();
    const worker = await startWorker('verify', { dir: environment.build.workersDir, env: world.env });
    await finish(client);
    await worker.stop(10_000);
    const after = await read();
    return {
      'bytes queued': (queued.memory - before.memory) / count,
      'bytes finished': (after.memory - before.memory) / count,
      'bytes of the append-only file': (after.aof - before.aof) / count,
    };
  } finally {
    redis.disconnect();
    await client.close();
    await world.stop();
  }
}

async function enqueue(client: Client, { config }: LocalWorld, count: number): Promise<void> {
  const inputs = config.fileRoots.at(-1) ?? '';
  const [liveData, image] = [join(inputs, 'live.gz'), join(inputs, 'photo.jpg')];
  await mkdir(inputs, { recursive: true });
  await writeFile(liveData, sampleLiveData({ card: 'match' }));
  await writeFile(image, sampleImage());
  const requests = Array.from({ length: count }, (_, index) => ({
    key: `capacity-${index}`,
    region: 'ap-singapore' as const,
    lane: 'batch' as const,
    upload: 'own-bucket' as const,
    resources: { liveData: { from: 'file', path: liveData }, image: { from: 'file', path: image } } as const,
  }));
  for (const item of await client.enqueueMany(requests)) if (item.status === 'refused') throw item.error;
}

/** Waits until all verifications have ended and their objects are deleted. */
async function finish(client: Client): Promise<void> {
  for (let round = 0; round < 3_000; round += 1) {
    const { live, outbox, toErase } = await client.metrics();
    if (live + outbox + toErase === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('the verifications did not end within ten minutes');
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
