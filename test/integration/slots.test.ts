/**
 * Tests the rate across all processes, with the scripts themselves. Several connections request slots at once, use them late, or
 * never use them. The tests compare only slot times from the clock of Redis, so a busy machine does not affect the results.
 */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import type { HistoryEntry } from '../../src/domain/verification/history.ts';
import { Gate } from '../../src/pipeline/gate.ts';
import { Journal } from '../../src/pipeline/journal.ts';
import { sleep } from '../../src/pipeline/sleep.ts';
import { createDeployment, type Deployment } from '../../src/redis/deployment.ts';
import { type Rate, reserveSlots, type Slot } from '../../src/redis/scripts/reserve-slots.ts';
import { slowRate } from '../../src/redis/scripts/slow-rate.ts';
import { CHARGE } from '../support/attempts.ts';
import { inForm } from '../support/forms.ts';

const REGION = 'ap-singapore';
const DETECT = 'DetectReflectLivenessAndCompare';
const SHARED = { package: { digest: 'package', ttlMs: 60_000, refuseReuse: false, photoRetries: 3 }, charge: CHARGE };
const CALL = { region: REGION, call: DETECT } as const;
const CONNECTIONS = 4;
/** A call is not made if it would start later than this after the start of its slot (`MAX_LATE_MS` in pipeline/gate.ts). */
const LATE_MS = 20;
const REST_MS = 60;
const NEVER = new AbortController().signal;
const entry: HistoryEntry = { at: 1, event: 'unsent', stage: 'detect' };

const prefix = `{slots-${process.pid}-${randomBytes(4).toString('hex')}}`;
let connections: Redis[];
let runs = 0;

beforeAll(() => {
  connections = Array.from({ length: CONNECTIONS }, () => new Redis(inject('redisUrl')));
});
afterAll(async () => {
  const [redis] = connections;
  const keys = (await redis?.keys(`${prefix}*`)) ?? [];
  if (keys.length > 0) await redis?.del(...keys);
  for (const connection of connections) connection.disconnect();
});

function redisOf(number: number): Redis {
  const redis = connections[number % CONNECTIONS];
  if (redis === undefined) throw new Error('no connection');
  return redis;
}

/** A gate with its own prefix, so that each random sequence starts with an unused rate. */
class Gated {
  readonly limit: number;
  readonly rate: Rate;
  readonly #prefix: string;
  /** No new slot may start before this time, by the clock of Redis. */
  restUntil = 0;
  /** Times at which calls were made, by the clock of Redis. */
  readonly left: number[] = [];

  constructor(limit: number) {
    runs += 1;
    this.limit = limit;
    this.#prefix = `${prefix}:${runs}`;
    const gate = new Gate(this.#deployment(0), { [DETECT]: { [REGION]: limit } });
    this.rate = { ...gate.rate(REGION, DETECT), soonMs: 2, aheadMs: 10 };
  }

  /** A deployment that uses one of the connections. */
  #deployment(number: number): Deployment {
    return createDeployment(redisOf(number), this.#prefix);
  }

  /** Creates a verification that a worker has locked. */
  async journal(number: number): Promise<Journal> {
    const deployment = this.#deployment(number);
    const { redis, names } = deployment;
    const id = `v${number}`;
    const job = names.job(REGION, id);
    const [token, ats] = ['worker:1', 1];
    const deadline = Date.now() + 3_600_000;
    await redis
      .multi()
      .set(job.lock, token)
      .hset(job.job, 'ats', ats)
      .hset(names.journal(id), { state: 'active', gen: 0, deadline, 's:md5': '{}' })
      .exec();
    return new Journal(deployment, { id, region: REGION, action: DETECT, token, ats }, 60_000);
  }

  async intent(journal: Journal, iid: string, slot: Slot | null) {
    const call = { intentId: iid, generation: 0, preflight: { checkedAt: 1 }, preflightEntry: null, callMs: 60_000 };
    const intent = await journal.declareIntent({ ...call, rate: this.rate, slot, maxPayments: 2, ...SHARED });
    if (intent.kind !== 'slot' && intent.kind !== 'go') throw new Error(`neither slot nor call: ${intent.kind}`);
    return intent;
  }

  /** Records an unbilled outcome. A `restMs` above 0 means that the vendor throttled the call. */
  async close(journal: Journal, iid: string, restMs: number): Promise<void> {
    const [generation, frame, sent, billed] = [0, 'none', restMs > 0, 'no'] as const;
    const report = { intentId: iid, generation, decided: null, reason: null, frame, sent, billed, entry, restMs };
    await this.#resting(restMs, () => journal.recordOutcome({ ...report, ...SHARED }));
  }

  slow(connection: number, restMs: number): Promise<void> {
    return this.#resting(restMs, () => slowRate(this.#deployment(connection), CALL, restMs));
  }

  async reserve(connection: number): Promise<number> {
    const { slots } = await reserveSlots(this.#deployment(connection), CALL, this.rate, 1);
    return slots[0] ?? 0;
  }

  /** Makes one lane free only at a time, as late calls of the lane do. */
  async delayLane(lane: number, until: number): Promise<void> {
    const { redis, names } = this.#deployment(0);
    await redis.hset(names.gate(REGION, DETECT).gate, `free:${lane}`, until);
  }

  async #resting(restMs: number, slowDown: () => Promise<unknown>): Promise<void> {
    const [seconds = 0, micros = 0] = await redisOf(0).time();
    await slowDown();
    if (restMs > 0) this.restUntil = Math.max(this.restUntil, seconds * 1_000 + Math.floor(micros / 1_000) + restMs);
  }

  /** Expects that no sliding second contains more calls than the limit. */
  check(): void {
    const left = this.left.sort((a, b) => a - b);
    for (let i = this.limit; i < left.length; i += 1)
      expect((left[i] ?? 0) - (left[i - this.limit] ?? 0)).toBeGreaterThanOrEqual(1_000);
  }
}

const late = fc.oneof({ arbitrary: fc.nat(LATE_MS), weight: 4 }, { arbitrary: fc.nat(3 * LATE_MS), weight: 1 });

it('leaves out a lane that has fallen behind by a whole turn, so that no caller waits much longer than those after it', async () => {
  const gated = new Gated(5);
  const first = await gated.reserve(0);
  await gated.delayLane(3, first + 10 * gated.rate.laneMs);
  const slots: number[] = [];
  for (let n = 0; n < 12; n += 1) slots.push(await gated.reserve(n));
  const latest = slots.map((slot, n) => slot - Math.min(...slots.slice(n)));
  expect(Math.max(...latest)).toBeLessThan(gated.rate.laneMs);
  expect(Math.max(...slots)).toBeLessThan(first + 4 * gated.rate.laneMs);
});

it('takes the lane that is free first if all lanes have fallen behind, so that slots are still taken in turn', async () => {
  const gated = new Gated(5);
  const first = await gated.reserve(0);
  for (const [lane, turns] of [5, 2, 9, 3, 7].entries()) await gated.delayLane(lane, first + turns * gated.rate.laneMs);
  const slots: number[] = [];
  for (let n = 0; n < 20; n += 1) slots.push(await gated.reserve(n));
  const latest = slots.map((slot, n) => slot - Math.min(...slots.slice(n)));
  expect(Math.max(...latest)).toBeLessThan(gated.rate.laneMs);
});

// ── slots without an intent ────────────────────────────────────────────────────────────────────────────────────────

const taking = fc.oneof(
  { arbitrary: fc.record({ lateMs: late }), weight: 9 },
  { arbitrary: fc.record({ restMs: fc.integer({ min: 1, max: 2_000 }) }), weight: 1 },
);

async function take(
  gated: Gated,
  number: number,
  takings: readonly (typeof taking extends fc.Arbitrary<infer T> ? T : never)[],
) {
  for (const each of takings) {
    if ('restMs' in each) {
      await gated.slow(number, each.restMs);
      continue;
    }
    const { restUntil } = gated;
    const slot = await gated.reserve(number);
    expect(slot).toBeGreaterThanOrEqual(restUntil);
    if (each.lateMs <= LATE_MS) gated.left.push(slot + each.lateMs); // a later call would miss its slot
  }
}

it('no sliding second contains more slots than the limit if several connections request slots at once', async () => {
  let taken = 0;
  const takings = fc.array(taking, { minLength: 20, maxLength: 80 });
  const all = fc.array(takings, { minLength: CONNECTIONS, maxLength: CONNECTIONS });
  const property = fc.asyncProperty(fc.integer({ min: 1, max: 200 }), all, async (limit, byConnection) => {
    const gated = new Gated(limit);
    await Promise.all(byConnection.map((each, number) => take(gated, number, each)));
    gated.check();
    taken += gated.left.length;
  });
  await fc.assert(property, { numRuns: inForm({ short: 40, long: 260 }) });
  expect(taken).toBeGreaterThan(inForm({ short: 2_500, long: 20_000 }));
});

// ── slots with an intent ───────────────────────────────────────────────────────────────────────────────────────────

const seldom = fc.nat(9).map((n) => n === 9);
const arrival = fc.record({
  thinksMs: fc.nat(10),
  /** How long after the start of its slot the caller makes the call. */
  lateMs: late,
  /** Whether the caller discards its slot and requests another one. */
  forgets: seldom,
  throttled: seldom,
});
type Arrival = typeof arrival extends fc.Arbitrary<infer T> ? T : never;

async function call(gated: Gated, journal: Journal, iid: string, arrived: Arrival): Promise<void> {
  const { thinksMs, throttled } = arrived;
  let { lateMs, forgets } = arrived;
  await sleep(thinksMs, NEVER);
  let slot: Slot | null = null;
  for (;;) {
    const { restUntil } = gated;
    const intent = await gated.intent(journal, iid, slot);
    if (intent.kind === 'slot') {
      if (slot === null) expect(intent.slot.at).toBeGreaterThanOrEqual(restUntil);
      slot = forgets ? null : intent.slot;
      forgets = false;
      await sleep(intent.slot.at - intent.now - gated.rate.aheadMs + 1, NEVER);
      continue;
    }
    if (lateMs <= LATE_MS) {
      gated.left.push(intent.at + lateMs);
      break;
    }
    // The caller misses its slot, and requests another one while its intent is open.
    await sleep(intent.at - intent.now + lateMs, NEVER);
    lateMs %= LATE_MS;
  }
  await gated.close(journal, iid, throttled ? REST_MS : 0);
}

it.concurrent.each([10, 25, 50, 100, 200, 400])(
  'no sliding second contains more calls than the limit, even if callers are late: %i a second',
  async (limit) => {
    const callers = Math.max(4, Math.ceil(limit / 8));
    const arrivals = fc.array(arrival, { minLength: 12, maxLength: 12 });
    const all = fc.array(arrivals, { minLength: callers, maxLength: callers });
    const property = fc.asyncProperty(all, async (byCaller) => {
      const gated = new Gated(limit);
      await Promise.all(
        byCaller.map(async (each, number) => {
          const journal = await gated.journal(number);
          for (const [index, one] of each.entries()) await call(gated, journal, `i${index}`, one);
        }),
      );
      expect(gated.left.length).toBe(callers * 12);
      gated.check();
    });
    await fc.assert(property, { numRuns: 2, endOnFailure: true });
  },
);
