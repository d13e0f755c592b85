/**
 * Checks that four worker processes together never exceed the vendor's rate in any sliding second. `npm run bench -- --only rate`
 * measures how much of the rate the workers use.
 *
 * The test compares counts and times. The times come from two programs on one machine: Redis recorded the slots that it assigned,
 * and the emulator recorded the arrivals of the calls. A busy machine may pause a worker between the last check of its slot and
 * the write to the socket. Such a call arrives late, and several late calls may arrive within one second. The test recognises
 * such calls by their recorded arrival, and exempts only them.
 */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { CallEntry } from '../../src/emulator/control.ts';
import { clockErrorMs } from '../support/clock-error.ts';
import { type ScriptRun, ScriptTrace, verificationOf } from '../support/script-trace.ts';
import { createWorld, type TestWorld } from '../support/world.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const QPS = 20;
const MANY = 600;
const SECOND_MS = 1_000;
/**
 * Slots of one lane are 1,080 ms apart. If the delays of two calls of a lane differ by less than this, the calls arrive at least
 * a second apart.
 */
const HEADROOM_MS = 80;

let world: TestWorld;
let trace: ScriptTrace;

beforeAll(async () => {
  world = await createWorld({
    workers: 4,
    settings: { BESTFRAME_QPS_DETECT: String(QPS), BESTFRAME_QPS_UPLOAD_URL: String(QPS) },
    emulatorSettings: { latencyMs: { [DETECT]: 300 }, qps: { [DETECT]: QPS, CreateUploadUrl: QPS } },
  });
  trace = await ScriptTrace.start(world.redisUrl);
});
beforeEach(async () => {
  await world.control.reset();
  await trace.clear();
});
afterAll(async () => {
  trace?.stop();
  await world?.dispose();
});

it('four workers at 20 per second finish many verifications with at most 20 slots and 20 calls in any second', {
  timeout: 240_000,
}, async () => {
  await finish('detect', MANY, 'own-bucket');
  const calls = await callsOf(DETECT);
  const runs = await trace.read();
  const slots = slotsByVerification(runs);

  // In any second Redis assigns at most `QPS` slots. Each call has its own slot, and does not arrive before that slot.
  const used = calls.map((call) => ({ call, slot: slotOf(call, slots) }));
  expect(fullestSecond(used.map(({ slot }) => ({ from: slot, to: slot })))).toBeLessThanOrEqual(QPS);
  expect(new Set(used.map(({ call, slot }) => `${idOf(call)} ${slot}`)).size).toBe(calls.length);
  const errorMs = clockErrorMs(runs);
  expect(used.filter(({ call, slot }) => call.at < slot - errorMs)).toEqual([]);

  // The calls that arrived on time stay within the limit. The vendor refused a call only within a second of a late call.
  const onTime = used.filter(({ call, slot }) => call.at >= slot && earliest(call) < slot + HEADROOM_MS);
  expect(onTime.length).toBeGreaterThan(0);
  expect(fullestSecond(onTime.map(({ call }) => arrivalOf(call)))).toBeLessThanOrEqual(QPS);
  const delayed = used.filter((each) => !onTime.includes(each)).map(({ call }) => call.at);
  const refused = calls.filter(({ code }) => code === 'RequestLimitExceeded');
  const unexplained = refused.filter(({ at }) => !delayed.some((other) => Math.abs(at - other) <= SECOND_MS));
  expect(unexplained).toEqual([]);
  expect(calls).toHaveLength(MANY + refused.length);
  console.info(
    `${calls.length} calls, at most ${fullestSecond(calls.map(arrivalOf))} in a second; ${delayed.length} not on time, ${refused.length} refused`,
  );
});

it('the rate of CreateUploadUrl also holds, with two calls per verification', async () => {
  await finish('upload-url', 60, 'create-upload-url');
  const calls = await callsOf('CreateUploadUrl');
  expect(calls.length).toBeGreaterThanOrEqual(120);

  const runs = await trace.read();
  const lanes = turnsByLane(runs);
  expect(lanes.size).toBeLessThanOrEqual(QPS);
  for (const slots of lanes.values()) expect(closest(slots)).toBeGreaterThanOrEqual(SECOND_MS);

  // The log does not tell which call used which slot, so calls and slots are compared in order: call n must not arrive before
  // slot n.
  const slots = [...lanes.values()].flat().sort((a, b) => a - b);
  const errorMs = clockErrorMs(runs);
  const early = calls.filter(({ at }, index) => at < (slots[index] ?? Number.POSITIVE_INFINITY) - errorMs);
  expect(early).toEqual([]);
});

async function finish(name: string, many: number, upload: 'own-bucket' | 'create-upload-url'): Promise<void> {
  const one = await world.request(name, { card: 'match' }, { upload });
  const enqueued = await world.client.enqueueMany(
    Array.from({ length: many }, (_, index) => ({ ...one, key: `${name}-${index}` })),
  );
  for (const item of enqueued) {
    if (item.status === 'refused') throw item.error;
    const view = await world.client.wait(item.id, { until: 'ended', timeoutMs: 200_000 });
    expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 0 });
  }
}

async function callsOf(action: string): Promise<CallEntry[]> {
  return (await world.control.calls({ action })).sort((a, b) => a.at - b.at);
}

function idOf({ objects }: CallEntry): string {
  return /\/(v[0-9a-z]{25})\//.exec(objects?.[0] ?? '')?.[1] ?? '';
}

// ── slots that Redis assigned ──────────────────────────────────────────────────────────────────────────────────────

interface Settled {
  /** The time at which Redis assigned the slot. */
  readonly at: number;
  readonly slot: number;
}

/** Returns the slots that `declare-intent` gave each verification. An intent that misses its slot gets another slot. */
function slotsByVerification(runs: readonly ScriptRun[]): Map<string, Settled[]> {
  const slots = new Map<string, Settled[]>();
  for (const run of runs) {
    const id = verificationOf(run);
    const open = run.writes.find(({ command, args: [field] }) => command === 'hset' && field === 'open')?.args[1];
    if (run.name !== 'declare-intent' || id === null || open === undefined) continue;
    slots.set(id, [...(slots.get(id) ?? []), { at: run.at, slot: (JSON.parse(open) as { at: number }).at }]);
  }
  return slots;
}

/** Returns the last slot that was assigned before the call arrived. */
function slotOf(call: CallEntry, slots: ReadonlyMap<string, readonly Settled[]>): number {
  const settled = slots.get(idOf(call))?.findLast(({ at }) => at <= call.at + 1);
  if (settled === undefined) throw new Error(`no slot was settled before the call of ${idOf(call)}`);
  return settled.slot;
}

/** Returns the slots of each lane. `reserve-slots` writes the end of the slot: its start plus `laneMs`. */
function turnsByLane(runs: readonly ScriptRun[]): Map<string, number[]> {
  const lanes = new Map<string, number[]>();
  for (const { name, args, writes } of runs) {
    if (name !== 'reserve-slots') continue;
    const laneMs = Number(args[1]);
    for (const { args: fields } of writes) {
      for (const [index, field] of fields.entries()) {
        if (!field.startsWith('free:')) continue;
        lanes.set(field, [...(lanes.get(field) ?? []), Number(fields[index + 1]) - laneMs]);
      }
    }
  }
  return lanes;
}

function closest(slots: readonly number[]): number {
  const sorted = [...slots].sort((a, b) => a - b);
  return Math.min(...sorted.slice(1).map((slot, index) => slot - (sorted[index] ?? 0)));
}

// ── calls that the vendor received ─────────────────────────────────────────────────────────────────────────────────

/** Returns the earliest time at which the call can have arrived. A paused emulator notices a call late. */
function earliest({ at, waitedMs = 0 }: CallEntry): number {
  return at - waitedMs;
}

function arrivalOf(call: CallEntry): { from: number; to: number } {
  return { from: earliest(call), to: call.at };
}

/** Returns the largest number of events in any second that starts with an event. */
function fullestSecond(events: readonly { readonly from: number; readonly to: number }[]): number {
  const sorted = [...events].sort((a, b) => a.to - b.to);
  return Math.max(
    ...sorted.map(({ from }, index) => sorted.slice(index).filter(({ to }) => to < from + SECOND_MS).length),
  );
}
