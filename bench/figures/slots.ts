/**
 * How well a worker uses its slots when FaceID takes 200 ms: verifications per second, compared with slots ÷ latency, which nothing
 * could exceed if the rest took no time.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startLocalWorld } from '../../src/dev/local-world.ts';
import { EmulatorControl } from '../../src/emulator/control.ts';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { cpuMs } from '../cpu.ts';
import type { BenchEnvironment } from '../environment.ts';
import type { Figure } from '../figure.ts';

const ACTION = 'DetectReflectLivenessAndCompare';
const DETECT_MS = 200;
const SLOTS = [16, 50];
const EDGE_MS = 1_000;

export const slots: Figure = {
  name: 'slots',
  about: 'achieved ÷ (slots ÷ latency), FaceID takes 200 ms',
  values: SLOTS.flatMap((count) => [
    { name: `${count} slots`, unit: '' as const, goal: { atLeast: 0.97 } },
    { name: `CPU with ${count} slots`, unit: 'ms' as const },
  ]),
  seconds: { usual: 6, quick: 3 },
  async measure(environment, seconds) {
    const found: Record<string, number> = {};
    for (const count of SLOTS) {
      const { used, cpu } = await measure(count, environment, seconds);
      found[`${count} slots`] = used;
      found[`CPU with ${count} slots`] = cpu;
    }
    return found;
  },
};

async function measure(count: number, { dir, cacheDir, redisUrl, build }: BenchEnvironment, seconds: number) {
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
  const client = build.openClient(build.readConfig(world.env));
  try {
    const [liveData, image] = [join(inputs, 'live.gz'), join(inputs, 'photo.jpg')];
    await writeFile(liveData, sampleLiveData({ card: 'match' }));
    await writeFile(image, sampleImage());
    const requests = Array.from({ length: many }, (_, index) => ({
      key: `slots-${index}`,
      region: 'ap-singapore' as const,
      upload: 'own-bucket' as const,
      resources: { liveData: { from: 'file', path: liveData }, image: { from: 'file', path: image } } as const,
    }));
    const pid = world.workers[0]?.pid ?? 0;
    const before = await cpuMs(pid);
    const enqueued = await client.enqueueMany(requests);
    for (const item of enqueued) {
      if (item.status === 'refused') throw item.error;
      await client.wait(item.id, { until: 'ended', timeoutMs: 120_000 });
    }
    const cpu = ((await cpuMs(pid)) - before) / many;
    const at = (await new EmulatorControl(world.emulator.controlUrl).calls({ action: ACTION }))
      .map((call) => call.at)
      .sort((a, b) => a - b);
    const [from, until] = [(at[0] ?? 0) + EDGE_MS, (at.at(-1) ?? 0) - EDGE_MS];
    const perMs = at.filter((each) => each >= from && each < until).length / (until - from);
    return { used: perMs / (count / DETECT_MS), cpu };
  } finally {
    await client.close();
    await world.stop();
  }
}
