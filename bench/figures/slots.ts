/**
 * How well a worker uses its slots when FaceID takes 200 ms: verifications per second, compared with slots ÷ latency, which nothing
 * could exceed if the rest took no time. The floor is a loop over the same adapters with what no durable pipeline can do without
 * (`bare-loop.ts`), on the same files and the same emulator. It shows what this machine can carry.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type LocalWorld, startLocalWorld } from '../../src/dev/local-world.ts';
import { EmulatorControl } from '../../src/emulator/control.ts';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import type { LoopRequest } from '../bare-loop.ts';
import { cpuMs } from '../cpu.ts';
import type { BenchEnvironment } from '../environment.ts';
import type { Figure } from '../figure.ts';
import { startProgram } from '../program.ts';
import { callsDuring, type InputFiles } from '../vendor-world.ts';

const ACTION = 'DetectReflectLivenessAndCompare';
const END_MS = 120_000;
const DETECT_MS = 200;
const SLOTS = [16, 50];
const EDGE_MS = 500;

export const slots: Figure = {
  name: 'slots',
  about: 'achieved ÷ (slots ÷ latency), FaceID takes 200 ms',
  values: SLOTS.flatMap((count) => [
    { name: `${count} slots`, unit: '' as const, goal: { atLeast: 0.97 } },
    { name: `${count} slots, floor`, unit: '' as const },
    { name: `CPU with ${count} slots`, unit: 'ms' as const },
    { name: `CPU with ${count} slots, floor`, unit: 'ms' as const },
  ]),
  seconds: { usual: 1, quick: 1 },
  async measure(environment, seconds) {
    const found: Record<string, number> = {};
    for (const count of SLOTS) {
      const { own, floor } = await measure(count, environment, seconds);
      found[`${count} slots`] = own.used;
      found[`${count} slots, floor`] = floor.used;
      found[`CPU with ${count} slots`] = own.cpuMs;
      found[`CPU with ${count} slots, floor`] = floor.cpuMs;
    }
    return found;
  },
};

interface Used {
  /** Achieved ÷ (slots ÷ latency). */
  readonly used: number;
  /** CPU of the process per verification. */
  readonly cpuMs: number;
}

async function measure(count: number, environment: BenchEnvironment, seconds: number) {
  const { dir, cacheDir, redisUrl, build } = environment;
  const folder = join(dir, `slots-${count}`);
  const inputs = join(folder, 'inputs');
  await mkdir(inputs, { recursive: true });
  const many = Math.ceil((count * (seconds * 1_000 + 2 * EDGE_MS)) / DETECT_MS);
  const world = await startLocalWorld({
    dir: folder,
    cacheDir,
    redisUrl,
    workers: 1,
    dashboard: false,
    workersDir: build.workersDir,
    emulatorSettings: { latencyMs: { [ACTION]: DETECT_MS }, qps: {} },
    settings: {
      BESTFRAME_PREFIX: `{slots-${count}-${Date.now()}}`,
      BESTFRAME_QPS_DETECT: '2000',
      BESTFRAME_SLOTS: String(count),
    },
  });
  try {
    const pair = { liveData: join(inputs, 'live.gz'), image: join(inputs, 'photo.jpg') };
    await writeFile(pair.liveData, sampleLiveData({ card: 'match' }));
    await writeFile(pair.image, sampleImage());
    const files = Array.from({ length: many }, () => pair);
    return {
      own: await runWorker(world, environment, count, files),
      floor: await runLoop(world, environment, count, files),
    };
  } finally {
    await world.stop();
  }
}

async function runWorker(
  world: LocalWorld,
  { build }: BenchEnvironment,
  slots: number,
  files: readonly InputFiles[],
): Promise<Used> {
  const client = build.openClient(build.readConfig(world.env));
  try {
    return await use(world, world.workers[0]?.pid ?? 0, slots, files.length, async () => {
      const requests = files.map(({ liveData, image }, index) => ({
        key: `slots-${index}`,
        region: 'ap-singapore' as const,
        upload: 'own-bucket' as const,
        resources: { liveData: { from: 'file', path: liveData }, image: { from: 'file', path: image } } as const,
      }));
      for (const item of await client.enqueueMany(requests)) {
        if (item.status === 'refused') throw item.error;
        await client.wait(item.id, { until: 'ended', timeoutMs: END_MS });
      }
    });
  } finally {
    await client.close();
  }
}

async function runLoop(
  world: LocalWorld,
  { build }: BenchEnvironment,
  slots: number,
  files: readonly InputFiles[],
): Promise<Used> {
  const env = { ...world.env, NODE_EXTRA_CA_CERTS: world.emulator.caFile, DIST: resolve(build.workersDir, '..') };
  const bare = await startProgram<string, LoopRequest, string>('bare-loop', env);
  try {
    return await use(world, bare.pid, slots, files.length, () =>
      bare.request({ files, concurrency: slots, durable: true }),
    );
  } finally {
    await bare.stop();
  }
}

/** Measures how a process uses its slots, without the first and the last half second of its calls. */
async function use(
  { emulator }: LocalWorld,
  pid: number,
  slots: number,
  count: number,
  run: () => Promise<unknown>,
): Promise<Used> {
  const before = await cpuMs(pid);
  const times = await callsDuring(new EmulatorControl(emulator.controlUrl), run);
  const cpu = ((await cpuMs(pid)) - before) / count;
  const [from, until] = [(times[0] ?? 0) + EDGE_MS, (times.at(-1) ?? 0) - EDGE_MS];
  const perMs = times.filter((at) => at >= from && at < until).length / (until - from);
  return { used: perMs / (slots / DETECT_MS), cpuMs: cpu };
}
