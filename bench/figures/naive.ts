/**
 * How many verifications per second one process makes while FaceID takes 350 ms, compared with what one writes first (`naive.ts`): both
 * SDKs and BullMQ with their defaults, one queue for each stage. Bestframe has 50 slots. Neither side is held back by a rate. Both work
 * alternately.
 */
import { cpuMs } from '../cpu.ts';
import type { BenchEnvironment } from '../environment.ts';
import type { Figure } from '../figure.ts';
import { startProgram } from '../program.ts';
import { bucketOf, callsDuring, type InputFiles, startVendorWorld, steadyRate } from '../vendor-world.ts';

const DETECT_MS = 350;
const SLOTS = 50;
const BYTES = 50_000;
/** Verifications of each kind that are not counted. */
const WARM = { own: 2 * SLOTS, naive: 3 };

export const naive: Figure = {
  name: 'naive',
  about: `the pipeline with ${SLOTS} slots, compared with SDKs and BullMQ with their defaults; FaceID takes ${DETECT_MS} ms`,
  values: [
    { name: 'throughput', unit: '×', goal: { atLeast: 10 } },
    { name: 'Bestframe', unit: '/s' },
    { name: 'SDKs and BullMQ', unit: '/s' },
    { name: 'CPU of Bestframe', unit: 'ms' },
    { name: 'CPU of SDKs and BullMQ', unit: 'ms' },
  ],
  seconds: { usual: 2, quick: 2 },
  measure,
};

async function measure(environment: BenchEnvironment, seconds: number) {
  const world = await startVendorWorld(environment, { name: 'naive', detectMs: DETECT_MS, slots: SLOTS });
  const { emulator, env, control, worker } = world;
  const program = await startProgram<string, readonly InputFiles[], string>('naive', {
    REDIS_URL: environment.redisUrl,
    PREFIX: `{naive-bare-${process.hrtime.bigint()}}`,
    PROXY: emulator.proxyUrl,
    NODE_EXTRA_CA_CERTS: emulator.caFile,
    SECRET_ID: emulator.credentials.secretId,
    SECRET_KEY: emulator.credentials.secretKey,
    BUCKET: bucketOf(emulator),
    FRAMES: env.BESTFRAME_FRAMES_DIR ?? '',
  });
  const waves = Math.max(3, Math.round((seconds * 1_000) / DETECT_MS));
  const own = (files: readonly InputFiles[]) => world.verify(files);
  const bare = (files: readonly InputFiles[]) => program.request(files);
  const run = async (work: typeof own | typeof bare, count: number, slots: number, pid: number) => {
    const files = await world.writeFiles(count, BYTES);
    const before = await cpuMs(pid);
    const times = await callsDuring(control, () => work(files));
    return { perSecond: steadyRate(times, slots), cpu: ((await cpuMs(pid)) - before) / count };
  };
  try {
    await own(await world.writeFiles(WARM.own, BYTES));
    await bare(await world.writeFiles(WARM.naive, BYTES));
    const theirs = await run(bare, waves, 1, program.pid);
    const ours = await run(own, waves * SLOTS, SLOTS, worker.pid);
    return {
      throughput: ours.perSecond / theirs.perSecond,
      Bestframe: ours.perSecond,
      'SDKs and BullMQ': theirs.perSecond,
      'CPU of Bestframe': ours.cpu,
      'CPU of SDKs and BullMQ': theirs.cpu,
    };
  } finally {
    await program.stop();
    await world.stop();
  }
}
