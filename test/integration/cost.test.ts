/**
 * Measures the cost of a verification in Redis: script calls on the happy path, and bytes that are kept after the end. The test
 * has its own Redis, so that nothing else is counted.
 *
 * On a busy machine, workers run additional scripts: a worker that misses its slot requests another one, and a slow attempt
 * renews its lease. The test therefore counts scripts by name and by verification. The trace must explain each additional script,
 * and at least one verification must run none.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ProvidedRedis, startPrivateRedis } from '../../src/dev/local-redis.ts';
import { findRedis } from '../../src/dev/redis-binary.ts';
import { LUA } from '../../src/redis/scripts/lua.ts';
import { createRig, HOME, type Rig } from '../support/rig.ts';
import { type ScriptRun, ScriptTrace, verificationOf } from '../support/script-trace.ts';

type Upload = 'own-bucket' | 'create-upload-url';

const MANY = 100;
/**
 * The most batches. The batch is repeated until at least one verification has got every slot in time. An idle machine needs one
 * batch.
 */
const MAX_BATCHES = 5;
const MAX_BYTES = 3_584;
/**
 * Scripts that run on a timer. How often they run varies: lease renewal, the check for stalled jobs, the sweeper's job lookup.
 */
const PERIODIC = new Set(['renew-lease', 'moveStalledJobsToWait', 'getState']);
const dir = join(HOME, `cost-${process.pid}`);

let provided: ProvidedRedis;
let redis: Redis;
let rig: Rig;
let trace: ScriptTrace;
/**
 * The number of batches so far. Each key contains this number, so no batch finds the frames and decisions of an earlier batch.
 */
let batches = 0;

beforeAll(async () => {
  const binary = await findRedis({ cacheDir: join(HOME, 'cache'), log: () => undefined });
  provided = await startPrivateRedis({ binary, dir, appendonly: false });
  redis = new Redis(provided.url);
  trace = await ScriptTrace.start(provided.url);
  rig = await createRig({
    env: {
      BESTFRAME_REDIS_URL: provided.url,
      BESTFRAME_QPS_DETECT: '100000',
      BESTFRAME_QPS_UPLOAD_URL: '100000',
      BESTFRAME_SLOTS: '1', // one verification at a time, so a script without an id belongs to the current one
    },
    emulator: { qps: {} },
  });
});
afterAll(async () => {
  await rig.dispose();
  trace.stop();
  redis.disconnect();
  await provided.stop();
  await rm(dir, { recursive: true, force: true });
});

const BEFORE_UPLOAD = ['claim-verification', 'addPrioritizedJob', 'begin-attempt'];
const AFTER_UPLOAD = ['commit-stage', 'declare-intent', 'record-outcome', 'settle', 'moveToFinished'];

describe.each([
  { upload: 'own-bucket', count: 8, scripts: [...BEFORE_UPLOAD, ...AFTER_UPLOAD] },
  { upload: 'create-upload-url', count: 9, scripts: [...BEFORE_UPLOAD, 'reserve-slots', ...AFTER_UPLOAD] },
] as const)('by $upload', ({ upload, count, scripts }) => {
  let keptBytes = Number.NaN;

  it(`runs exactly ${count} scripts per verification`, { timeout: 300_000 }, async () => {
    expect(scripts).toHaveLength(count);
    let undelayed = 0;
    for (let batch = 0; batch < MAX_BATCHES && undelayed === 0; batch += 1) {
      const runs = await runBatch(upload);
      keptBytes = (await measureKeptBytes()) / MANY;
      for (const own of runs.values()) {
        if (own.filter(({ name }) => name === 'begin-attempt').length > 1) continue; // a repeated attempt is not the happy path
        const needed = withoutMissedSlots(own);
        expect(needed.map(({ name }) => name)).toEqual(scripts);
        if (needed.length === own.length) undelayed += 1;
      }
    }
    const facts = `${count} scripts, ${Math.round(keptBytes)} bytes each; ${undelayed} of ${MANY} missed no slot`;
    console.info(`${upload}: ${facts}`);
    expect(undelayed).toBeGreaterThan(0);
  });

  it('keeps at most 3.5 kB per verification', () => {
    expect(keptBytes).toBeLessThanOrEqual(MAX_BYTES);
  });
});

/** @returns the scripts of each verification, in the order in which Redis ran them. */
async function runBatch(upload: Upload): Promise<Map<string, ScriptRun[]>> {
  batches += 1;
  await redis.flushall();
  const requests = await Promise.all(
    Array.from({ length: MANY }, (_, index) =>
      rig.request(`${upload}-${batches}-${index}`, { card: 'match' }, { upload }),
    ),
  );
  await trace.clear();
  const enqueued = await rig.client.enqueueMany(requests);
  const worker = await rig.openWorker();
  for (const item of enqueued) {
    if (item.status === 'refused') throw item.error;
    const view = await rig.client.wait(item.id, { until: 'ended', timeoutMs: 240_000 });
    expect(view).toMatchObject({ state: 'completed', frame: 'stored' });
  }
  await worker.stop(5_000);
  const byVerification = new Map<string, ScriptRun[]>(enqueued.map((item) => ['id' in item ? item.id : '', []]));
  let current = '';
  let lookups = 0;
  for (const run of await trace.read()) {
    if (PERIODIC.has(run.name) || isForErasure(run)) continue;
    if (run.name === 'moveToActive') {
      lookups += 1;
      continue;
    }
    current = verificationOf(run) ?? current;
    byVerification.get(current)?.push(run);
  }
  // The script that ends a job returns the next job, so the worker looks for a job only at the start and after the last job.
  expect(lookups).toBeLessThanOrEqual(2);
  expect(byVerification.size).toBe(MANY);
  return byVerification;
}

/** @returns whether the run adds an erase job, which another worker processes. */
function isForErasure({ keys }: ScriptRun): boolean {
  return keys.some((key) => key.includes(':erase:'));
}

/** Removes repeated slot requests. A worker repeats a request when it must assume that it has missed its slot. */
function withoutMissedSlots(runs: readonly ScriptRun[]): ScriptRun[] {
  const given = { 'declare-intent': [] as number[], 'reserve-slots': [] as number[] };
  return runs.filter((run) => {
    if (run.name !== 'declare-intent' && run.name !== 'reserve-slots') return true;
    const slots = given[run.name];
    const missed = slots.shift();
    slots.push(...slotsOf(run));
    slots.sort((a, b) => a - b);
    return missed === undefined || run.at < missed - clockErrorMs(run);
  });
}

/** @returns the largest error of a worker's estimate of Redis's clock: rounding, and half of the worker's fastest round trip. */
function clockErrorMs({ name, args }: ScriptRun): number {
  const travelMs = Number(args[LUA[name as 'declare-intent' | 'reserve-slots'].args.indexOf('soonMs' as never)]) - 10;
  return 2 + travelMs / 4;
}

/** @returns the start times of the slots that a script run assigned, by the clock of Redis. */
function slotsOf({ name, writes, args }: ScriptRun): number[] {
  if (name === 'declare-intent') {
    const open = writes.find(({ command, args: [field] }) => command === 'hset' && field === 'open');
    return open === undefined ? [] : [(JSON.parse(open.args[1] ?? '') as { at: number }).at];
  }
  const laneMs = Number(args[1]);
  return writes.flatMap(({ args: fields }) =>
    fields.flatMap((field, index) => (field.startsWith('free:') ? [Number(fields[index + 1]) - laneMs] : [])),
  );
}

/**
 * Measures the keys of the rig. Leaves out the event stream and the gates, because their size is bounded, and the erase queue,
 * because its jobs are removed when they are done. @returns the memory in bytes
 */
async function measureKeptBytes(): Promise<number> {
  const keys = (await redis.keys(`${rig.config.prefix}*`)).filter(
    (key) => !key.endsWith(':events') && !key.includes(':erase:') && !key.includes(':gate:'),
  );
  const sizes = await Promise.all(keys.map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)));
  return sizes.reduce<number>((sum, size) => sum + Number(size ?? 0), 0);
}
