/**
 * Tests that two lanes share one gate in the right order. The test compares the order of admissions in Redis with the order of
 * the slots that the calls get, all by the clock of Redis, so a busy machine does not affect the result.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ProvidedRedis, startPrivateRedis } from '../../src/dev/local-redis.ts';
import { findRedis } from '../../src/dev/redis-binary.ts';
import type { CallEntry } from '../../src/emulator/control.ts';
import { createRig, HOME, type Rig } from '../support/rig.ts';
import { type ScriptRun, ScriptTrace, verificationOf } from '../support/script-trace.ts';

const BATCH = 500;
/** The number of interactive verifications. A single one is not enough, because its upload may be slow on a busy machine. */
const INTERACTIVE = 3;
const QPS = 5;
/** The distance between two slots of one lane of the rate. */
const LANE_MS = 1_080;
/** The most batch verifications that are admitted at once: the number of calls that fit into two seconds of the rate. */
const CAPACITY = Math.ceil(2_000 / (LANE_MS / QPS));
/**
 * If no verification has been admitted for this long, batch work may pass an interactive verification that waits for admission.
 */
const PATIENCE_MS = 5_000;
/** After this wait, an enqueued interactive verification no longer blocks batch work: its producer may have died. */
const EXPRESS_MS = 15_000;
const DETECT = 'DetectReflectLivenessAndCompare';
const dir = join(HOME, `lanes-${process.pid}`);

let provided: ProvidedRedis;
let rig: Rig;
let trace: ScriptTrace;

beforeAll(async () => {
  const binary = await findRedis({ cacheDir: join(HOME, 'cache'), log: () => undefined });
  provided = await startPrivateRedis({ binary, dir, appendonly: false });
  trace = await ScriptTrace.start(provided.url);
  rig = await createRig({
    env: { BESTFRAME_REDIS_URL: provided.url, BESTFRAME_SLOTS: '30', BESTFRAME_REUSED_LIVE_DATA: 'warn' },
    emulator: { qps: {} }, // test/long/rate.test.ts covers the limit
  });
});
afterAll(async () => {
  await rig.dispose();
  trace.stop();
  await provided.stop();
  await rm(dir, { recursive: true, force: true });
});

it('an interactive verification is admitted before waiting batch work, and gets its slot in turn', {
  timeout: 180_000,
}, async () => {
  const one = await rig.request('shared');
  const batch = Array.from({ length: BATCH }, (_, index) => ({ ...one, key: `batch-${index}` }));
  const results = await rig.client.enqueueMany(batch);
  expect(results.every(({ status }) => status === 'new')).toBe(true);
  await rig.openWorker();
  await rig.control.waitFor({ action: DETECT }, 3);

  const interactive: string[] = [];
  for (let index = 0; index < INTERACTIVE; index += 1) {
    const request = await rig.request(`person-${index}`, { card: 'match' }, { lane: 'interactive' });
    const { id } = await rig.client.enqueue(request);
    const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 120_000 });
    expect(view).toMatchObject({ state: 'completed', decision: 'match' });
    interactive.push(id);
  }
  const uploads = await rig.control.calls({ service: 'cos', action: 'PutObject' });
  const history = readHistory(await trace.read());

  // No batch verification is admitted while an interactive one waits for admission, except after PATIENCE_MS or EXPRESS_MS.
  for (const id of interactive) {
    const own = history.admissions.findIndex((admission) => admission.id === id);
    const claimed = history.claims.get(id);
    if (own < 0 || claimed === undefined) throw new Error(`no claim or no admission of ${id}`);
    const before = history.admissions.slice(claimed.admissions, own);
    const excused = before.filter(({ at, others }) => {
      const waitedMs = Math.ceil(at - claimed.at);
      return waitedMs >= EXPRESS_MS || (others === 0 && waitedMs >= PATIENCE_MS);
    });
    expect(before.filter((admission) => !excused.includes(admission))).toEqual([]);
  }

  // A verification that requests its slot after an interactive one may get an earlier slot only in another lane of the rate, and
  // only by less than one turn. The slots are compared, and not the calls: a late call moves the slots after it in its lane, and
  // how late a call is depends on the machine.
  for (const id of interactive) {
    const own = history.slots.get(id);
    if (own === undefined) throw new Error(`${id} never got a slot`);
    const later = [...history.slots].filter(([, { order }]) => order > own.order);
    expect(later.filter(([, { at }]) => own.at - at >= LANE_MS)).toEqual([]);
  }

  // No verification uploads before its admission, and the number of admitted batch verifications never exceeds the
  // capacity.
  for (const upload of uploads) {
    const admitted = history.admissions.find(({ id }) => id === idOf(upload));
    expect(upload.at).toBeGreaterThanOrEqual(Math.floor(admitted?.at ?? Number.POSITIVE_INFINITY));
  }
  const batchAdmissions = history.admissions.filter(({ id }) => !interactive.includes(id));
  expect(Math.max(...batchAdmissions.map(({ others }) => others))).toBe(CAPACITY - 1);
});

interface Admission {
  readonly id: string;
  readonly at: number;
  /** How many verifications, besides this one, were admitted and had not started their call. */
  readonly others: number;
}

interface History {
  /** Admissions in the order in which Redis made them. */
  readonly admissions: readonly Admission[];
  /** For each interactive verification: the time at which it was enqueued, and the number of admissions before that time. */
  readonly claims: ReadonlyMap<string, { readonly at: number; readonly admissions: number }>;
  /** For each verification: its first slot, and the position of the request that got it. */
  readonly slots: ReadonlyMap<string, { readonly order: number; readonly at: number }>;
}

function readHistory(runs: readonly ScriptRun[]): History {
  const admissions: Admission[] = [];
  const claims = new Map<string, { at: number; admissions: number }>();
  const slots = new Map<string, { order: number; at: number }>();
  /** Admitted verifications, with the time at which each admission expires. */
  const admitted = new Map<string, number>();
  for (const run of runs) {
    const subject = verificationOf(run);
    if (run.name === 'declare-intent' && subject !== null) {
      const open = run.writes.find(({ args: [field] }) => field === 'open')?.args[1];
      const [, reserved] =
        run.writes.find(({ key, args: [id] }) => key.endsWith(':reserved') && id === subject)?.args ?? [];
      const at = open === undefined ? Number(reserved?.split('|')[0] ?? 0) : (JSON.parse(open) as { at: number }).at;
      if (at > 0 && !slots.has(subject)) slots.set(subject, { order: slots.size, at });
    }
    for (const { command, key, args } of run.writes) {
      const id = args.at(-1) ?? '';
      if (key.endsWith(':express') && command === 'zadd') claims.set(id, { at: run.at, admissions: admissions.length });
      if (!key.endsWith(':admitted')) continue;
      if (command === 'zremrangebyscore')
        for (const [each, until] of admitted) if (until <= Number(id)) admitted.delete(each);
      if (command === 'zrem') admitted.delete(id);
      if (command !== 'zadd') continue;
      const isRenewal = args.length === 3; // only a renewal passes the ZADD option XX
      if (isRenewal && !admitted.has(id)) continue;
      if (!isRenewal && !admitted.has(id)) admissions.push({ id, at: run.at, others: admitted.size });
      admitted.set(id, Number(args.at(-2)));
    }
  }
  return { admissions, claims, slots };
}

function idOf({ objects }: CallEntry): string {
  return /\/(v[0-9a-z]{25})\//.exec(objects?.[0] ?? '')?.[1] ?? '';
}
