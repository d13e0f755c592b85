/**
 * The rate over all processes, by the scripts themselves: slots as several connections take them at once, reach them late, or
 * never. Redis's time is the clock, and what is judged is the slots, not the time on this machine.
 */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import type { HistoryEntry } from '../../src/domain/history.ts';
import { createNames, type Names } from '../../src/queue/names.ts';
import { run } from '../../src/queue/scripts.ts';
import { Gate } from '../../src/runtime/gate.ts';
import { Journal, type Rate, type Slot } from '../../src/runtime/journal.ts';
import { sleep } from '../../src/runtime/sleep.ts';

const REGION = 'ap-singapore';
const DETECT = 'DetectReflectLivenessAndCompare';
const PACKAGE = { digest: 'package', ttlMs: 60_000, refuse: false };
const CONNECTIONS = 4;
/** A call that leaves later than this in its slot is not made: as in runtime/gate.ts. */
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

/** A gate that nobody else uses. */
class Gated {
  readonly limit: number;
  readonly rate: Rate;
  readonly #names: Names;
  /** Redis's time until which nobody may call, for whoever asks from now on. */
  restUntil = 0;
  /** When calls left, by Redis's time. */
  readonly left: number[] = [];

  constructor(limit: number) {
    runs += 1;
    this.limit = limit;
    this.#names = createNames(`${prefix}:${runs}`);
    const gate = new Gate(redisOf(0), this.#names, { [DETECT]: { [REGION]: limit } });
    this.rate = { ...gate.rate(REGION, DETECT), soonMs: 2, aheadMs: 10 };
  }

  get #gate() {
    return this.#names.gate(REGION, DETECT);
  }

  /** A verification in the hands of a worker. */
  async journal(number: number): Promise<Journal> {
    const redis = redisOf(number);
    const id = `v${number}`;
    const job = this.#names.job(REGION, id);
    const [token, ats] = ['worker:1', 1];
    const deadline = Date.now() + 3_600_000;
    await redis
      .multi()
      .set(job.lock, token)
      .hset(job.job, 'ats', ats)
      .hset(this.#names.journal(id), { state: 'active', gen: 0, deadline, 's:md5': '{}' })
      .exec();
    return new Journal(redis, this.#names, id, { token, ats }, job, this.#gate, 60_000);
  }

  async intent(journal: Journal, iid: string, slot: Slot | null) {
    const call = { iid, generation: 0, preflight: { checkedAt: 1 }, preflightEntry: null, callMs: 60_000 };
    const intent = await journal.intent({ ...call, rate: this.rate, slot, maxPayments: 2, package: PACKAGE });
    if (intent.kind !== 'slot' && intent.kind !== 'go') throw new Error(`neither slot nor call: ${intent.kind}`);
    return intent;
  }

  /** The call was not billed; the vendor may have throttled it. */
  async close(journal: Journal, iid: string, penaltyMs: number): Promise<void> {
    const [generation, frame, sent, billed] = [0, 'none', penaltyMs > 0, false] as const;
    const report = { iid, generation, decided: null, reason: null, frame, sent, billed, entry, penaltyMs };
    await this.#resting(penaltyMs, () => journal.outcome({ ...report, package: PACKAGE }));
  }

  slow(connection: number, restMs: number): Promise<void> {
    return this.#resting(restMs, () => run(redisOf(connection), 'slow', [this.#gate.gate], [restMs]));
  }

  async reserve(connection: number): Promise<number> {
    const { lanes, laneMs, soonMs } = this.rate;
    const reply = await run(redisOf(connection), 'reserve', [this.#gate.gate], [lanes, laneMs, soonMs, 1]);
    return (reply as [number, number])[1];
  }

  async #resting(restMs: number, slowDown: () => Promise<unknown>): Promise<void> {
    const [seconds = 0, micros = 0] = await redisOf(0).time();
    await slowDown();
    if (restMs > 0) this.restUntil = Math.max(this.restUntil, seconds * 1_000 + Math.floor(micros / 1_000) + restMs);
  }

  /** No sliding second holds more calls than the limit. */
  check(): void {
    const left = this.left.sort((a, b) => a - b);
    for (let i = this.limit; i < left.length; i += 1)
      expect((left[i] ?? 0) - (left[i - this.limit] ?? 0)).toBeGreaterThanOrEqual(1_000);
  }
}

const late = fc.oneof({ arbitrary: fc.nat(LATE_MS), weight: 4 }, { arbitrary: fc.nat(3 * LATE_MS), weight: 1 });

// ── without an intent ──────────────────────────────────────────────────────────────────────────────────────────────

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
    if (each.lateMs <= LATE_MS) gated.left.push(slot + each.lateMs); // else it is lost
  }
}

it('of slots that several connections take at once, no sliding second holds more than the limit', async () => {
  let taken = 0;
  const takings = fc.array(taking, { minLength: 20, maxLength: 80 });
  const all = fc.array(takings, { minLength: CONNECTIONS, maxLength: CONNECTIONS });
  const property = fc.asyncProperty(fc.integer({ min: 1, max: 200 }), all, async (limit, byConnection) => {
    const gated = new Gated(limit);
    await Promise.all(byConnection.map((each, number) => take(gated, number, each)));
    gated.check();
    taken += gated.left.length;
  });
  await fc.assert(property, { numRuns: 130 });
  expect(taken).toBeGreaterThan(10_000);
});

// ── with one ───────────────────────────────────────────────────────────────────────────────────────────────────────

const seldom = fc.nat(9).map((n) => n === 9);
const arrival = fc.record({
  thinksMs: fc.nat(10),
  /** How late the slot is reached. */
  lateMs: late,
  /** Forgets the slot that it was named, and comes for another. */
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
    await sleep(intent.at - intent.now + lateMs, NEVER); // missed: asks again, with the intent open
    lateMs %= LATE_MS;
  }
  await gated.close(journal, iid, throttled ? REST_MS : 0);
}

it.concurrent.each([10, 25, 50, 100, 200, 400])(
  'lets no more than the limit call in a sliding second, late or not: %i a second',
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
