/**
 * One verification that somebody waits for, by the product (a worker process, Redis) and by hand, in pairs: whatever else the
 * machine does meets both. Who of a pair goes first changes with each.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BestframeClient } from '../src/client/client.ts';
import { sampleImage, sampleLiveData } from '../src/emulator/samples.ts';
import { openClient } from '../src/open-client.ts';
import { startWorld, type World } from '../src/world/world.ts';
import type { Files, Took } from './by-hand.ts';
import { type Program, startProgram } from './child.ts';
import type { Ground } from './ground.ts';

export interface Overhead {
  /** How long the emulator takes for a call of FaceID. */
  readonly detectMs: number;
  readonly pairs: number;
  /** Medians, ms. */
  readonly product: Took;
  readonly byHand: Took;
  /** Of the pairs' own ratios, the medians. */
  readonly ratio: { readonly answer: number; readonly frame: number };
  /** Of the product, medians by stage, ms. */
  readonly stages: Readonly<Record<string, number>>;
}

/** The first ones open connections and load code. */
const WARM_PAIRS = 2;
const LEAST_PAIRS = 3;
/** So large that neither gate nor emulator has anybody wait for a turn. */
const PER_SECOND = 1_000;
const ACTION = 'DetectReflectLivenessAndCompare';
const END_MS = 60_000;

export async function overhead(detectMs: number, seconds: number, ground: Ground): Promise<Overhead> {
  const dir = join(ground.dir, `overhead-${detectMs}`);
  const inputs = join(dir, 'inputs');
  await mkdir(inputs, { recursive: true });
  const world = await startWorld({
    dir,
    cacheDir: ground.cacheDir,
    redisUrl: ground.redisUrl,
    workers: 1,
    dashboard: false,
    workersDir: ground.workersDir,
    emulatorSettings: { latencyMs: { [ACTION]: detectMs }, qps: {} },
    settings: { BESTFRAME_PREFIX: `{overhead-${detectMs}}`, BESTFRAME_QPS_DETECT: String(PER_SECOND) },
  });
  try {
    const byHand = await startProgram<string, Files, Took>('by-hand', handSettings(world));
    const client = openClient(world.config);
    try {
      return await compare({ client, byHand, inputs, detectMs, seconds });
    } finally {
      await client.close();
      await byHand.stop();
    }
  } finally {
    await world.stop();
  }
}

interface Sides {
  readonly client: BestframeClient;
  readonly byHand: Program<string, Files, Took>;
  readonly inputs: string;
  readonly detectMs: number;
  readonly seconds: number;
}

async function compare({ client, byHand, inputs, detectMs, seconds }: Sides): Promise<Overhead> {
  const pairs: { product: Took & { stages: Stages }; byHand: Took }[] = [];
  let end = Number.POSITIVE_INFINITY;
  for (let pair = 0; pair < WARM_PAIRS + LEAST_PAIRS || performance.now() < end; pair += 1) {
    if (pair === WARM_PAIRS) end = performance.now() + seconds * 1_000;
    const product = async () => byProduct(client, await write(inputs, `product-${pair}`));
    const hand = async () => byHand.ask(await write(inputs, `hand-${pair}`));
    const first = pair % 2 === 0 ? await product() : undefined;
    const handTook = await hand();
    const took = { product: first ?? (await product()), byHand: handTook };
    if (pair >= WARM_PAIRS) pairs.push(took);
  }
  const of = (pick: (pair: (typeof pairs)[number]) => number) => median(pairs.map(pick));
  const stages = Object.keys(pairs[0]?.product.stages ?? {});
  return {
    detectMs,
    pairs: pairs.length,
    product: { answerMs: of(({ product }) => product.answerMs), frameMs: of(({ product }) => product.frameMs) },
    byHand: { answerMs: of((pair) => pair.byHand.answerMs), frameMs: of((pair) => pair.byHand.frameMs) },
    ratio: {
      answer: of((pair) => pair.product.answerMs / pair.byHand.answerMs),
      frame: of((pair) => pair.product.frameMs / pair.byHand.frameMs),
    },
    stages: Object.fromEntries(stages.map((name) => [name, of(({ product }) => product.stages[name] ?? 0)])),
  };
}

type Stages = Readonly<Record<string, number>>;

async function byProduct(client: BestframeClient, files: Files): Promise<Took & { stages: Stages }> {
  const start = performance.now();
  const { id } = await client.enqueue({
    key: files.name,
    region: 'ap-singapore',
    upload: 'own-bucket',
    resources: { liveData: { from: 'file', path: files.liveData }, image: { from: 'file', path: files.image } },
  });
  const decided = await client.wait(id, { timeoutMs: END_MS });
  const answerMs = performance.now() - start;
  const ended = await client.wait(id, { until: 'ended', timeoutMs: END_MS });
  const frameMs = performance.now() - start;
  if (decided?.decision !== 'match' || ended?.frame !== 'stored')
    throw new Error(`a verification came to ${ended?.state}, ${ended?.decision}, frame ${ended?.frame}`);
  return { answerMs, frameMs, stages: Object.fromEntries(ended.stages.map(({ name, ms }) => [name, ms])) };
}

async function write(inputs: string, name: string): Promise<Files> {
  const files = { name, liveData: join(inputs, `${name}.gz`), image: join(inputs, `${name}.jpg`) };
  await writeFile(files.liveData, sampleLiveData({ card: 'match', nonce: name }));
  await writeFile(files.image, sampleImage(name));
  return files;
}

function handSettings({ emulator }: World): Record<string, string> {
  const bucket = emulator.buckets.find(({ region }) => region === 'ap-singapore');
  return {
    PROXY: emulator.proxyUrl,
    NODE_EXTRA_CA_CERTS: emulator.caFile,
    SECRET_ID: emulator.credentials.secretId,
    SECRET_KEY: emulator.credentials.secretKey,
    BUCKET: bucket?.name ?? '',
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [below = 0, above = 0] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return (below + above) / 2;
}
