/**
 * Tests the paid call against stubbed answers of the scripts and the vendor: what is declared before it, what is recorded after
 * it, and when it is not made. `test/integration` and the chaos kit test the same promises with a real Redis.
 */
import { describe, expect, it, vi } from 'vitest';
import { Failure, type FailureFacts } from '../../../src/domain/errors/failure.ts';
import { DEFAULT_BREAKERS } from '../../../src/domain/operations/breakers.ts';
import type { DetectAnswer, PaidTurn } from '../../../src/domain/ports.ts';
import { Breakers } from '../../../src/pipeline/breakers.ts';
import { Gate } from '../../../src/pipeline/gate.ts';
import { Journal } from '../../../src/pipeline/journal.ts';
import { Lease } from '../../../src/pipeline/lease.ts';
import {
  CallWithheld,
  callName,
  type Payment,
  pay,
  RecordedFailure,
  saysAccountIsFine,
} from '../../../src/pipeline/payment.ts';
import type { RunLog } from '../../../src/pipeline/run-log.ts';
import { type ScriptArguments, scriptedDeployment } from '../../support/scripted-redis.ts';

const REGION = 'ap-singapore';
const ACTION = 'DetectReflectLivenessAndCompare';
const PREFLIGHT_ENTRY = { at: 1, event: 'done', stage: 'md5' } as const;
const PACKAGE = { digest: 'd'.repeat(22), ttlMs: 1_000, refuseReuse: true, photoRetries: 3 };
const CHARGE = {
  currency: 'USD',
  micros: 150_000,
  day: '2026-11-28',
  month: '2026-11',
  dayEnds: 10,
  monthEnds: 20,
  budgets: [{ period: 'day', limit: 500, unit: 'calls' }] as const,
};
const INPUT = { links: { image: { link: 'https://signed', md5: 'm' } } };
const SUCCESS: DetectAnswer = {
  result: 'Success',
  description: '',
  similarity: 92.5,
  requestId: 'r-1',
  bestFrame: { url: 'https://frame', md5: null, expiresAt: 9 },
};

interface World {
  /** Answers of `declare-intent`, in order. Default: a slot now. */
  readonly intents?: readonly ((args: ScriptArguments) => readonly unknown[])[];
  readonly recorded?: string;
  readonly reopened?: string;
  /** What the vendor does once the call has its turn. Default: a match. */
  readonly vendor?: (turn: PaidTurn) => DetectAnswer | Promise<DetectAnswer>;
  /** Replaces the whole call. */
  readonly call?: (turn: () => Promise<PaidTurn>, signal: AbortSignal) => Promise<DetectAnswer>;
  readonly payment?: Partial<Payment>;
}

/** The arguments of `record-outcome`, with the texts parsed. */
interface Recorded {
  readonly [argument: string]: unknown;
  readonly entry: Readonly<Record<string, unknown>>;
  readonly outcome: unknown;
}

const now = () => Date.now();
const go = ({ leftMs = 15_000, probe = 0, warned = '', slotMs = 0 } = {}) => [
  'go',
  now(),
  now() + leftMs,
  now() + slotMs,
  '7',
  probe,
  warned,
];

function run({
  intents = [() => go()],
  recorded = 'committed',
  reopened = 'opened',
  vendor,
  call,
  payment,
}: World = {}) {
  const asked: ScriptArguments[] = [];
  const { deployment, calls } = scriptedDeployment({
    'declare-intent': (args) => {
      const answer = intents[asked.length];
      if (answer === undefined) throw new Error('an intent was declared too often');
      asked.push(args);
      return answer(args);
    },
    'record-outcome': () => recorded,
    'reopen-gate': () => reopened,
  });
  const attempt = { id: 'v1', region: REGION, action: ACTION, token: 'token', ats: 1 } as const;
  const steps: string[] = [];
  const told: unknown[] = [];
  const billings: string[] = [];
  const lease = new Lease(performance.now(), { leaseMs: 3_600_000, renewMs: 3_600_000 }, async () => 'ok' as never);
  const breakers = new Breakers({
    deployment,
    id: 'v1',
    region: REGION,
    tuning: DEFAULT_BREAKERS,
    seen: { open: [], epoch: '0' } as never,
    log: {} as RunLog,
  });
  const paid: Payment = {
    journal: new Journal(deployment, attempt, 1_000),
    lease,
    gate: new Gate(deployment, {}),
    breakers,
    mayProbe: true,
    id: 'v1',
    region: REGION,
    action: ACTION,
    generation: 2,
    threshold: 70,
    onGateOpened: () => told.push('opened'),
    onBudget: (event, budget) => told.push([event, budget]),
    onReplyShape: (fields, requestId) => told.push([fields, requestId]),
    onBilled: (billed) => billings.push(billed),
    charge: () => CHARGE,
    onOutcomeWaits: () => undefined,
    callMs: 15_000,
    maxPayments: 2,
    package: PACKAGE,
    notify: undefined,
    preflight: { checkedAt: 5 },
    preflightEntry: PREFLIGHT_ENTRY,
    signal: new AbortController().signal,
    ...payment,
  };
  const result = pay(
    paid,
    async (callMs) => {
      steps.push(`prepare for ${callMs}, after ${calls.map(({ name }) => name).join(' ')}`);
      return INPUT;
    },
    async (turn, signal) => {
      await null; // like a connection, opens later
      if (call !== undefined) return call(turn, signal);
      const granted = await turn();
      steps.push('sent');
      return (await vendor?.(granted)) ?? SUCCESS;
    },
  ).finally(() => lease.stop());
  const records = () => calls.filter(({ name }) => name === 'record-outcome').map(({ args }) => args);
  const record = (): Recorded => {
    const [args, ...more] = records();
    if (args === undefined || more.length > 0) throw new Error(`${records().length} outcomes were recorded`);
    return { ...args, entry: JSON.parse(String(args.entry)), outcome: JSON.parse(String(args.outcome) || 'null') };
  };
  return { result, calls, asked, steps, told, billings, record, records, lease, breakers, paid };
}

const failure = (facts: Partial<FailureFacts>, message = 'no') =>
  new Failure({ service: 'faceid', channel: 'error', sent: 'answered', code: 'InternalError', ...facts }, message);
const fails = (error: Error) => () => {
  throw error;
};

async function withheld(result: Promise<unknown>) {
  const error = await result.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(CallWithheld);
  const { reason, message, name } = error as CallWithheld;
  expect([name, message]).toEqual(['CallWithheld', `the paid call was withheld: ${reason.why}`]);
  return reason;
}

async function recordedFailure(result: Promise<unknown>) {
  const error = await result.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(RecordedFailure);
  return error as RecordedFailure;
}

describe('a paid call', () => {
  it('is declared before its input is made, and sent after that', async () => {
    const { result, steps, asked } = run();
    await result;
    expect(steps).toEqual(['prepare for 15000, after declare-intent', 'sent']);
    expect(asked[0]).toMatchObject({
      id: 'v1',
      generation: 2,
      preflight: '{"checkedAt":5}',
      entry: JSON.stringify(PREFLIGHT_ENTRY),
      callMs: 15_000,
      slotLane: '',
      maxPayments: 2,
      lanes: 5,
      packageDigest: PACKAGE.digest,
      charge: expect.stringContaining('"micros":150000'),
      mayProbe: 1,
      passed: '',
      windowMs: DEFAULT_BREAKERS.windowMs,
    });
  });

  it('has an id of its own, which the history abbreviates', async () => {
    const first = run();
    const second = run();
    await Promise.all([first.result, second.result]);
    const [one, two] = [first.record(), second.record()];
    expect(one.intentId).toMatch(/^[\w-]{16}$/);
    expect(one.intentId).toBe(first.asked[0]?.intentId);
    expect(two.intentId).not.toBe(one.intentId);
    expect(one.entry.call).toBe(callName(String(one.intentId)));
    expect(callName('abcdefghijkl')).toBe('abcdefgh');
  });

  it('gets its input, and a signal that has not fired', async () => {
    let granted: PaidTurn | undefined;
    const { result } = run({
      vendor: (turn) => {
        granted = turn;
        return SUCCESS;
      },
    });
    await result;
    expect(granted?.input).toBe(INPUT);
    expect(granted?.signal.aborted).toBe(false);
  });

  it('returns the decision, and records it with its price', async () => {
    const { result, record, told } = run();
    const outcome = await result;
    expect(outcome).toMatchObject({ decision: 'match', similarity: 92.5, result: 'Success', requestId: 'r-1' });
    expect(record()).toMatchObject({
      generation: 2,
      kind: 'decision',
      outcome,
      decision: 'match',
      similarity: 92.5,
      frame: 'pending',
      unknownShape: 0,
      billed: 'yes',
      restMs: 0,
      reason: '',
      packageDigest: PACKAGE.digest,
      passed: `faceid:${ACTION}`,
      currency: 'USD',
      micros: 150_000,
    });
    expect(record().entry).toEqual({
      at: expect.any(Number),
      event: 'done',
      stage: 'detect',
      call: expect.any(String),
      code: 'Success',
      requestId: 'r-1',
      billed: true,
      cost: '0.15 USD',
      ms: expect.any(Number),
    });
    expect(told).toEqual([]);
  });

  it('judges the similarity by the threshold of the verification', async () => {
    const { result, record } = run({ payment: { threshold: 93 } });
    expect(await result).toMatchObject({ decision: 'no_match' });
    expect(JSON.parse(String(record().reason))).toMatchObject({ code: 'BELOW_THRESHOLD' });
  });

  it('leaves out what it does not know: price, RequestId, frame', async () => {
    const { result, record } = run({
      vendor: () => ({ ...SUCCESS, requestId: null, bestFrame: null }),
      payment: { charge: () => ({ ...CHARGE, currency: '', micros: 0 }) },
    });
    await result;
    expect(record()).toMatchObject({ frame: 'none' });
    expect(Object.keys(record().entry).sort()).toEqual(['at', 'billed', 'call', 'code', 'event', 'ms', 'stage']);
  });

  it('notes the shape of an answer that is not as documented', async () => {
    const shapeTrouble = { fields: ['BestFrameUrl'], shape: '{BestFrameUrl:number}', hidesFrame: true };
    const { result, record, told } = run({ vendor: () => ({ ...SUCCESS, bestFrame: null, shapeTrouble }) });
    await result;
    expect(told).toEqual([[['BestFrameUrl'], 'r-1']]);
    expect(record()).toMatchObject({ unknownShape: 1, frame: 'unknown_shape' });
    expect(record().entry).toMatchObject({ shape: '{BestFrameUrl:number}' });
  });

  it('names the endpoint to notify', async () => {
    const notify = { id: 'v1', event: 'decided', endpoint: 'shop' } as never;
    const { result, record } = run({ payment: { notify } });
    await result;
    expect(JSON.parse(String(record().outboxEntry))).toEqual({ notify });
  });

  it('took place if the write is repeated', async () => {
    await expect(run({ recorded: 'again' }).result).resolves.toMatchObject({ decision: 'match' });
  });

  it.each(['late', 'orphan'])('does not count if its answer is %s', async (recorded) => {
    expect(await withheld(run({ recorded }).result)).toEqual({ why: 'lost' });
  });

  it('measures the call, without the wait before it', async () => {
    const beforeAll = performance.now();
    const world = run({
      call: async (turn) => {
        await new Promise((resolve) => setTimeout(resolve, 30));
        beforeTurn = performance.now();
        await turn();
        return SUCCESS;
      },
    });
    let beforeTurn = 0;
    await world.result;
    const { ms } = world.record().entry;
    expect(ms).toBeGreaterThanOrEqual(0);
    expect(ms).toBeLessThanOrEqual(Math.round(performance.now() - beforeTurn));
    expect(beforeTurn - beforeAll).toBeGreaterThan(29);
  });
});

it('an answered call is not ended by its limit later', async () => {
  let granted: PaidTurn | undefined;
  const { result } = run({
    intents: [() => go({ leftMs: 20_000 })],
    vendor: (turn) => {
      granted = turn;
      return SUCCESS;
    },
  });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    await result;
    vi.advanceTimersByTime(60_000);
  } finally {
    vi.useRealTimers();
  }
  expect(granted?.signal.aborted).toBe(false);
});

describe('no call is made', () => {
  it.each(['lost', 'ended', 'cancel', 'decided', 'exhausted', 'expired'])('if the script answers %s', async (why) => {
    const { result, steps, records } = run({ intents: [() => [why, 0, 0]] });
    expect(await withheld(result)).toEqual({ why });
    expect([steps, records()]).toEqual([[], []]);
  });

  it.each([
    ['open', ['open', 1_000, 4_000], { why: 'open', leftMs: 3_000 }],
    ['reused', ['reused', 0, 77], { why: 'reused', answeredAt: 77 }],
    ['broken', ['broken', 1_000, 3_500, 'TIMEOUT'], { why: 'broken', waitMs: 2_500 }],
    ['closed', ['closed', 1_000, 6_000, 'AuthFailure', ''], { why: 'closed', waitMs: 5_000, code: 'AuthFailure' }],
  ])('if the script answers %s', async (_kind, answer, reason) => {
    const { result, steps, told } = run({ intents: [() => answer] });
    expect(await withheld(result)).toEqual(reason);
    expect([steps, told]).toEqual([[], []]);
  });

  it('if a budget is spent, and somebody is told so', async () => {
    const { result, told } = run({ intents: [() => ['closed', 0, 9, 'BUDGET_SPENT', 'day 2026-11-28 500 calls']] });
    expect(await withheld(result)).toMatchObject({ code: 'BUDGET_SPENT' });
    expect(told).toEqual([['spent', 'day 2026-11-28 500 calls']]);
  });

  it('if the attempt is told to stop', async () => {
    const { result, asked } = run({ payment: { signal: AbortSignal.abort(new Error('stopped')) } });
    await expect(result).rejects.toThrow('stopped');
    expect(asked).toEqual([]);
  });

  it('if the attempt is told to stop while it waits for its slot', async () => {
    const stop = new AbortController();
    const { result, steps } = run({
      intents: [() => ['slot', now(), now() + 3_600_000, 1]],
      payment: { signal: stop.signal },
    });
    setImmediate(() => stop.abort(new Error('stopped')));
    await expect(result).rejects.toThrow('stopped');
    expect(steps).toEqual([]);
  });

  it('if the lease was lost before the slot came', async () => {
    const world = run({
      intents: [
        () => {
          world.lease.releaseOnDrain();
          return go();
        },
      ],
    });
    await expect(world.result).rejects.toMatchObject({ failure: { code: 'WORKER_DRAINED' } });
    expect(world.steps).not.toContain('sent');
    expect(world.record()).toMatchObject({ kind: 'unsent', billed: 'no' });
  });

  it('if the connection cannot be opened', async () => {
    const refused = failure({ code: 'CONNECT_REFUSED', channel: 'local', sent: 'no' });
    const { result, asked, records } = run({ call: fails(refused) });
    await expect(result).rejects.toBe(refused);
    expect([asked, records()]).toEqual([[], []]);
  });

  it('twice: an answer without a turn is a bug', async () => {
    await expect(run({ call: async () => SUCCESS }).result).rejects.toThrow('a call was answered that had no turn');
  });
});

describe('the slot', () => {
  it('is waited for, and declared again under the same id', async () => {
    const at = now() + 140;
    const { result, asked } = run({
      intents: [
        () => ['slot', now(), at, 3],
        () => {
          expect(now()).toBeGreaterThanOrEqual(at - 2 - 100 - 2 * 50);
          return go();
        },
      ],
    });
    await result;
    expect(asked.map(({ slotLane, slotAt }) => [slotLane, slotAt])).toEqual([
      ['', 0],
      [3, at],
    ]);
    expect(asked[0]?.intentId).toBe(asked[1]?.intentId);
  });

  it('that was missed is replaced by a later one of the same intent', async () => {
    const { result, asked, steps } = run({
      intents: [() => go(), () => go()],
      call: async (turn) => {
        await turn();
        await turn();
        return SUCCESS;
      },
    });
    await result;
    expect(asked).toHaveLength(2);
    expect(asked[0]?.intentId).toBe(asked[1]?.intentId);
    expect(steps).toHaveLength(2);
  });

  it('warns of a budget of which 80 % is spent', async () => {
    const { result, told } = run({ intents: [() => go({ warned: 'month 2026-11 9 USD' })] });
    await result;
    expect(told).toEqual([['warned', 'month 2026-11 9 USD']]);
  });

  it('lets others probe a breaker if this attempt may not', async () => {
    const { result, asked } = run({ payment: { mayProbe: false } });
    await result;
    expect(asked[0]).toMatchObject({ mayProbe: 0 });
  });

  it('counts the dependencies that have worked so far', async () => {
    const world = run({
      call: async (turn) => {
        world.breakers.pass(['cos:get']);
        await turn();
        return SUCCESS;
      },
    });
    await world.result;
    expect(world.asked[0]).toMatchObject({ passed: 'cos:get' });
    expect(world.record()).toMatchObject({ passed: `faceid:${ACTION}` });
  });
});

describe('a call without an answer', () => {
  it('is ended by its own limit, and its intent stays open', async () => {
    const { result, records } = run({
      intents: [() => go({ leftMs: 20 })],
      vendor: ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    });
    const reason = await withheld(result);
    expect(reason).toMatchObject({
      why: 'open',
      failure: {
        code: 'TIMEOUT',
        service: 'faceid',
        sent: 'maybe',
        message: 'the paid call took longer than its limit: its outcome is not known yet',
      },
    });
    expect(reason).toMatchObject({ leftMs: expect.any(Number) });
    expect('leftMs' in reason && reason.leftMs).toBeGreaterThanOrEqual(0);
    expect(records()).toEqual([]);
  });

  it('is possibly paid: nothing is recorded until its time is over', async () => {
    const reset = failure({ code: 'RESET', channel: 'local', sent: 'maybe' });
    const { result, records } = run({ vendor: fails(reset) });
    const reason = await withheld(result);
    expect(reason).toMatchObject({ why: 'open', failure: reset });
    expect('leftMs' in reason && reason.leftMs).toBeGreaterThan(1_000);
    expect('leftMs' in reason && reason.leftMs).toBeLessThanOrEqual(15_000);
    expect(records()).toEqual([]);
  });

  it('because of a bug counts as sent', async () => {
    const bug = new TypeError('undefined is not a function');
    const reason = await withheld(run({ vendor: fails(bug) }).result);
    expect(reason).toMatchObject({
      why: 'open',
      failure: { code: 'INTERNAL', sent: 'maybe', cause: bug, message: 'an unexpected error inside the paid call' },
    });
  });

  it('because Success has no similarity is possibly paid', async () => {
    const reason = await withheld(run({ vendor: () => ({ ...SUCCESS, similarity: null }) }).result);
    expect(reason).toMatchObject({ why: 'open', failure: { code: 'REPLY_SHAPE' } });
  });

  it('of which another script says that it is not this attempt’s any more, is not recorded twice', async () => {
    const { result, records } = run({ recorded: 'late' });
    await withheld(result);
    expect(records()).toHaveLength(1);
  });
});

describe('an error answer', () => {
  it('about the person is a decision', async () => {
    const before = performance.now();
    const { result, record } = run({
      vendor: fails(failure({ code: 'FailedOperation.LifePhotoDetectFake', requestId: 'r-2' })),
    });
    const outcome = await result;
    expect(outcome).toMatchObject({ result: 'FailedOperation.LifePhotoDetectFake', requestId: 'r-2', bestFrame: null });
    expect(record().entry.ms).toBeLessThanOrEqual(Math.round(performance.now() - before));
    expect(record()).toMatchObject({ kind: 'decision', billed: 'no', frame: 'none', unknownShape: 0 });
    expect(record().entry).not.toHaveProperty('billed');
    expect(record().entry).not.toHaveProperty('cost');
  });

  it('about anything else is recorded, and then thrown with the epoch of the gate', async () => {
    const cause = failure({ code: 'FailedOperation.UnKnown', requestId: 'r-3' }, 'vendor trouble');
    const { result, record } = run({ vendor: fails(cause) });
    const error = await recordedFailure(result);
    expect(error).toMatchObject({ failure: cause, epoch: '7', name: 'RecordedFailure', message: 'vendor trouble' });
    expect(record()).toMatchObject({
      kind: 'error',
      generation: 2,
      outcome: null,
      reason: '',
      frame: 'none',
      unknownShape: 0,
      billed: 'no',
      restMs: 0,
      packageDigest: PACKAGE.digest,
      micros: 150_000,
    });
    expect(record().entry).toEqual({
      at: expect.any(Number),
      event: 'error',
      stage: 'detect',
      call: callName(String(record().intentId)),
      code: 'FailedOperation.UnKnown',
      requestId: 'r-3',
      ms: expect.any(Number),
    });
  });

  it('whose billing is not documented is possibly paid', async () => {
    const { result, record } = run({ vendor: fails(failure({ code: 'Vendor.NeverSeen', shape: '{A:null}' })) });
    await recordedFailure(result);
    expect(record()).toMatchObject({ billed: 'unknown', unknownShape: 1 });
    expect(record().entry).toMatchObject({ possiblyBilled: true, cost: '0.15 USD', shape: '{A:null}' });
    expect(record().entry).not.toHaveProperty('billed');
    expect(record().entry).not.toHaveProperty('requestId');
  });

  it('that throttles makes everybody rest for a second', async () => {
    const { result, record } = run({ vendor: fails(failure({ code: 'RequestLimitExceeded' })) });
    await recordedFailure(result);
    expect(record()).toMatchObject({ restMs: 1_000, passed: `faceid:${ACTION}` });
  });

  it('of a service in trouble does not count as a success of the service', async () => {
    const { result, record } = run({
      vendor: fails(failure({ code: 'InternalError', dependency: `faceid:${ACTION}` })),
    });
    await recordedFailure(result);
    expect(record()).toMatchObject({ passed: '' });
  });

  it('that was provably not sent closes the intent as unsent', async () => {
    const { result, record } = run({ vendor: fails(failure({ code: 'TLS_FAILED', channel: 'local', sent: 'no' })) });
    await recordedFailure(result);
    expect(record()).toMatchObject({ kind: 'unsent', billed: 'no', passed: '' });
    expect(record().entry).toMatchObject({ event: 'unsent', code: 'TLS_FAILED' });
    expect(record().entry).not.toHaveProperty('possiblyBilled');
  });

  it('with a code about the person is no decision if the call was not sent', async () => {
    const unsent = failure({ code: 'FailedOperation.LifePhotoDetectFake', sent: 'no' });
    const { result, record } = run({ vendor: fails(unsent) });
    await recordedFailure(result);
    expect(record()).toMatchObject({ kind: 'unsent', billed: 'no' });
  });

  it('has the vendor’s words as its code if the words say more', async () => {
    const badLink = failure({ code: 'InvalidParameterValue' }, 'invalid resourceUrl');
    const { result, record } = run({ vendor: fails(badLink) });
    await recordedFailure(result);
    expect(record().entry).toMatchObject({ code: 'invalid resourceUrl' });
  });
});

describe('a probe of a closed gate', () => {
  const probe = { intents: [() => go({ probe: 1 })] };

  it('opens the gate after any answer about the person', async () => {
    const match = run(probe);
    await match.result;
    expect(match.told).toEqual(['opened']);
    const rejected = run({ ...probe, vendor: fails(failure({ code: 'FailedOperation.LifePhotoDetectFake' })) });
    await rejected.result;
    expect(rejected.told).toEqual(['opened']);
    expect(rejected.calls.map(({ name }) => name)).toEqual(['declare-intent', 'reopen-gate', 'record-outcome']);
  });

  it('opens the gate once the decision is recorded', async () => {
    const { result, calls } = run(probe);
    await result;
    expect(calls.map(({ name }) => name)).toEqual(['declare-intent', 'record-outcome', 'reopen-gate']);
  });

  it('says nothing if somebody else opened it', async () => {
    const { result, told } = run({ ...probe, reopened: 'open' });
    await result;
    expect(told).toEqual([]);
  });

  it.each([
    ['throttled', { code: 'RequestLimitExceeded' }],
    ['an account in trouble', { code: 'AuthFailure.SecretIdNotFound' }],
    ['a call that was not sent', { code: 'SAME_RESOURCE', channel: 'local', sent: 'no' }],
  ] as const)('leaves the gate closed after %s', async (_what, facts) => {
    const { result, calls } = run({ ...probe, vendor: fails(failure(facts)) });
    await recordedFailure(result);
    expect(calls.map(({ name }) => name)).toEqual(['declare-intent', 'record-outcome']);
  });

  it('is made only by the call that was told to', async () => {
    const { result, calls } = run({ vendor: fails(failure({ code: 'FailedOperation.LifePhotoDetectFake' })) });
    await result;
    expect(calls.map(({ name }) => name)).toEqual(['declare-intent', 'record-outcome']);
  });

  it.each([
    ['FailedOperation.LifePhotoDetectFake', true],
    ['InvalidParameterValue', true],
    ['RequestLimitExceeded', false],
    ['InternalError', false],
    ['AuthFailure', false],
    ['Vendor.NeverSeen', false],
  ])('%s shows that the account is in order: %s', (code, fine) => {
    expect(saysAccountIsFine(failure({ code }))).toBe(fine);
  });

  it('an answer that asks for a new upload shows that the account is in order', () => {
    expect(saysAccountIsFine(failure({ code: 'InvalidParameterValue' }, 'MD5 Error'))).toBe(true);
  });
});

describe('a call that is or may be billed is reported once', () => {
  it.each([
    ['an answer', { vendor: undefined }, ['yes']],
    [
      'an answer whose billing is not documented',
      { vendor: fails(failure({ code: 'Vendor.NeverSeen' })) },
      ['possibly'],
    ],
    ['an answer that is documented as free', { vendor: fails(failure({ code: 'RequestLimitExceeded' })) }, []],
    ['no answer', { vendor: fails(failure({ code: 'TIMEOUT', channel: 'local', sent: 'maybe' })) }, ['possibly']],
    ['a call that was not sent', { vendor: fails(failure({ code: 'TIMEOUT', channel: 'local', sent: 'no' })) }, []],
  ] as const)('%s', async (_what, world, expected) => {
    const { result, billings } = run(world.vendor === undefined ? {} : { vendor: world.vendor });
    await result.catch(() => undefined);
    expect(billings).toEqual(expected);
  });
});
