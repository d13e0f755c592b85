/** One scaled day: the load of an ordinary day, and everything that goes wrong in a bad week. */
import { mkdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../../../src/domain/errors/failure.ts';
import type { Fault } from '../fault.ts';
import type { ChaosWorld, RequestChoices } from '../world.ts';
import { startStall } from './neighbours.ts';
import { killAndRestart } from './redis.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const VERIFICATIONS = 2_000;
/** Requests arrive at an even rate during this time. An hour of the day takes ten seconds. */
const DAY_MS = 240_000;
const HOUR_MS = DAY_MS / 24;
const STALLED = 20;
/** Each of the two careless callers makes one mistake in this many requests. */
const MISTAKES = 40;
/** The mistakes of the two callers. Only verifications with these mistakes may fail. */
const CARELESS: readonly RequestChoices[] = [
  { caller: 'sends Base64', base64: true, host: 'base64.example.com' },
  { caller: 'names a missing object', missing: true },
];

export const day: Fault = {
  name: 'day',
  summary:
    '2,000 verifications with a FaceID outage, a COS outage, a Redis restart, three bad callers and one bad worker',
  long: true,
  world: () => ({
    settings: { BESTFRAME_LEASE_MS: '4000', BESTFRAME_CALL_SECONDS: 'interactive=5,batch=5', BESTFRAME_SLOTS: '16' },
    settleMs: 600_000,
  }),
  async run(world, random) {
    world.saturated = true;
    const mount = join(world.dir, 'mount');
    await mkdir(mount);
    const roots = [...world.config.fileRoots, mount].join(',');
    await Promise.all([
      world.fleet.start(),
      world.fleet.start(),
      world.fleet.start([], { env: { BESTFRAME_FILE_ROOTS: roots } }),
    ]);
    const requests = produceAllDay(world, () => CARELESS[random.int(0, MISTAKES - 1)] ?? { caller: 'careful' });

    const startedAt = performance.now();
    /** The times are the plan of the day, as docs/reliability.md prints it. Nothing waits for an effect here. */
    const at = (hour: number) => sleep(Math.max(0, startedAt + hour * HOUR_MS - performance.now()));
    await at(2);
    const answer = await startStall(world, STALLED);
    await at(5);
    await answer();
    await at(6);
    await world.control.fault({ kind: 'error', action: DETECT, code: 'InternalError', times: null });
    await at(8);
    await world.control.clearFaults();
    await at(11);
    await killAndRestart(world, 2_000);
    await at(14);
    await world.control.fault({
      kind: 'error',
      service: 'cos',
      action: 'PutObject',
      code: 'ServiceUnavailable',
      times: null,
    });
    await at(16);
    await world.control.clearFaults();
    await at(18);
    await rmdir(mount);
    await at(21);
    await mkdir(mount);
    const refusedAtFirst = await requests;
    await world.untilSettled();
    await rm(mount, { recursive: true });
    await judgeDay(world, refusedAtFirst);
  },
};

/** @returns how many requests were refused at first, because a service was down and their deadline was near. */
async function produceAllDay(world: ChaosWorld, choose: () => RequestChoices): Promise<number> {
  let refused = 0;
  const enqueue = async (choices: RequestChoices) => {
    const made = await world.request(choices);
    for (;;) {
      try {
        return await world.enqueue(made);
      } catch (error) {
        if (!(error instanceof Failure) || error.code !== 'DEPENDENCY_DOWN') throw error;
        refused += 1;
        await sleep(error.retryAfterMs ?? 1_000);
      }
    }
  };
  const startedAt = performance.now();
  const all: Promise<unknown>[] = [];
  for (let n = 0; n < VERIFICATIONS; n += 1) {
    await sleep(Math.max(0, startedAt + (n * DAY_MS) / VERIFICATIONS - performance.now()));
    all.push(enqueue(choose()));
  }
  await Promise.all(all);
  return refused;
}

async function judgeDay(world: ChaosWorld, refusedAtFirst: number): Promise<void> {
  const careless = new Set(CARELESS.map(({ caller }) => caller));
  const callers = new Map(world.accepted.map(({ id, caller = 'careful' }) => [id, caller]));
  const counts: Record<string, number> = { accepted: callers.size, refusedAtFirst };
  const count = (name: string, by = 1) => {
    counts[name] = (counts[name] ?? 0) + by;
  };
  for (const [id, caller] of callers) {
    const view = await world.client.get(id);
    const state = view?.state ?? 'lost';
    count(state === 'failed' ? `failed ${view?.reason?.code}` : state);
    count('paid', view?.paidCalls ?? 0);
    count('possiblyPaid', view?.possiblyPaidCalls ?? 0);
    count('unknownOutcomes', view?.history.filter(({ event }) => event === 'unknown').length ?? 0);
    if (state === 'failed' && !careless.has(caller))
      world.findings.push({ invariant: 'I15', message: `${id} of ${caller} failed with ${view?.reason?.code}` });
    if (state === 'completed' && careless.has(caller))
      world.findings.push({ invariant: 'I8', message: `${id} of ${caller} passed` });
  }
  counts.billedByVendor = (await world.control.calls({ action: DETECT, billed: true })).length;
  counts.gateClosed = (await world.client.metrics()).counters.gateClosed;
  Object.assign(world.counts, counts);
}
