/**
 * The vendor's rate, as the vendor sees it: four processes share it, never go over it in any sliding second, and use what
 * there is. The emulator refuses what is too much, by the same count.
 */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { CallEntry } from '../../src/emulator/control.ts';
import { createWorld, type TestWorld } from '../support/world.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const QPS = 20;
const MANY = 600;
/** Beginning and end are not the steady state. */
const EDGE_MS = 3_000;

let world: TestWorld;

beforeAll(async () => {
  world = await createWorld({
    workers: 4,
    settings: { BESTFRAME_QPS_DETECT: String(QPS) },
    emulatorSettings: { latencyMs: { [DETECT]: 300 }, qps: { [DETECT]: QPS, CreateUploadUrl: QPS } },
  });
});
beforeEach(() => world.control.reset());
afterAll(() => world.dispose());

/** A machine that is busy with something else uses less, and may be late by more than the headroom: what is to hold must in one. */
const ROUNDS = 3;
/** Of a gate that does not hold, dozens would be refused. */
const MOST_REFUSED = 3;

it('four workers, 20 a second, 600 verifications: no second over 20, and at least 90 % of it used', {
  timeout: ROUNDS * 120_000,
}, async () => {
  const seen = { used: 0, refused: 0, fullest: 0 };
  for (let round = 1; round <= ROUNDS; round += 1) {
    await world.control.reset();
    await finish(`detect-${round}`, MANY, 'own-bucket');
    const calls = await callsOf(DETECT);
    seen.refused = calls.filter(({ code }) => code === 'RequestLimitExceeded').length;
    expect(seen.refused).toBeLessThanOrEqual(MOST_REFUSED);
    expect(calls).toHaveLength(MANY + seen.refused);
    seen.used = use(calls);
    seen.fullest = fullestSecond(calls);
    console.info(
      `${Math.round(seen.used * 1_000) / 10} % of the rate used, ${shortestSpanMs(calls)} ms for ${QPS + 1} calls, ${seen.refused} refused`,
    );
    if (seen.refused === 0 && seen.used >= 0.9) break;
  }
  expect(seen).toMatchObject({ refused: 0 });
  expect(seen.fullest).toBeLessThanOrEqual(QPS);
  expect(seen.used).toBeGreaterThanOrEqual(0.9);
});

it('the rate of CreateUploadUrl holds too, with two calls for each verification', async () => {
  await finish('upload-url', 60, 'create-upload-url');
  const calls = await callsOf('CreateUploadUrl');
  const refused = calls.filter(({ code }) => code === 'RequestLimitExceeded').length;
  expect(refused).toBeLessThanOrEqual(MOST_REFUSED);
  expect(calls).toHaveLength(120 + refused);
  if (refused === 0) expect(fullestSecond(calls)).toBeLessThanOrEqual(QPS);
});

async function finish(name: string, many: number, upload: 'own-bucket' | 'create-upload-url'): Promise<void> {
  const one = await world.request(name, { card: 'match' }, { upload });
  const enqueued = await world.client.enqueueMany(
    Array.from({ length: many }, (_, index) => ({ ...one, key: `${name}-${index}` })),
  );
  for (const item of enqueued) {
    if (item.status === 'refused') throw item.error;
    const view = await world.client.wait(item.id, { until: 'ended', timeoutMs: 120_000 });
    expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 0 });
  }
}

async function callsOf(action: string): Promise<CallEntry[]> {
  return (await world.control.calls({ action })).sort((a, b) => a.at - b.at);
}

/** When a call came in, at the earliest: while the emulator's process was stopped, nobody looked. */
function earliest({ at, waitedMs = 0 }: CallEntry): number {
  return at - waitedMs;
}

/** Most calls in a second that begins with one of them. */
function fullestSecond(calls: readonly CallEntry[]): number {
  return Math.max(
    ...calls.map((first, index) => calls.slice(index).filter(({ at }) => at < earliest(first) + 1_000).length),
  );
}

/** The least time that one call more than the limit has taken. */
function shortestSpanMs(calls: readonly CallEntry[]): number {
  return Math.min(...calls.slice(QPS).map(({ at }, index) => at - earliest(calls[index] ?? ({ at } as CallEntry))));
}

function use(calls: readonly CallEntry[]): number {
  const from = (calls[0]?.at ?? 0) + EDGE_MS;
  const until = (calls.at(-1)?.at ?? 0) - EDGE_MS;
  const steady = calls.filter(({ at }) => at >= from && at < until).length;
  return steady / ((QPS * (until - from)) / 1_000);
}
