/**
 * Compares the ledger with the emulator's call log, which serves as the bill. The emulator bills the worst case: every answer
 * that Tencent does not document as unbilled. Whatever happens to a call, the call's verification and the daily ledger must count
 * it.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { MICROS } from '../../src/domain/verification/cost.ts';
import type { VerificationView } from '../../src/domain/verification/view.ts';
import { CARDS, type Card } from '../../src/emulator/cards.ts';
import type { Fault } from '../../src/emulator/control.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const PRICES = {
  BESTFRAME_PRICES: `${DETECT}=0.15,VideoLivenessCompare=0.2`,
  BESTFRAME_CURRENCY: 'USD',
};
const FAST = {
  BESTFRAME_QPS_DETECT: '200',
  BESTFRAME_SLOTS: '60',
  BESTFRAME_CALL_SECONDS: 'interactive=2,batch=2',
  BESTFRAME_BACKOFF_MS: 'interactive=50,batch=50',
  BESTFRAME_REUSED_LIVE_DATA: 'warn',
  BESTFRAME_BREAKER: 'share=1000', // keeps the breaker closed: the faults of one case must not delay the others
  BESTFRAME_BREAKER_MS: 'window=600000',
};
const AT_REST = /^(?:completed|failed|cancelled|held)$/;
/** On a busy machine, the first of all verifications may end long after the last one was enqueued. */
const SOON = { timeout: 200_000, interval: 100 };

async function rested(rig: Rig, id: string): Promise<VerificationView> {
  return vi.waitUntil(async () => {
    const view = await rig.client.get(id);
    return AT_REST.test(view?.state ?? '') ? view : null;
  }, SOON);
}

const round = (amount: number) => Math.round(amount * MICROS) / MICROS;

describe('the ledger of verifications and days', () => {
  const cards: readonly (readonly [name: string, card: Card])[] = [
    ...Object.keys(CARDS).map((card) => [card, { card }] as const),
    ['CompareSystemError', { card: 'FailedOperation.CompareSystemError' }],
    ['an unknown code', { card: 'FailedOperation.NeverHeardOf' }],
    ['an unknown error', { card: 'FailedOperation.NeverHeardOf', channel: 'error' }],
    ['a download that timed out', { card: 'FailedOperation.DownLoadTimeoutError' }],
    ['throttled first', { card: 'match', first: { throttled: 2 } }],
    ['unreadable first', { card: 'match', first: { unreadable: 1 } }],
    ['overwritten first', { card: 'match', first: { overwritten: 1 } }],
  ];
  const faults: readonly Fault[] = [
    { kind: 'drop', when: 'before' },
    { kind: 'drop', when: 'after' },
    { kind: 'drop', when: 'after', times: null },
    { kind: 'cut' },
    { kind: 'status', status: 503 },
    { kind: 'status', status: 429 },
  ];
  let rig: Rig;
  const views = new Map<string, VerificationView>();

  beforeAll(async () => {
    // On a busy machine, an answer may take longer than the two seconds of FAST, and would count as none.
    const env = { ...FAST, ...PRICES, BESTFRAME_CALL_SECONDS: 'interactive=10,batch=10' };
    rig = await createRig({ env, emulator: { qps: {}, billUndocumented: true } });
    const requests = new Map<string, string>();
    for (const lane of ['interactive', 'batch'] as const) {
      for (const [name, card] of cards) {
        const key = `${lane}: ${name}`;
        requests.set(
          key,
          (await rig.client.enqueue(await rig.request(key.replaceAll(/[^\w-]/g, '-'), card, { lane }))).id,
        );
      }
      for (const [index, fault] of faults.entries()) {
        const key = `${lane}-fault-${index}`;
        await rig.control.fault({ ...fault, action: DETECT, object: rig.client.idOf(key) });
        requests.set(key, (await rig.client.enqueue(await rig.request(key, { card: 'match' }, { lane }))).id);
      }
    }
    await rig.openWorker();
    for (const [key, id] of requests) views.set(key, await rested(rig, id));
  }, 240_000);
  afterAll(() => rig?.dispose());

  it('counts every billed call, and counts no unbilled call as paid', async () => {
    const all = [...views.values()];
    expect(all).toHaveLength(2 * (cards.length + faults.length));
    for (const [key, view] of views) {
      const billed = await rig.control.calls({ action: DETECT, object: view.id, billed: true });
      expect(view.paidCalls + view.possiblyPaidCalls, key).toBeGreaterThanOrEqual(billed.length);
      expect(view.paidCalls, key).toBeLessThanOrEqual(billed.length);
      expect(view.paidCalls + view.possiblyPaidCalls, key).toBeLessThanOrEqual(2);
      const paid = round(view.paidCalls * 0.15);
      const possiblyPaid = round(view.possiblyPaidCalls * 0.15);
      expect(view.cost, key).toEqual({ currency: 'USD', paid, possiblyPaid });
    }
  });

  it('CompareSystemError in every answer leads to two calls, both possibly paid', () => {
    for (const lane of ['interactive', 'batch']) {
      const view = views.get(`${lane}: CompareSystemError`);
      expect(view).toMatchObject({
        paidCalls: 0,
        possiblyPaidCalls: 2,
        reason: { code: 'FailedOperation.CompareSystemError' },
      });
      expect(view?.state).toBe(lane === 'batch' ? 'held' : 'failed');
      expect(
        view?.history.filter(({ possiblyBilled, cost }) => possiblyBilled === true && cost === '0.15 USD'),
      ).toHaveLength(2);
    }
  });

  it('the history says of each call what it costs or may cost', () => {
    for (const [key, { history, paidCalls, possiblyPaidCalls }] of views) {
      const costs = history.filter(({ cost }) => cost === '0.15 USD');
      const found = {
        paidCalls: costs.filter(({ billed }) => billed === true).length,
        possiblyPaidCalls: costs.filter(({ possiblyBilled }) => possiblyBilled === true).length,
      };
      expect(found, key).toEqual({ paidCalls, possiblyPaidCalls });
    }
  });

  it('the ledger by day is the sum of the verifications, in calls and in money', async () => {
    const sum = (count: (view: VerificationView) => number) =>
      [...views.values()].reduce((all, view) => all + count(view), 0);
    const paidCalls = sum((view) => view.paidCalls);
    const possiblyPaidCalls = sum((view) => view.possiblyPaidCalls);
    const costs = [{ currency: 'USD', paid: round(paidCalls * 0.15), possiblyPaid: round(possiblyPaidCalls * 0.15) }];
    for (const by of ['region', 'action', 'tenant'] as const) {
      const name = { region: 'ap-singapore', action: DETECT, tenant: '' }[by];
      expect(await rig.client.costs({ by })).toEqual([{ name, paidCalls, possiblyPaidCalls, costs }]);
    }
    expect((await rig.client.metrics()).costs).toEqual({ today: { paidCalls, possiblyPaidCalls, costs }, budgets: [] });
    const billed = await rig.control.calls({ action: DETECT, billed: true });
    expect(paidCalls + possiblyPaidCalls).toBeGreaterThanOrEqual(billed.length);
  });

  it('an erased verification stays in the ledger', async () => {
    const before = await rig.client.costs();
    await rig.client.erase(views.get('batch: match')?.id ?? '', { by: 'maria', why: 'asked' });
    expect(await rig.client.costs()).toEqual(before);
  });
});

describe('the ledger of second opinions', () => {
  const SHIELD = 'DetectAIFakeFaces';
  const frames = ['match', 'spoof', 'notLive', 'noFace', 'blurred', 'engineFault'] as const;
  const faults: readonly Fault[] = [
    { kind: 'drop', when: 'before' },
    { kind: 'drop', when: 'after' },
    { kind: 'drop', when: 'after', times: null },
    { kind: 'cut' },
    { kind: 'status', status: 503 },
    { kind: 'status', status: 429 },
    { kind: 'error', code: 'FailedOperation.NeverHeardOf' },
    { kind: 'error', code: 'FailedOperation.UnKnown' },
  ];
  let rig: Rig;
  beforeAll(async () => {
    const env = {
      ...FAST,
      BESTFRAME_PRICES: `${SHIELD}=0.05`,
      BESTFRAME_CURRENCY: 'USD',
      BESTFRAME_QPS_OPINION: '200',
    };
    rig = await createRig({ env, emulator: { qps: {}, billUndocumented: true } });
    await rig.openWorker();
  });
  afterEach(() => rig.control.reset());
  afterAll(() => rig?.dispose());

  it.each([
    ...frames.map((frame) => [frame, { card: 'match', frame }, null] as const),
    ...faults.map((fault) => [JSON.stringify(fault), { card: 'match' }, fault] as const),
  ])('has every billed call, and no unbilled one as paid: %s', async (what, card, fault) => {
    const before = await rig.client.costs({ by: 'action' });
    if (fault !== null) await rig.control.fault({ ...fault, action: SHIELD });
    const key = `opinion-${what.replaceAll(/[^\w]/g, '-')}`;
    const { id } = await rig.client.enqueue(await rig.request(key, card, { secondOpinion: true }));
    const view = await rested(rig, id);
    const billed = (await rig.control.calls({ action: SHIELD, billed: true })).length;
    const { paidCalls = -1, possiblyPaidCalls = -1, cost = null } = view.secondOpinion ?? {};
    expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 0 });
    expect(paidCalls).toBeLessThanOrEqual(billed);
    expect(paidCalls + possiblyPaidCalls).toBeGreaterThanOrEqual(billed);
    expect(paidCalls + possiblyPaidCalls).toBeLessThanOrEqual(2);
    if (paidCalls + possiblyPaidCalls > 0)
      expect(cost).toEqual({
        currency: 'USD',
        paid: round(paidCalls * 0.05),
        possiblyPaid: round(possiblyPaidCalls * 0.05),
      });
    const called = view.history.filter(({ stage, cost }) => stage === 'opinion' && cost === '0.05 USD');
    expect(called.filter((entry) => entry.billed === true)).toHaveLength(paidCalls);
    expect(called.filter((entry) => entry.possiblyBilled === true)).toHaveLength(possiblyPaidCalls);
    const rowOf = (sums: typeof before) => sums.find(({ name }) => name === SHIELD);
    const [was, is] = [rowOf(before), rowOf(await rig.client.costs({ by: 'action' }))];
    expect((is?.paidCalls ?? 0) - (was?.paidCalls ?? 0)).toBe(paidCalls);
    expect((is?.possiblyPaidCalls ?? 0) - (was?.possiblyPaidCalls ?? 0)).toBe(possiblyPaidCalls);
  });
});

describe('an action without a price, in a deployment with prices', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await createRig({
      env: { ...FAST, BESTFRAME_PRICES: 'VideoLivenessCompare=0.2', BESTFRAME_CURRENCY: 'USD' },
    });
    await rig.openWorker();
  });
  afterAll(() => rig?.dispose());

  it('is booked as free, and called once', async () => {
    const { id } = await rig.client.enqueue(await rig.request('free'));
    expect(await rested(rig, id)).toMatchObject({ decision: 'match', paidCalls: 1, possiblyPaidCalls: 0 });
    expect(await rig.client.costs({ by: 'action' })).toEqual([
      { name: DETECT, paidCalls: 1, possiblyPaidCalls: 0, costs: [{ currency: 'USD', paid: 0, possiblyPaid: 0 }] },
    ]);
    expect(await rig.control.calls({ action: DETECT })).toHaveLength(1);
  });
});

describe('a budget', { shuffle: false }, () => {
  let rig: Rig;
  const gate = async () => (await rig.client.gates()).find(({ action }) => action === DETECT);

  beforeAll(async () => {
    rig = await createRig({
      env: { ...FAST, ...PRICES, BESTFRAME_BUDGET: 'day=0.75USD,month=100calls' },
      emulator: { qps: {} },
    });
    await rig.openWorker();
  });
  afterAll(() => rig?.dispose());

  it('warns at 80 %, and closes the gate before a call would exceed it', async () => {
    const requests = await Promise.all(Array.from({ length: 7 }, (_, index) => rig.request(`spend-${index}`)));
    await rig.client.enqueueMany(requests);
    await expect.poll(gate, SOON).toMatchObject({ state: 'closed', code: 'BUDGET_SPENT', by: 'budget' });
    const paid = async () => (await rig.control.calls({ action: DETECT, billed: true })).length;
    await expect.poll(paid, SOON).toBe(5);
    const told = (event: string) => rig.lines.filter((line) => line.event === event);
    expect(told('budget_warned')).toHaveLength(1);
    expect(told('budget_spent')).toMatchObject([{ budget: expect.stringMatching(/^day \d{4}-\d\d-\d\d 0\.75 USD$/) }]);
    const { costs } = await rig.client.metrics();
    expect(costs.budgets).toEqual([
      { period: 'day', unit: 'USD', limit: 0.75, spent: 0.75 },
      { period: 'month', unit: 'calls', limit: 100, spent: 5 },
    ]);
    const waiting = (await rig.client.list({ ended: false })).filter(({ decision }) => decision === null);
    expect(waiting).toHaveLength(2);
    for (const view of waiting) expect(view).toMatchObject({ next: 'wait', paidCalls: 0 });
    expect(await paid()).toBe(5);
  });

  it('can be overridden by an operator for the rest of the period', async () => {
    const probe = (await gate())?.nextProbeAt ?? '';
    expect(Date.parse(probe)).toBeGreaterThan(Date.now());
    await rig.client.steerGate({ region: 'ap-singapore', action: DETECT }, 'open', { by: 'maria', why: 'a campaign' });
    for (const key of Array.from({ length: 7 }, (_, index) => `spend-${index}`)) {
      expect(await rested(rig, rig.client.idOf(key))).toMatchObject({ state: 'completed', decision: 'match' });
    }
    expect(await gate()).toMatchObject({ state: 'open' });
    expect(await rig.control.calls({ action: DETECT, billed: true })).toHaveLength(7);
  });

  it('no longer closes the gate when the period has ended', async () => {
    const { gate: key } = rig.names.gate('ap-singapore', DETECT);
    await rig.redis.hdel(key, 'waived');
    const { id } = await rig.client.enqueue(await rig.request('tomorrow'));
    await expect.poll(gate, SOON).toMatchObject({ state: 'closed', code: 'BUDGET_SPENT' });
    // Redis's clock cannot be moved, so the test simulates a new day: it empties the day's ledger and makes the probe due.
    const day = (await rig.redis.hget(rig.names.budget, 'day')) ?? '';
    await rig.redis.del(rig.names.costs(day));
    await rig.redis.hset(key, 'nextProbe', Date.now());
    expect(await rested(rig, id)).toMatchObject({ state: 'completed', decision: 'match' });
    expect(await gate()).toMatchObject({ state: 'open' });
  });
});
