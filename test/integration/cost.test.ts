/** What a verification costs Redis: scripts on the happy path, and bytes that stay. A Redis of its own, so that it can be counted. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findRedis, type ProvidedRedis, startPrivateRedis } from '../../src/world/redis.ts';
import { createRig, HOME, type Rig } from '../support/rig.ts';

const MANY = 100;
const dir = join(HOME, `cost-${process.pid}`);
/** Beside the verifications' own: each slot's first look into the queue, and the looks for stalled jobs. */
const BACKGROUND_SCRIPTS = 30;

let provided: ProvidedRedis;
let redis: Redis;
let rig: Rig;
/** Keys of its own for each: the frames of another are decided already. */
let round = 0;

beforeAll(async () => {
  const binary = await findRedis({ cacheDir: join(HOME, 'cache'), log: () => undefined });
  provided = await startPrivateRedis({ binary, dir, appendonly: false });
  redis = new Redis(provided.url);
  rig = await createRig({
    env: { BESTFRAME_REDIS_URL: provided.url, BESTFRAME_QPS_DETECT: '100000', BESTFRAME_QPS_UPLOAD_URL: '100000' },
    emulator: { qps: {} },
  });
});
afterAll(async () => {
  await rig.dispose();
  redis.disconnect();
  await provided.stop();
  await rm(dir, { recursive: true, force: true });
});

it.each([
  ['own-bucket', 8],
  ['create-upload-url', 9],
  // Measured anew where a busy machine missed slots of the rate: each costs a script more.
] as const)('by %s: at most %i scripts each, and at most 3.5 kB stay', { retry: 3 }, async (upload, most) => {
  round += 1;
  await warmUp(upload);
  const requests = await Promise.all(
    Array.from({ length: MANY }, (_, index) =>
      rig.request(`${upload}-${round}-${index}`, { card: 'match' }, { upload }),
    ),
  );
  await redis.config('RESETSTAT');
  const enqueued = await rig.client.enqueueMany(requests);
  const worker = await rig.openWorker();
  for (const item of enqueued) {
    if (item.status === 'refused') throw item.error;
    const view = await rig.client.wait(item.id, { until: 'ended' });
    expect(view).toMatchObject({ state: 'completed', frame: 'stored' });
  }
  const erase = upload === 'own-bucket' ? MANY : 0; // a follow-up: the erase job is added by a script of BullMQ's
  const scripts = (await scriptCalls()) - erase;
  expect(scripts).toBeGreaterThan((most - 2) * MANY); // it counts at all
  expect(scripts).toBeLessThanOrEqual(most * MANY + BACKGROUND_SCRIPTS);

  await worker.stop(5_000);
  const kept = await keptBytes();
  console.info(`${upload}: ${(scripts / MANY).toFixed(2)} scripts, ${Math.round(kept / MANY)} bytes each`);
  expect(kept / MANY).toBeLessThanOrEqual(3_584);
});

/** Redis learns a script at its first use, by a call that fails and one that succeeds. */
async function warmUp(upload: 'own-bucket' | 'create-upload-url'): Promise<void> {
  const worker = await rig.openWorker();
  const { id } = await rig.client.enqueue(await rig.request(`warm-${upload}-${round}`, { card: 'match' }, { upload }));
  await rig.client.wait(id, { until: 'ended' });
  await worker.stop(5_000);
  await redis.flushall(); // data only: scripts stay known
}

async function scriptCalls(): Promise<number> {
  const stats = await redis.info('commandstats');
  return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0);
}

/**
 * All keys of the rig but the event stream and the gates (bounded, not the verifications') and the erase queue's jobs (removed
 * when done).
 */
async function keptBytes(): Promise<number> {
  const keys = (await redis.keys(`${rig.config.prefix}*`)).filter(
    (key) => !key.endsWith(':events') && !key.includes(':erase:') && !key.includes(':gate:'),
  );
  const sizes = await Promise.all(keys.map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)));
  return sizes.reduce<number>((sum, size) => sum + Number(size ?? 0), 0);
}
