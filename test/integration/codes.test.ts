/**
 * Tests the real pipeline with every documented code of FaceID, on each channel on which the code occurs. The tests check the
 * final state, the decision, the cost and the number of calls. The expected results depend only on the class of the code.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  classify,
  documentedBilling,
  ERROR_TABLE,
  type ErrorClass,
  failureCode,
} from '../../src/domain/errors/index.ts';
import { DEFAULT_POLICY } from '../../src/domain/verification/policy.ts';
import { nextStep, type State } from '../../src/domain/verification/states.ts';
import type { VerificationView } from '../../src/domain/verification/view.ts';
import type { CallEntry, Fault } from '../../src/emulator/control.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { DOCUMENTED } from '../unit/domain/documented-codes.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
/** Under the deadline of the verifications. */
const WAIT_MS = 240_000;
/** All cases poll at the same time. */
const POLL_MS = 1_000;
const AT_REST: readonly State[] = ['completed', 'failed', 'cancelled', 'held'];
type Channel = 'error' | 'result';

/** The final state if the vendor answers every call with the code. `times` is the number of calls until that state. */
const EXHAUSTED: Readonly<Partial<Record<ErrorClass, { state: State; times: number }>>> = {
  transient: { state: 'failed', times: DEFAULT_POLICY.attempts.detect },
  unknown: { state: 'held', times: DEFAULT_POLICY.unknownAttempts },
  reupload: { state: 'held', times: DEFAULT_POLICY.rewinds + 1 },
};

interface Case {
  readonly title: string;
  readonly key: string;
  readonly code: string;
  readonly message?: string;
  readonly channel: Channel;
  readonly class: ErrorClass;
  readonly classified: ReturnType<typeof classify>;
  /**
   * The expected code of `reason`: the vendor’s code, or Bestframe’s own code for a fault that only the vendor’s message names.
   */
  readonly name: string;
}

function casesOf(code: string, message?: string): Case[] {
  const words = message === undefined ? {} : { message };
  const { entry } = classify({ service: 'faceid', channel: 'error', code, ...words });
  const channels: Channel[] = entry?.channel === 'both' && message === undefined ? ['error', 'result'] : ['error'];
  return channels.map((channel) => {
    const facts = { service: 'faceid', channel, code, ...words } as const;
    const classified = classify(facts);
    const name = failureCode(facts);
    const title = `${name === code ? code : `${name} (${code})`} on the ${channel} channel`;
    const key = `${name}-${channel}`.replaceAll(/[^A-Za-z0-9.-]/g, '-');
    return { title, key, code, ...words, channel, class: classified.class, classified, name };
  });
}

/**
 * The documented codes, further codes of the error table, and one unknown code. `ALL` adds two faults that can be recognised only
 * by the message.
 */
const CODES = new Set([
  ...DOCUMENTED.map(([code]) => code),
  ...ERROR_TABLE.filter(({ service, match }) => service === 'faceid' && /^[A-Za-z.]+$/.test(match)).map(
    ({ match }) => match,
  ),
  'FailedOperation.NeverHeardOf',
]);
const ALL: readonly Case[] = [
  ...[...CODES].flatMap((code) => casesOf(code)),
  ...casesOf('InvalidParameterValue', 'MD5 Error'),
  ...casesOf('InvalidParameterValue', 'invalid resourceUrl'),
];
const rows = (...classes: ErrorClass[]) =>
  ALL.filter((each) => classes.includes(each.class)).map((each) => [each.title, each] as const);

interface Outcome {
  readonly view: VerificationView;
  readonly journal: Record<string, string>;
  readonly calls: readonly CallEntry[];
}

function faultOf({ channel, code, message }: Case, object: string, times: number | null): Fault {
  const common = { action: DETECT, object, code, times };
  if (channel === 'result') return { kind: 'result', ...common };
  return { kind: 'error', ...common, ...(message === undefined ? {} : { message }) };
}

/** Runs all cases at once. Each has its own fault on its own objects, but all share the same two files. */
async function runAll(
  rig: Rig,
  name: string,
  cases: readonly Case[],
  times: number | null,
): Promise<Map<string, Outcome>> {
  const deadline = new Date(Date.now() + 300_000).toISOString();
  const one = await rig.request(name);
  const requests = cases.map(({ key }) => ({ ...one, key: `${name}-${key}`, lane: 'interactive' as const, deadline }));
  const ids = requests.map(({ key }) => rig.client.idOf(key));
  await Promise.all(cases.map((each, index) => rig.control.fault(faultOf(each, ids[index] ?? '', times))));
  const enqueued = await rig.client.enqueueMany(requests);
  expect(enqueued.map(({ status }) => status)).toEqual(cases.map(() => 'new'));
  const outcomes = await Promise.all(
    cases.map(async ({ key }, index) => [key, await outcomeOf(rig, ids[index] ?? '')] as const),
  );
  return new Map(outcomes);
}

async function outcomeOf(rig: Rig, id: string): Promise<Outcome> {
  // For this test, a held verification is finished. `wait` would not return for a held verification, so this function polls.
  const givenUpAt = performance.now() + WAIT_MS;
  let view = await rig.client.get(id);
  while (view !== null && !AT_REST.includes(view.state) && performance.now() < givenUpAt) {
    await sleep(POLL_MS);
    view = await rig.client.get(id);
  }
  if (view === null) throw new Error('the record is missing');
  const journal = await rig.redis.hgetall(rig.names.journal(id));
  return { view, journal, calls: await rig.control.calls({ action: DETECT, object: id }) };
}

/**
 * On a busy machine, the emulator may accept a connection too late. Returns how many attempts of a stage could not open a
 * connection for this reason.
 */
function unconnected({ view }: Pick<Outcome, 'view'>, stage: string): number {
  const isMissed = (entry: { event: string; stage?: string; code?: string }) =>
    entry.event === 'retry' && entry.stage === stage && entry.code === 'PROXY_REFUSED';
  return view.history.filter(isMissed).length;
}

/** @returns the counted attempts (fields `a:<stage>` of the journal), without those that could not open a connection. */
function counted(outcome: Pick<Outcome, 'view' | 'journal'>): Record<string, number> {
  const attempts = Object.entries(outcome.journal)
    .filter(([field]) => field.startsWith('a:'))
    .map(([field, count]) => [field, Number(count) - unconnected(outcome, field.slice(2))] as const);
  return Object.fromEntries(attempts.filter(([, count]) => count !== 0));
}

function findOutcome(outcomes: Map<string, Outcome>, { key }: Case): Outcome {
  const outcome = outcomes.get(key);
  if (outcome === undefined) throw new Error(`no outcome of ${key}`);
  return outcome;
}

const QUICK = {
  env: {
    ...{ BESTFRAME_REUSED_LIVE_DATA: 'warn', BESTFRAME_QPS_DETECT: '1000', BESTFRAME_SLOTS: '20' },
    // The test makes most verifications fail. The breaker must not treat these failures as an outage.
    ...{ BESTFRAME_BREAKER: 'share=1000', BESTFRAME_BREAKER_MS: 'window=600000' },
  },
  // The emulator simulates the worst case: it bills every answer that Tencent does not document as unbilled.
  emulator: { qps: {}, billUndocumented: true },
};

/**
 * Expects that the payments of a verification equal the emulator's bill, and that only real calls count as attempts.
 */
function expectLedger({ view, calls }: Outcome): void {
  const billed = calls.filter((call) => call.billed === true);
  expect(view.paidCalls + view.possiblyPaidCalls).toBe(billed.length);
  expect(view.paidCalls).toBe(billed.filter(({ code }) => documentedBilling(code ?? '', 'pure-api') === 'yes').length);
  expect(billed.length).toBeLessThanOrEqual(DEFAULT_POLICY.maxPayments);
  expect(view.history.filter((entry) => entry.billed === true)).toHaveLength(view.paidCalls);
  expect(view.history.filter((entry) => entry.possiblyBilled === true)).toHaveLength(view.possiblyPaidCalls);
  // Attempts that made no call, because on a busy machine they missed their slot or got no connection.
  const unsent = view.history.filter(({ event, stage }) => stage === 'detect' && /^(?:unsent|retry)$/.test(event));
  expect(view.stages.find(({ name }) => name === 'detect')?.attempts).toBe(calls.length + unsent.length);
  expect(view.stages.find(({ name }) => name === 'download')?.attempts).toBe(view.frame === 'stored' ? 1 : 0);
}

/**
 * If the vendor answers every call with the code, calls are made until the attempts or the allowed payments are used up.
 * @returns the number of these calls
 */
function timesOf(each: Case): number {
  const { times = 0 } = EXHAUSTED[each.class] ?? {};
  return each.classified.billed === 'no' ? times : Math.min(times, DEFAULT_POLICY.maxPayments);
}

it('covers all 72 documented codes', () => {
  const codes = new Set(ALL.map(({ code }) => code));
  expect(DOCUMENTED.filter(([code]) => !codes.has(code))).toEqual([]);
  expect(new Set(DOCUMENTED.map(([code]) => code)).size).toBe(72);
});

describe('a code about one verification', () => {
  const tested = rows('rejected', 'caller', 'transient', 'unknown', 'reupload');
  let rig: Rig;
  let once: Map<string, Outcome>;
  let always: Map<string, Outcome>;

  beforeAll(async () => {
    rig = await createRig(QUICK);
    await rig.openWorker();
    const { id } = await rig.client.enqueue(await rig.request('passes'));
    await rig.client.wait(id, { until: 'ended' });
    const cases = tested.map(([, each]) => each);
    // Both runs are concurrent, because retries spend most of their time waiting.
    [once, always] = await Promise.all([
      runAll(rig, 'once', cases, 1),
      runAll(
        rig,
        'always',
        cases.filter(({ class: kind }) => kind !== 'rejected'),
        null,
      ),
    ]);
  }, WAIT_MS);
  afterAll(() => rig?.dispose());

  it.each(rows('rejected'))('%s is a decision: completes after one call, without a retry', (_title, each) => {
    const { view, journal, calls } = findOutcome(once, each);
    const { decision, billed } = each.classified;
    expect(view).toMatchObject({
      state: 'completed',
      decision,
      next: nextStep('completed', decision),
      reason: { code: each.code, class: 'rejected', stage: 'detect', requestId: calls[0]?.requestId },
      frame: 'none',
      paidCalls: billed === 'yes' ? 1 : 0,
      possiblyPaidCalls: billed === 'unknown' ? 1 : 0,
    });
    expect(view.next).not.toBe('accept');
    expect(calls.map(({ code }) => code)).toEqual([each.code]);
    expectLedger(findOutcome(once, each));
    expect(counted({ view, journal })).toEqual({});
  });

  it.each(rows('caller'))('%s can never succeed: fails after one call, unpaid', (_title, each) => {
    for (const { view, journal, calls } of [findOutcome(once, each), findOutcome(always, each)]) {
      expect(view).toMatchObject({
        state: 'failed',
        decision: null,
        next: 'investigate',
        reason: { code: each.name, class: 'caller', stage: 'detect' },
        paidCalls: 0,
        possiblyPaidCalls: 0,
      });
      expect(calls).toHaveLength(1);
      expect(counted({ view, journal })).toEqual({});
      expectLedger({ view, journal, calls });
    }
  });

  it.each(rows('transient', 'unknown'))('%s once: retries, counts the attempt, and pays once', (_title, each) => {
    const { view, journal, calls } = findOutcome(once, each);
    expect(view).toMatchObject({ state: 'completed', decision: 'match', next: 'accept', reason: null, paidCalls: 1 });
    expect(calls.map(({ code }) => code)).toEqual([each.code, 'Success']);
    expect(counted({ view, journal })).toEqual({ 'a:detect': 1 });
    expectLedger({ view, journal, calls });
  });

  it.each(rows('reupload'))('%s once: uploads again under a new key, and pays once', (_title, each) => {
    const { view, journal, calls } = findOutcome(once, each);
    expect(view).toMatchObject({ state: 'completed', decision: 'match', next: 'accept', reason: null, paidCalls: 1 });
    expect(calls.map(({ code }) => code)).toEqual([each.code, 'Success']);
    expect(calls[0]?.objects?.some((object) => calls[1]?.objects?.includes(object))).toBe(false);
    expect(journal.gen).toBe('1');
    expect(counted({ view, journal })).toEqual({});
    const uploads = view.stages.find(({ name }) => name === 'upload')?.attempts;
    expect(uploads).toBe(2 + unconnected({ view }, 'upload'));
    expectLedger({ view, journal, calls });
  });

  describe('exhausted', () => {
    it.each(rows('transient', 'unknown', 'reupload'))('%s in every answer: stops within its limits', (_title, each) => {
      const { view, journal, calls } = findOutcome(always, each);
      const times = timesOf(each);
      expect(view).toMatchObject({
        state: EXHAUSTED[each.class]?.state,
        decision: null,
        next: 'investigate',
        reason: { code: each.name, class: each.class, stage: 'detect' },
        paidCalls: 0,
        possiblyPaidCalls: each.classified.billed === 'no' ? 0 : times,
      });
      expect(calls.map(({ code }) => code)).toEqual(Array.from({ length: times }, () => each.code));
      expectLedger({ view, journal, calls });
    });
  });
});

describe('a code that throttles', () => {
  let rig: Rig;

  beforeAll(async () => {
    rig = await createRig(QUICK);
    await rig.openWorker();
  });
  afterAll(() => rig?.dispose());

  it('retries without counting an attempt, and pays once', async () => {
    const cases = rows('throttled').map(([, each]) => each);
    const outcomes = await runAll(rig, 'throttled', cases, 3);
    for (const each of cases) {
      const { view, journal, calls } = findOutcome(outcomes, each);
      expect(view, each.title).toMatchObject({ state: 'completed', decision: 'match', reason: null, paidCalls: 1 });
      expect(view.possiblyPaidCalls).toBe(0);
      expect(calls.map(({ code }) => code)).toEqual([each.code, each.code, each.code, 'Success']);
      expect(counted({ view, journal })).toEqual({});
      expect(journal.gen).toBe('0');
    }
  });
});

/**
 * These tests run one at a time, each on a new gate, because a fault of the account closes the gate for every verification.
 */
describe('a code about the account', () => {
  let rig: Rig;
  let one: Awaited<ReturnType<Rig['request']>>;

  beforeAll(async () => {
    rig = await createRig(QUICK);
    await rig.openWorker();
    one = await rig.request('account');
  });
  afterAll(() => rig?.dispose());

  it.each(rows('account'))(
    '%s waits for the operator: delayed, no attempt counted, nothing paid',
    async (_title, each) => {
      const key = `account-${each.key}`;
      const id = rig.client.idOf(key);
      await rig.control.fault(faultOf(each, id, null));
      await rig.client.enqueue({ ...one, key });
      await expect
        .poll(() => rig.client.get(id), { timeout: 20_000, interval: 20 })
        .toMatchObject({ state: 'delayed', reason: { code: each.name } });
      const view = await rig.client.get(id);
      if (view === null) throw new Error('the record is missing');
      expect(view).toMatchObject({
        decision: null,
        next: 'wait',
        reason: { code: each.name, class: 'account', stage: 'detect' },
        paidCalls: 0,
        possiblyPaidCalls: 0,
      });
      expect(counted({ view, journal: await rig.redis.hgetall(rig.names.journal(id)) })).toEqual({});
      expect((await rig.control.calls({ action: DETECT, object: id })).map(({ code }) => code)).toEqual([each.code]);
      await expect.poll(async () => (await rig.client.cancel(id)).state, { timeout: 10_000 }).toBe('cancelled');
      expect(await rig.client.get(id)).toMatchObject({ state: 'cancelled', next: 'investigate', paidCalls: 0 });
      await rig.control.clearFaults();
      const gates = await rig.redis.keys(`${rig.names.gate('ap-singapore', DETECT).gate}*`);
      if (gates.length > 0) await rig.redis.del(...gates);
    },
  );
});
