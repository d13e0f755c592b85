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
import { cpuMs, redisCoreMs } from '../cpu.ts';
import type { BenchEnvironment, Build } from '../environment.ts';
import type { Figure } from '../figure.ts';

interface Row {
  /** Paid calls per second in the steady state. */
  readonly perSecond: number;
  /** Core time per verification. */
  readonly workerCoreMs: number;
  readonly redisCoreMs: number;
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

export const capacity: Figure = {
  name: 'capacity',
  about: `1, 2, 4 and 8 worker processes, FaceID takes ${DETECT_MS} ms, ${RATE} calls per second allowed; what Redis keeps`,
  values: [
    ...WORKERS.flatMap((workers) => [
      { name: nameOf(workers), unit: '/s' as const },
      { name: `share of the ideal, ${nameOf(workers)}`, unit: '' as const },
    ]),
    { name: 'core of a worker', unit: 'ms' },
    { name: 'core of Redis', unit: 'ms' },
    { name: 'queued, bytes in Redis', unit: '' },
    { name: 'finished, bytes in Redis', unit: '' },
    { name: 'bytes in the append-only file', unit: '' },
  ],
  seconds: { usual: 8, quick: 1 },
  measure,
};

function nameOf(workers: number): string {
  return workers === 1 ? '1 process' : `${workers} processes`;
}

/** What the slots and the rate allow if nothing else took time. */
function idealOf(workers: number): number {
  return Math.min(RATE, (workers * SLOTS * 1_000) / DETECT_MS);
}

async function measure(environment: BenchEnvironment, seconds: number): Promise<Record<string, number>> {
  const values: Record<string, number> = {};
  for (const workers of WORKERS) {
    const { perSecond, workerCoreMs, redisCoreMs } = await measureRow(workers, seconds, environment);
    values[nameOf(workers)] = perSecond;
    values[`share of the ideal, ${nameOf(workers)}`] = perSecond / idealOf(workers);
    // Idle processes cost something too, so the core time is that of one process.
    if (workers === 1) Object.assign(values, { 'core of a worker': workerCoreMs, 'core of Redis': redisCoreMs });
  }
  return { ...values, ...(await measureRedis(Math.ceil(seconds * MEMORY_PER_SECOND), environment)) };
}

function openWorld(name: string, workers: number, environment: BenchEnvironment): Promise<LocalWorld> {
  return startLocalWorld({
    dir: join(environment.dir, name),
    cacheDir: environment.cacheDir,
    redisUrl: environment.redisUrl,
    clearRedis: true,
    workers,
    dashboard: false,
    workersDir: environment.build.workersDir,
    emulatorSettings: { latencyMs: { [ACTION]: DETECT_MS }, qps: {} },
    settings: {
      BESTFRAME_PREFIX: `{${name}-${Date.now()}}`,
      BESTFRAME_QPS_DETECT: String(RATE),
      BESTFRAME_SLOTS: String(SLOTS),
      BESTFRAME_LOG: 'silent',
    },
  });
}

async function measureRow(workers: number, seconds: number, environment: BenchEnvironment): Promise<Row> {
  const world = await openWorld(`capacity-${workers}`, workers, environment);
  const redis = new Redis(environment.redisUrl);
  const pids = world.workers.slice(0, workers).map(({ pid }) => pid);
  const coreMs = async () => (await Promise.all(pids.map(cpuMs))).reduce((sum, time) => sum + time, 0);
  try {
    const count = Math.ceil(idealOf(workers) * seconds);
    const [coreBefore, redisBefore] = [await coreMs(), await redisCoreMs(redis)];
    await enqueue(environment.build, world, count);
    await finish(environment.build, world);
    const [coreAfter, redisAfter] = [await coreMs(), await redisCoreMs(redis)];
    const calls = await new EmulatorControl(world.emulator.controlUrl).calls({ action: ACTION });
    return {
      perSecond: steadyRate(calls),
      workerCoreMs: (coreAfter - coreBefore) / count,
      redisCoreMs: (redisAfter - redisBefore) / count,
    };
  } finally {
    redis.disconnect();
    await world.stop();
  }
}

async function measureRedis(count: number, environment: BenchEnvironment): Promise<Record<string, number>> {
  const world = await openWorld('capacity-memory', 0, environment);
  const redis = new Redis(environment.redisUrl);
  const read = async () => {
    const info = await redis.info();
    const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]);
    return { memory: field('used_memory'), aof: field('aof_current_size') };
  };
  try {
    const before = await read();
    await enqueue(environment.build, world, count);
    const queued = await read();
    const worker = await startWorker('verify', { dir: environment.build.workersDir, env: world.env });
    await finish(environment.build, world);
    await worker.stop(10_000);
    const after = await read();
    return {
      'queued, bytes in Redis': (queued.memory - before.memory) / count,
      'finished, bytes in Redis': (after.memory - before.memory) / count,
      'bytes in the append-only file': (after.aof - before.aof) / count,
    };
  } finally {
    redis.disconnect();
    await world.stop();
  }
}

async function enqueue(build: Build, { config, env }: LocalWorld, count: number): Promise<void> {
  const inputs = config.fileRoots.at(-1) ?? '';
  const [liveData, image] = [join(inputs, 'live.gz'), join(inputs, 'photo.jpg')];
  await mkdir(inputs, { recursive: true });
  await writeFile(liveData, sampleLiveData({ card: 'match' }));
  await writeFile(image, sampleImage());
  const client = build.openClient(build.readConfig(env));
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
async function finish(build: Build, { env }: LocalWorld): Promise<void> {
  const client = build.openClient(build.readConfig(env));
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
