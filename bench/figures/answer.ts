/**
 * How long one interactive verification takes, from `enqueue` to the decision and to the stored frame, compared with a program that
 * uses only the vendors' SDKs (`direct-sdk.ts`). Both run in pairs, one after the other, so that load on the machine affects both.
 * The order within a pair alternates. A third program uses the SDKs for the same requests that Bestframe makes: it shows what these
 * requests cost without the machinery.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BestframeClient } from '../../src/client/redis/client.ts';
import { freePort } from '../../src/dev/free-port.ts';
import { type LocalWorld, startLocalWorld } from '../../src/dev/local-world.ts';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { cpuMs } from '../cpu.ts';
import type { Inputs, Timing } from '../direct-sdk.ts';
import { startDistance } from '../distance.ts';
import type { BenchEnvironment } from '../environment.ts';
import { type Figure, median } from '../figure.ts';
import { type Program, startProgram } from '../program.ts';

interface Vendor {
  /** How long FaceID works on a call. */
  readonly detectMs: number;
  /** The round trip to FaceID and COS. */
  readonly roundTripMs: number;
}

/** The first pair opens connections and loads code, so it is not counted. */
const WARM_PAIRS = 1;
const MIN_PAIRS = 2;
/** The rate is so high that neither the gate nor the emulator delays a call. */
const PER_SECOND = 1_000;
const ACTION = 'DetectReflectLivenessAndCompare';
const WAIT_MS = 60_000;

export const answers: readonly Figure[] = [
  figure('answer', { detectMs: 0, roundTripMs: 0 }, 1.3),
  figure('answer-far', { detectMs: 0, roundTripMs: 80 }, 0.8),
  figure('answer-slow', { detectMs: 1_000, roundTripMs: 80 }, 0.98),
];

function figure(name: string, vendor: Vendor, atMost: number): Figure {
  const { detectMs, roundTripMs } = vendor;
  return {
    name,
    about: `enqueue → decision, compared with the SDKs alone; FaceID takes ${detectMs} ms, the round trip ${roundTripMs} ms`,
    values: [
      { name: 'answer', unit: '×', goal: { atMost } },
      { name: 'frame', unit: '×' },
      { name: 'the same requests by the SDKs', unit: '×' },
      { name: 'Bestframe', unit: 'ms' },
      { name: 'SDKs', unit: 'ms' },
      { name: 'CPU of the worker', unit: 'ms' },
      { name: 'CPU of the SDKs', unit: 'ms' },
      { name: 'pairs', unit: '' },
    ],
    seconds: { usual: 5, quick: 4 },
    measure: (environment, seconds) => measure(vendor, environment, seconds),
  };
}

async function measure({ detectMs, roundTripMs }: Vendor, environment: BenchEnvironment, seconds: number) {
  const { dir, build } = environment;
  const inputs = join(dir, 'inputs');
  await mkdir(inputs, { recursive: true });
  const ports = { proxy: await freePort(), control: await freePort() };
  const distance = roundTripMs === 0 ? null : await startDistance(ports.proxy, roundTripMs);
  const world = await startLocalWorld({
    dir,
    cacheDir: environment.cacheDir,
    redisUrl: environment.redisUrl,
    workers: 1,
    dashboard: false,
    workersDir: build.workersDir,
    emulatorPorts: ports,
    emulatorSettings: { latencyMs: { [ACTION]: detectMs }, qps: {} },
    settings: {
      BESTFRAME_PREFIX: `{answer-${ports.proxy}}`,
      BESTFRAME_QPS_DETECT: String(PER_SECOND),
      ...(distance === null ? {} : { BESTFRAME_PROXY: distance.url }),
    },
  });
  try {
    const proxy = distance?.url ?? world.emulator.proxyUrl;
    const start = (settings: Record<string, string>) =>
      startProgram<string, Inputs, Timing>('direct-sdk', { ...directSdkEnv(world, proxy), ...settings });
    const sdk = await start({});
    const same = await start({ SAME_REQUESTS: '1' });
    const client = build.openClient(build.readConfig(world.env));
    try {
      return await compare({ client, sdk, same, inputs, seconds, workerPid: world.workers[0]?.pid ?? 0 });
    } finally {
      await client.close();
      await sdk.stop();
      await same.stop();
    }
  } finally {
    await world.stop();
    await distance?.close();
  }
}

interface Comparison {
  readonly client: BestframeClient;
  readonly sdk: Program<string, Inputs, Timing>;
  readonly same: Program<string, Inputs, Timing>;
  readonly inputs: string;
  readonly seconds: number;
  readonly workerPid: number;
}

async function compare({ client, sdk, same, inputs, seconds, workerPid }: Comparison) {
  const pairs: { product: Timing; sdk: Timing; same: Timing }[] = [];
  let end = Number.POSITIVE_INFINITY;
  let [workerCpu, sdkCpu] = [0, 0];
  for (let pair = 0; pair < WARM_PAIRS + MIN_PAIRS || performance.now() < end; pair += 1) {
    if (pair === WARM_PAIRS) {
      end = performance.now() + seconds * 1_000;
      [workerCpu, sdkCpu] = [await cpuMs(workerPid), await cpuMs(sdk.pid)];
    }
    const runProduct = async () => runWithProduct(client, await writeInputs(inputs, `product-${pair}`));
    const productFirst = pair % 2 === 0 ? await runProduct() : undefined;
    const direct = await sdk.request(await writeInputs(inputs, `direct-${pair}`));
    const product = productFirst ?? (await runProduct());
    const again = await same.request(await writeInputs(inputs, `same-${pair}`));
    if (pair >= WARM_PAIRS) pairs.push({ product, sdk: direct, same: again });
  }
  const medianOf = (pick: (pair: (typeof pairs)[number]) => number) => median(pairs.map(pick));
  return {
    answer: medianOf((pair) => pair.product.answerMs / pair.sdk.answerMs),
    frame: medianOf((pair) => pair.product.frameMs / pair.sdk.frameMs),
    'the same requests by the SDKs': medianOf((pair) => pair.same.answerMs / pair.sdk.answerMs),
    Bestframe: medianOf((pair) => pair.product.answerMs),
    SDKs: medianOf((pair) => pair.sdk.answerMs),
    'CPU of the worker': ((await cpuMs(workerPid)) - workerCpu) / pairs.length,
    'CPU of the SDKs': ((await cpuMs(sdk.pid)) - sdkCpu) / pairs.length,
    pairs: pairs.length,
  };
}

async function runWithProduct(client: BestframeClient, files: Inputs): Promise<Timing> {
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
  return { answerMs, frameMs };
}

async function writeInputs(folder: string, name: string): Promise<Inputs> {
  const files = { name, liveData: join(folder, `${name}.gz`), image: join(folder, `${name}.jpg`) };
  await writeFile(files.liveData, sampleLiveData({ card: 'match', nonce: name }));
  await writeFile(files.image, sampleImage(name));
  return files;
}

function directSdkEnv({ emulator }: LocalWorld, proxy: string): Record<string, string> {
  const bucket = emulator.buckets.find(({ region }) => region === 'ap-singapore');
  return {
    PROXY: proxy,
    NODE_EXTRA_CA_CERTS: emulator.caFile,
    SECRET_ID: emulator.credentials.secretId,
    SECRET_KEY: emulator.credentials.secretKey,
    BUCKET: bucket?.name ?? '',
  };
}
