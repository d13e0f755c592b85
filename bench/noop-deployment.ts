/** Deployments in Redis whose verifications do nothing outside: how they are filled, and the worker that works through them. */
import { resolve } from 'node:path';
import type { BestframeClient } from '../src/client/redis/client.ts';
import { newNamespace } from '../src/domain/verification/namespace.ts';
import { type BenchEnvironment, recordTestMode } from './environment.ts';
import { NOOP_BUCKET } from './noop-edges.ts';
import type { NoopRequest } from './noop-worker.ts';
import { type Program, startProgram } from './program.ts';
import type { Work } from './work-window.ts';

/** How these figures run a worker, unless slots or the vendor's time are what they measure. */
export const NOOP_RUN = { slots: 50, detectMs: 0 };
/** So many requests are enqueued in one call. */
const BULK = 500;
const REGION = 'ap-singapore';

export type NoopWorker = Program<string, NoopRequest, Work>;

/** Starts the worker. It has no deployment yet: each request names one. */
export function startNoopWorker(environment: BenchEnvironment): Promise<NoopWorker> {
  const dist = resolve(environment.build.workersDir, '..');
  return startProgram<string, NoopRequest, Work>('noop-worker', { ...settingsOf(environment), DIST: dist });
}

/** A deployment of its own. Call `close` when it needs no more verifications. */
export async function openNoopDeployment(environment: BenchEnvironment, name: string) {
  const { build, redisUrl } = environment;
  const config = build.readConfig({
    ...settingsOf(environment),
    BESTFRAME_PREFIX: `{${name}-${process.hrtime.bigint()}}`,
  });
  await recordTestMode(redisUrl, config.prefix);
  const client = build.openClient(config);
  let enqueued = 0;
  return {
    prefix: config.prefix,
    async enqueue(count: number) {
      const end = enqueued + count;
      for (; enqueued < end; enqueued += Math.min(BULK, end - enqueued))
        await enqueueBulk(client, enqueued, Math.min(BULK, end - enqueued));
    },
    close: () => client.close(),
  };
}

async function enqueueBulk(client: BestframeClient, from: number, count: number): Promise<void> {
  const place = { from: 'cos', bucket: 'faces-1250000001', region: REGION } as const;
  const requests = Array.from({ length: count }, (_, index) => {
    const key = `noop-${from + index}`;
    const resources = { liveData: { ...place, key: `${key}.gz` }, image: { ...place, key: `${key}.jpg` } };
    return { key, region: REGION, lane: 'batch', upload: 'own-bucket', resources } as const;
  });
  for (const item of await client.enqueueMany(requests)) if (item.status === 'refused') throw item.error;
}

const namespace = newNamespace();

function settingsOf({ redisUrl, dir }: BenchEnvironment): Record<string, string> {
  return {
    BESTFRAME_MODE: 'test',
    BESTFRAME_NAMESPACE: namespace,
    BESTFRAME_REDIS_URL: redisUrl,
    BESTFRAME_REGIONS: REGION,
    BESTFRAME_BUCKETS: `${REGION}=${NOOP_BUCKET}`,
    BESTFRAME_FRAMES_DIR: dir,
    BESTFRAME_QPS_DETECT: '100000', // the gate works, but delays no call
    BESTFRAME_LOG: 'json',
  };
}
