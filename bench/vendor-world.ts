/**
 * The emulator, and the settings of a deployment that uses it, without an erase worker: the programs that a deployment is compared with
 * here delete nothing either.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BestframeClient } from '../src/client/redis/client.ts';
import { startWorker, type WorkerProcess } from '../src/dev/worker-process.ts';
import { newNamespace } from '../src/domain/verification/namespace.ts';
import { EmulatorControl } from '../src/emulator/control.ts';
import { type Emulator, startEmulator } from '../src/emulator/index.ts';
import { sampleImage, sampleLiveData } from '../src/emulator/samples.ts';
import { type BenchEnvironment, recordTestMode } from './environment.ts';

export const ACTION = 'DetectReflectLivenessAndCompare';
export const REGION = 'ap-singapore';
/** Large enough that neither the gate nor the emulator delays a call. */
const PER_SECOND = '10000';
const END_MS = 120_000;
const STOP_MS = 10_000;

/** The files of one verification. */
export interface InputFiles {
  readonly liveData: string;
  readonly image: string;
}

export interface VendorWorld {
  readonly emulator: Emulator;
  readonly control: EmulatorControl;
  /** The settings of the deployment. */
  readonly env: Readonly<Record<string, string>>;
  readonly worker: WorkerProcess;
  /** Writes files that no other verification has. */
  writeFiles(count: number, liveDataBytes: number): Promise<InputFiles[]>;
  /** Runs a verification of each pair of files, to the end. */
  verify(files: readonly InputFiles[]): Promise<void>;
  stop(): Promise<void>;
}

interface VendorOptions {
  readonly name: string;
  readonly detectMs: number;
  readonly slots: number;
}

export async function startVendorWorld(
  environment: BenchEnvironment,
  { name, detectMs, slots }: VendorOptions,
): Promise<VendorWorld> {
  const { build, redisUrl } = environment;
  const dir = join(environment.dir, name);
  const inputs = join(dir, 'inputs');
  const frames = join(dir, 'frames');
  for (const folder of [inputs, frames]) await mkdir(folder, { recursive: true });
  const emulator = await startEmulator({
    dir: join(dir, 'emulator'),
    settings: { latencyMs: { [ACTION]: detectMs }, qps: {} },
  });
  const prefix = `{${name}-${process.hrtime.bigint()}}`;
  const env = {
    BESTFRAME_MODE: 'test',
    BESTFRAME_NAMESPACE: newNamespace(),
    BESTFRAME_REDIS_URL: redisUrl,
    BESTFRAME_PREFIX: prefix,
    BESTFRAME_REGIONS: REGION,
    BESTFRAME_BUCKETS: `${REGION}=${bucketOf(emulator)}`,
    TENCENTCLOUD_SECRET_ID: emulator.credentials.secretId,
    TENCENTCLOUD_SECRET_KEY: emulator.credentials.secretKey,
    BESTFRAME_PROXY: emulator.proxyUrl,
    BESTFRAME_CA_FILE: emulator.caFile,
    NODE_EXTRA_CA_CERTS: emulator.caFile,
    BESTFRAME_FRAMES_DIR: frames,
    BESTFRAME_FILE_ROOTS: inputs,
    BESTFRAME_QPS_DETECT: PER_SECOND,
    BESTFRAME_SLOTS: String(slots),
    BESTFRAME_LOG: 'json',
  };
  await recordTestMode(redisUrl, prefix);
  const worker = await startWorker('verify', { dir: build.workersDir, env });
  const client = build.openClient(build.readConfig(env));
  let written = 0;
  let enqueued = 0;
  return {
    emulator,
    control: new EmulatorControl(emulator.controlUrl),
    env,
    worker,
    writeFiles: (count, padBytes) =>
      Promise.all(
        Array.from({ length: count }, async () => {
          written += 1;
          const files = { liveData: join(inputs, `${written}.gz`), image: join(inputs, `${written}.jpg`) };
          await writeFile(files.liveData, sampleLiveData({ card: 'match', padBytes }));
          await writeFile(files.image, sampleImage());
          return files;
        }),
      ),
    verify: (files) => verify(client, files, `${name}-${enqueued++}`),
    stop: async () => {
      await client.close();
      await worker.stop(STOP_MS);
      await emulator.close();
    },
  };
}

async function verify(client: BestframeClient, files: readonly InputFiles[], mark: string): Promise<void> {
  const requests = files.map(({ liveData, image }, index) => ({
    key: `${mark}-${index}`,
    region: 'ap-singapore' as const,
    upload: 'own-bucket' as const,
    resources: { liveData: { from: 'file', path: liveData }, image: { from: 'file', path: image } } as const,
  }));
  for (const item of await client.enqueueMany(requests)) {
    if (item.status === 'refused') throw item.error;
    const view = await client.wait(item.id, { until: 'ended', timeoutMs: END_MS });
    if (view?.frame !== 'stored') throw new Error(`a verification ended as ${view?.state}, frame ${view?.frame}`);
  }
}

export function bucketOf({ buckets }: Emulator): string {
  return buckets.find(({ region }) => region === REGION)?.name ?? '';
}

/** Runs something, and gives the times of the paid calls that it makes. */
export async function callsDuring(control: EmulatorControl, run: () => Promise<unknown>): Promise<number[]> {
  const seqOf = async () => (await control.calls({ action: ACTION })).at(-1)?.seq ?? -1;
  const before = await seqOf();
  await run();
  const calls = await control.calls({ action: ACTION });
  return calls
    .filter(({ seq }) => seq > before)
    .map(({ at }) => at)
    .sort((a, b) => a - b);
}

/**
 * Calls per second, without the first and the last calls: so many of each as run at a time. Calls of slots that began together stay
 * together, so the time between two waves is measured.
 */
export function steadyRate(times: readonly number[], slots: number): number {
  const last = times.length - slots;
  const [from, until] = [times[slots], times[last]];
  if (from === undefined || until === undefined || last <= slots) throw new Error(`${times.length} calls are too few`);
  return (1_000 * (last - slots)) / (until - from);
}
