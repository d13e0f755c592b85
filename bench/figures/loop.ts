/**
 * What durability costs: the whole pipeline, compared with a bare loop over the same adapters (`bare-loop.ts`), with 16 verifications at a
 * time. Both work alternately on the same files. The floor is that loop with what no durable pipeline can do without. The CPU of pipeline and
 * floor is that of their process and of Redis.
 */
import { resolve } from 'node:path';
import { Redis } from 'ioredis';
import type { LoopRequest } from '../bare-loop.ts';
import { cpuMs, redisCoreMs } from '../cpu.ts';
import type { BenchEnvironment } from '../environment.ts';
import type { Figure } from '../figure.ts';
import { type Program, startProgram } from '../program.ts';
import { ACTION, callsDuring, startVendorWorld, steadyRate, type VendorWorld } from '../vendor-world.ts';

const DETECT_MS = 350;
const SLOTS = 16;
const SIZES = [
  { name: '50 kB', bytes: 50_000 },
  { name: '1 MB', bytes: 1_000_000 },
];
/**
 * Verifications of each kind that are not counted, for each second of a sample. Meanwhile the code is compiled: after 64 of them, a
 * verification took 19 ms of CPU, and after 1,600 it took 13. To save time, FaceID answers them at once.
 */
const WARM = 15 * SLOTS;

export const loop: Figure = {
  name: 'loop',
  about: `the whole pipeline, compared with a bare loop over the same adapters; ${SLOTS} at a time, FaceID takes ${DETECT_MS} ms`,
  values: SIZES.flatMap(({ name }) => [
    { name: `throughput, ${name}`, unit: '×' as const, goal: { atLeast: 0.95 } },
    { name: `CPU, ${name}`, unit: '×' as const, goal: { atMost: 1.1 } },
    { name: `throughput, ${name}, floor`, unit: '×' as const },
    { name: `CPU, ${name}, floor`, unit: '×' as const },
    { name: `verifications, ${name}`, unit: '/s' as const },
    { name: `CPU of the worker, ${name}`, unit: 'ms' as const },
    { name: `CPU of Redis, ${name}`, unit: 'ms' as const },
    { name: `CPU of the loop, ${name}`, unit: 'ms' as const },
  ]),
  seconds: { usual: 1.5, quick: 1 },
  measure,
};

interface Run {
  readonly perSecond: number;
  /** CPU per verification: of the process, and of Redis. */
  readonly nodeMs: number;
  readonly redisMs: number;
}

async function measure(environment: BenchEnvironment, seconds: number) {
  const world = await startVendorWorld(environment, { name: 'loop', detectMs: DETECT_MS, slots: SLOTS });
  const dist = resolve(environment.build.workersDir, '..');
  const redis = new Redis(environment.redisUrl);
  const bare = await startProgram<string, LoopRequest, string>('bare-loop', { ...world.env, DIST: dist });
  // Whole waves: each slot makes the same number of calls.
  const count = SLOTS * Math.max(3, Math.round((seconds * 1_000) / DETECT_MS));
  const found: Record<string, number> = {};
  try {
    await world.control.settings({ latencyMs: { [ACTION]: 0 } });
    await compare({ world, bare, redis }, Math.ceil(WARM * seconds), SIZES[0]?.bytes ?? 0);
    await world.control.settings({ latencyMs: { [ACTION]: DETECT_MS } });
    for (const { name, bytes } of SIZES) {
      const { own, loop: plain, floor } = await compare({ world, bare, redis }, count, bytes);
      found[`throughput, ${name}`] = own.perSecond / plain.perSecond;
      found[`CPU, ${name}`] = (own.nodeMs + own.redisMs) / plain.nodeMs;
      found[`throughput, ${name}, floor`] = floor.perSecond / plain.perSecond;
      found[`CPU, ${name}, floor`] = (floor.nodeMs + floor.redisMs) / plain.nodeMs;
      found[`verifications, ${name}`] = own.perSecond;
      found[`CPU of the worker, ${name}`] = own.nodeMs;
      found[`CPU of Redis, ${name}`] = own.redisMs;
      found[`CPU of the loop, ${name}`] = plain.nodeMs;
    }
    return found;
  } finally {
    await bare.stop();
    await world.stop();
    redis.disconnect();
  }
}

interface Sides {
  readonly world: VendorWorld;
  readonly bare: Program<string, LoopRequest, string>;
  readonly redis: Redis;
}

async function compare({ world, bare, redis }: Sides, count: number, bytes: number) {
  const files = await world.writeFiles(count, bytes);
  const runLoop = (durable: boolean) => () => bare.request({ files, concurrency: SLOTS, durable });
  const plain = await measureRun(world, redis, bare.pid, count, runLoop(false));
  const own = await measureRun(world, redis, world.worker.pid, count, () => world.verify(files));
  const floor = await measureRun(world, redis, bare.pid, count, runLoop(true));
  return { own, loop: plain, floor };
}

async function measureRun(
  { control }: VendorWorld,
  redis: Redis,
  pid: number,
  count: number,
  run: () => Promise<unknown>,
): Promise<Run> {
  const [node, server] = [await cpuMs(pid), await redisCoreMs(redis)];
  const times = await callsDuring(control, run);
  return {
    perSecond: steadyRate(times, SLOTS),
    nodeMs: ((await cpuMs(pid)) - node) / count,
    redisMs: ((await redisCoreMs(redis)) - server) / count,
  };
}
