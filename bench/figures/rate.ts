/**
 * Measures how much of the vendor's rate four worker processes use together at 20 paid calls per second. The gate itself allows
 * at most 92.6 %, because calls of one lane are 1,080 ms apart. On a busy machine, workers miss slots and use less.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startLocalWorld } from '../../src/dev/local-world.ts';
import { type CallEntry, EmulatorControl } from '../../src/emulator/control.ts';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import type { BenchEnvironment, Build } from '../environment.ts';
import type { Figure } from '../figure.ts';

const ACTION = 'DetectReflectLivenessAndCompare';
const LIMIT = 20;
const WORKERS = 4;
const DETECT_MS = 300;
/** The start and the end of a run are not the steady state, so they are not counted. */
const EDGE_MS = 3_000;
const END_MS = 60_000;

export const rate: Figure = {
  name: 'rate',
  about: `four worker processes at ${LIMIT} calls per second: how much of the rate they use, and whether they exceed it`,
  values: [
    { name: 'used', unit: '', goal: { atLeast: 0.925 } },
    { name: 'refused', unit: '', goal: { atMost: 0 } },
    { name: `fastest ${LIMIT + 1} calls`, unit: 'ms', goal: { atLeast: 1_000 } },
    { name: 'calls', unit: '' },
  ],
  seconds: { usual: 4, quick: 4 },
  measure,
};

async function measure(environment: BenchEnvironment, seconds: number) {
  const { dir, build } = environment;
  const inputs = join(dir, 'inputs');
  await mkdir(inputs, { recursive: true });
  const world = await startLocalWorld({
    dir,
    cacheDir: environment.cacheDir,
    redisUrl: environment.redisUrl,
    workers: WORKERS,
    dashboard: false,
    workersDir: build.workersDir,
    emulatorSettings: { latencyMs: { [ACTION]: DETECT_MS }, qps: { [ACTION]: LIMIT } },
    settings: { BESTFRAME_PREFIX: `{rate-${Date.now()}}`, BESTFRAME_QPS_DETECT: String(LIMIT) },
  });
  try {
    await finish(build, world.env, inputs, Math.ceil(LIMIT * (seconds + (2 * EDGE_MS) / 1_000)));
    const calls = await new EmulatorControl(world.emulator.controlUrl).calls({ action: ACTION });
    return figuresOf([...calls].sort((a, b) => a.at - b.at));
  } finally {
    await world.stop();
  }
}

async function finish(
  build: Build,
  env: Readonly<Record<string, string>>,
  inputs: string,
  many: number,
): Promise<void> {
  const liveData = join(inputs, 'live.gz');
  const image = join(inputs, 'photo.jpg');
  await writeFile(liveData, sampleLiveData({ card: 'match' }));
  await writeFile(image, sampleImage());
  const client = build.openClient(build.readConfig(env));
  try {
    const requests = Array.from({ length: many }, (_, index) => ({
      key: `rate-${index}`,
      region: 'ap-singapore' as const,
      lane: 'batch' as const,
      upload: 'own-bucket' as const,
      resources: { liveData: { from: 'file', path: liveData }, image: { from: 'file', path: image } } as const,
    }));
    for (const item of await client.enqueueMany(requests)) {
      if (item.status === 'refused') throw item.error;
      const timeoutMs = END_MS + (1_000 * many) / LIMIT;
      const view = await client.wait(item.id, { until: 'ended', timeoutMs });
      if (view?.state !== 'completed') throw new Error(`a verification ended as ${view?.state}`);
    }
  } finally {
    await client.close();
  }
}

/** The start and the end of a run are not the steady state. */
function figuresOf(calls: readonly CallEntry[]) {
  const from = (calls[0]?.at ?? 0) + EDGE_MS;
  const until = (calls.at(-1)?.at ?? 0) - EDGE_MS;
  const steady = calls.filter(({ at }) => at >= from && at < until);
  const steadyMs = (steady.at(-1)?.at ?? 0) - (steady[0]?.at ?? 0);
  const spans = calls.slice(LIMIT).map(({ at }, index) => at - (calls[index]?.at ?? 0));
  return {
    used: (steady.length - 1) / ((LIMIT * steadyMs) / 1_000), // between the first and the last of these calls
    refused: calls.filter(({ code }) => code === 'RequestLimitExceeded').length,
    [`fastest ${LIMIT + 1} calls`]: Math.min(...spans),
    calls: calls.length,
  };
}
