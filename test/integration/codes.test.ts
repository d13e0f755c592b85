/**
 * Every code that FaceID is documented to answer, on each channel that it is seen on, through the real pipeline: the end,
 * the decision, what it cost and how often the vendor was called. What is expected follows from the class alone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { classify, ERROR_TABLE, type ErrorClass, nameOf } from '../../src/domain/errors/index.ts';
import { DEFAULT_POLICY } from '../../src/domain/policy.ts';
import { nextStep, type State } from '../../src/domain/states.ts';
import type { VerificationView } from '../../src/domain/view.ts';
import type { CallEntry, Fault } from '../../src/emulator/control.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { DOCUMENTED } from '../unit/domain/documented-codes.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const WAIT_MS = 50_000;
const AT_REST: readonly State[] = ['completed', 'failed', 'cancelled', 'held'];
type Channel = 'error' | 'result';

/** Where a code that goes on for ever leaves a verification; `times` is how often the vendor is called until then. */
const EXHAUSTED: Readonly<Partial<Record<ErrorClass, { state: State; times: number; counted: number }>>> = {
  transient: {
    state: 'failed',
    times: DEFAULT_POLICY.attempts.detect,
    counted: DEFAULT_POLICY.attempts.detect - 1,
  },
  unknown: { state: 'held', times: DEFAULT_POLICY.unknownAttempts, counted: DEFAULT_POLICY.unknownAttempts - 1 },
  reupload: { state: 'held', times: DEFAULT_POLICY.rewinds + 1, counted: 0 },
};

interface Case {
  readonly title: string;
  readonly key: string;
  readonly code: string;
  readonly message?: string;
  readonly channel: Channel;
  readonly class: ErrorClass;
  readonly classified: ReturnType<typeof classify>;
  /** What the reason is called: the code, or the fault that only the message names. */
  readonly name: string;
}

function casesOf(code: string, message?: string): Case[] {
  const words = message === undefined ? {} : { message };
  const { entry } = classify({ service: 'faceid', channel: 'error', code, ...words });
  const channels: Channel[] = entry?.channel === 'both' && message === undefined ? ['error', 'result'] : ['error'];
  return channels.map((channel) => {
    const facts = { service: 'faceid', channel, code, ...words } as const;
    const classified = classify(facts);
    const name = nameOf(facts);
    const title = `${name === code ? code : `${name} (${code})`} on the ${channel} channel`;
    const key = `${name}-${channel}`.replaceAll(/[^A-Za-z0-9.-]/g, '-');
    return { title, key, code, ...words, channel, class: classified.class, classified, name };
  });
}

/** What is documented, what else the table knows by its exact code, the two that only a message names, and one of no table. */
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

/** All at once: each with its own fault, on its own object, of the same two files. */
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
  // Not `until: 'ended'`: a verification that is held has come to rest too.
  const givenUpAt = performance.now() + WAIT_MS;
  let view = await rig.client.get(id);
  while (view !== null && !AT_REST.includes(view.state) && performance.now() < givenUpAt) {
    await sleep(250);
    view = await rig.client.get(id);
  }
  if (view === null) throw new Error('lost');
  const journal = await rig.redis.hgetall(rig.names.journal(id));
  return { view, journal, calls: await rig.control.calls({ action: DETECT, object: id }) };
}

/** `a:<stage>`, as the journal counts them. */
function counted(journal: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(journal).filter(([field]) => field.startsWith('a:')));
}

function found(outcomes: Map<string, Outcome>, { key }: Case): Outcome {
  const outcome = outcomes.get(key);
  if (outcome === undefined) throw new Error(`no outcome of ${key}`);
  return outcome;
}

const QUICK = {
  env: { BESTFRAME_REUSED_LIVE_DATA: 'warn', BESTFRAME_QPS_DETECT: '1000', BESTFRAME_SLOTS: '60' },
  emulator: { qps: {} },
};

it('has all 72 documented codes', () => {
  const codes = new Set(ALL.map(({ code }) => code));
  expect(DOCUMENTED.filter(([code]) => !codes.has(code))).toEqual([]);
  expect(new Set(DOCUMENTED.map(([code]) => code)).size).toBe(72);
});

describe('a code that answers', () => {
  const tested = rows('rejected', 'caller', 'transient', 'unknown', 'reupload');
  let rig: Rig;
  let once: Map<string, Outcome>;
  let always: Map<string, Outcome>;

  beforeAll(async () => {
    rig = await createRig(QUICK);
    await rig.openWorker();
    const cases = tested.map(([, each]) => each);
    // Both at once: what is tried again waits for most of its time.
    [once, always] = await Promise.all([
      runAll(rig, 'once', cases, 1),
      runAll(
        rig,
        'always',
        cases.filter(({ class: kind }) => kind !== 'rejected'),
        null,
      ),
    ]);
  });
  afterAll(() => rig?.dispose());

  it.each(rows('rejected'))('%s is a decision: completed, one call, never tried again', (_title, each) => {
    const { view, journal, calls } = found(once, each);
    const { decision, billed } = each.classified;
    expect(view).toMatchObject({
      state: 'completed',
      decision,
      next: nextStep('completed', decision),
      reason: { code: each.code, class: 'rejected', stage: 'detect', requestId: calls[0]?.requestId },
      frame: 'none',
      paidCalls: billed === 'yes' ? 1 : 0,
      possiblyPaidCalls: 0,
    });
    expect(view.next).not.toBe('accept');
    expect(calls.map(({ code }) => code)).toEqual([each.code]);
    expect(view.paidCalls).toBe(calls.filter((call) => call.billed === true).length);
    expect(counted(journal)).toEqual({});
  });

  it.each(rows('caller'))('%s can never succeed: failed, one call, nothing paid', (_title, each) => {
    for (const { view, journal, calls } of [found(once, each), found(always, each)]) {
      expect(view).toMatchObject({
        state: 'failed',
        decision: null,
        next: 'investigate',
        reason: { code: each.name, class: 'caller', stage: 'detect' },
        paidCalls: 0,
        possiblyPaidCalls: 0,
      });
      expect(calls).toHaveLength(1);
      expect(counted(journal)).toEqual({});
    }
  });

  it.each(rows('transient', 'unknown'))('%s once is tried again, counted, and paid once', (_title, each) => {
    const { view, journal, calls } = found(once, each);
    expect(view).toMatchObject({ state: 'completed', decision: 'match', next: 'accept', reason: null, paidCalls: 1 });
    expect(calls.map(({ code }) => code)).toEqual([each.code, 'Success']);
    expect(counted(journal)).toEqual({ 'a:detect': '1' });
    expect(view.possiblyPaidCalls).toBe(0);
  });

  it.each(rows('reupload'))('%s once goes back to upload, under a fresh key, and is paid once', (_title, each) => {
    const { view, journal, calls } = found(once, each);
    expect(view).toMatchObject({ state: 'completed', decision: 'match', next: 'accept', reason: null, paidCalls: 1 });
    expect(calls.map(({ code }) => code)).toEqual([each.code, 'Success']);
    expect(calls[0]?.objects?.some((object) => calls[1]?.objects?.includes(object))).toBe(false);
    expect(journal.gen).toBe('1');
    expect(counted(journal)).toEqual({});
    expect(view.stages.find(({ name }) => name === 'upload')?.attempts).toBe(2);
  });

  describe('exhausted', () => {
    it.each(rows('transient', 'unknown', 'reupload'))('%s for ever comes to rest, nothing paid', (_title, each) => {
      const { view, journal, calls } = found(always, each);
      const rest = EXHAUSTED[each.class];
      expect(view).toMatchObject({
        state: rest?.state,
        decision: null,
        next: 'investigate',
        reason: { code: each.name, class: each.class, stage: 'detect' },
        paidCalls: 0,
        possiblyPaidCalls: 0,
      });
      expect(calls.map(({ code }) => code)).toEqual(Array.from({ length: rest?.times ?? 0 }, () => each.code));
      expect(journal['a:detect'] ?? '0').toBe(String(rest?.counted));
      expect(journal.gen).toBe(each.class === 'reupload' ? String(DEFAULT_POLICY.rewinds) : '0');
    });
  });
});

describe('a code that asks to wait', () => {
  let rig: Rig;

  beforeAll(async () => {
    rig = await createRig(QUICK);
    await rig.openWorker();
  });
  afterAll(() => rig?.dispose());

  it('throttled: costs no attempt, however often, and is paid once', async () => {
    const cases = rows('throttled').map(([, each]) => each);
    const outcomes = await runAll(rig, 'throttled', cases, 3);
    for (const each of cases) {
      const { view, journal, calls } = found(outcomes, each);
      expect(view, each.title).toMatchObject({ state: 'completed', decision: 'match', reason: null, paidCalls: 1 });
      expect(view.possiblyPaidCalls).toBe(0);
      expect(calls.map(({ code }) => code)).toEqual([each.code, each.code, each.code, 'Success']);
      expect(counted(journal)).toEqual({});
      expect(journal.gen).toBe('0');
    }
  });
});

/** One at a time, each on a gate as new: what is wrong with the account is wrong for everybody who calls. */
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
      expect(await rig.client.get(id)).toMatchObject({
        decision: null,
        next: 'wait',
        reason: { code: each.name, class: 'account', stage: 'detect' },
        paidCalls: 0,
        possiblyPaidCalls: 0,
      });
      expect(counted(await rig.redis.hgetall(rig.names.journal(id)))).toEqual({});
      expect((await rig.control.calls({ action: DETECT, object: id })).map(({ code }) => code)).toEqual([each.code]);
      await expect.poll(async () => (await rig.client.cancel(id)).state, { timeout: 10_000 }).toBe('cancelled');
      expect(await rig.client.get(id)).toMatchObject({ state: 'cancelled', next: 'investigate', paidCalls: 0 });
      await rig.control.clearFaults();
      const gates = await rig.redis.keys(`${rig.names.gate('ap-singapore', DETECT).gate}*`);
      if (gates.length > 0) await rig.redis.del(...gates);
    },
  );
});
