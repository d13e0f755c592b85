/**
 * Measures the time of one interactive verification with the product (a worker process and Redis) and with the SDKs alone.
 * Product and SDKs run in pairs, one after the other, so that load on the machine affects both. The order within a pair
 * alternates.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openClient } from '../src/app/client.ts';
import type { BestframeClient } from '../src/client/redis/client.ts';
import { type LocalWorld, startLocalWorld } from '../src/dev/local-world.ts';
import { sampleImage, sampleLiveData } from '../src/emulator/samples.ts';
import type { Inputs, Timing } from './direct-sdk.ts';
import type { BenchEnvironment } from './environment.ts';
import { type Program, startProgram } from './program.ts';

export interface Overhead {
  /** How long the emulator's FaceID takes to answer. */
  readonly detectMs: number;
  readonly pairs: number;
  /** The medians of all pairs. */
  readonly product: Timing;
  readonly directSdk: Timing;
  /** The medians of the ratios of each pair. */
  readonly ratio: { readonly answer: number; readonly frame: number };
  /** The medians of the product's stages, in ms. */
  readonly stages: Readonly<Record<string, number>>;
}

/** The first pairs open connections and load code, so they are not counted. */
const WARM_PAIRS = 2;
const MIN_PAIRS = 3;
/** The rate is so high that neither the gate nor the emulator delays a call. */
const PER_SECOND = 1_000;
const ACTION = 'DetectReflectLivenessAndCompare';
const WAIT_MS = 60_000;

export async function measureOverhead(
  detectMs: number,
  seconds: number,
  environment: BenchEnvironment,
): Promise<Overhead> {
  const dir = join(environment.dir, `overhead-${detectMs}`);
  const inputs = join(dir, 'inputs');
  await mkdir(inputs, { recursive: true });
  const world = await startLocalWorld({
    dir,
    cacheDir: environment.cacheDir,
    redisUrl: environment.redisUrl,
    workers: 1,
    dashboard: false,
    workersDir: environment.workersDir,
    emulatorSettings: { latencyMs: { [ACTION]: detectMs }, qps: {} },
    settings: { BESTFRAME_PREFIX: `{overhead-${detectMs}}`, BESTFRAME_QPS_DETECT: String(PER_SECOND) },
  });
  try {
    const directSdk = await startProgram<string, Inputs, Timing>('direct-sdk', directSdkEnv(world));
    const client = openClient(world.config);
    try {
      return await compare({ client, directSdk, inputs, detectMs, seconds });
    } finally {
      await client.close();
      await directSdk.stop();
    }
  } finally {
    await world.stop();
  }
}

interface Comparison {
  readonly client: BestframeClient;
  readonly directSdk: Program<string, Inputs, Timing>;
  readonly inputs: string;
  readonly detectMs: number;
  readonly seconds: number;
}

async function compare({ client, directSdk, inputs, detectMs, seconds }: Comparison): Promise<Overhead> {
  const pairs: { product: ProductTiming; directSdk: Timing }[] = [];
  let end = Number.POSITIVE_INFINITY;
  for (let pair = 0; pair < WARM_PAIRS + MIN_PAIRS || performance.now() < end; pair += 1) {
    if (pair === WARM_PAIRS) end = performance.now() + seconds * 1_000;
    const runProduct = async () => runWithProduct(client, await writeInputs(inputs, `product-${pair}`));
    const productFirst = pair % 2 === 0 ? await runProduct() : undefined;
    const direct = await directSdk.request(await writeInputs(inputs, `direct-${pair}`));
    const product = productFirst ?? (await runProduct());
    if (pair >= WARM_PAIRS) pairs.push({ product, directSdk: direct });
  }
  const medianOf = (pick: (pair: (typeof pairs)[number]) => number) => median(pairs.map(pick));
  const stages = Object.keys(pairs[0]?.product.stages ?? {});
  return {
    detectMs,
    pairs: pairs.length,
    product: {
      answerMs: medianOf(({ product }) => product.answerMs),
      frameMs: medianOf(({ product }) => product.frameMs),
    },
    directSdk: {
      answerMs: medianOf((pair) => pair.directSdk.answerMs),
      frameMs: medianOf((pair) => pair.directSdk.frameMs),
    },
    ratio: {
      answer: medianOf((pair) => pair.product.answerMs / pair.directSdk.answerMs),
      frame: medianOf((pair) => pair.product.frameMs / pair.directSdk.frameMs),
    },
    stages: Object.fromEntries(stages.map((name) => [name, medianOf(({ product }) => product.stages[name] ?? 0)])),
  };
}

type ProductTiming = Timing & { readonly stages: Readonly<Record<string, number>> };

async function runWithProduct(client: BestframeClient, files: Inputs): Promise<ProductTiming> {
  const start = performance.now();
  const { id } = await client.enqueue({
    key: files.name,
    region: 'ap-singapore',
    upload: 'own-bucket',
    resources: { liveData: { from: 'file', path: files.liveData }, image: { from: 'file', path: files.image } },
  });
  const decided = await client.wait(id, { timeoutMs: WAIT_MS });
  const answerMs = performance.now() - start;
  const ended = await client.wait(id, { until: 'ended', timeoutMs: WAIT_MS });
  const frameMs = performance.now() - start;
  if (decided?.decision !== 'match' || ended?.frame !== 'stored')
    throw new Error(`a verification ended as ${ended?.state}, ${ended?.decision}, frame ${ended?.frame}`);
  return { answerMs, frameMs, stages: Object.fromEntries(ended.stages.map(({ name, ms }) => [name, ms])) };
}

async function writeInputs(folder: string, name: string): Promise<Inputs> {
  const files = { name, liveData: join(folder, `${name}.gz`), image: join(folder, `${name}.jpg`) };
  await writeFile(files.liveData, sampleLiveData({ card: 'match', nonce: name }));
  await writeFile(files.image, sampleImage(name));
  return files;
}

function directSdkEnv({ emulator }: LocalWorld): Record<string, string> {
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
