/**
 * Tenants share queue, admission and slots. The tests compare orders and counts, not times: the scripts are called as a worker
 * calls them, and one test runs a whole worker.
 */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TenantFileInput } from '../../src/domain/operations/tenants.ts';
import type { Lane, VerificationRequest } from '../../src/domain/verification/request.ts';
import type { Journal } from '../../src/pipeline/journal.ts';
import { loadScript } from '../../src/redis/scripts/run.ts';
import { ADMISSION, DETECT, intentOf, outcomeOf, REGION, SETTLE, take } from '../support/attempts.ts';
import { openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';

let rig: Rig;

beforeEach(async () => {
  rig = await createRig({ env: { BESTFRAME_SLOTS: '30', BESTFRAME_REUSED_LIVE_DATA: 'warn' }, emulator: { qps: {} } });
  // Claims that Redis refuses because it does not know the script yet are sent again, and come behind the others of their batch.
  await rig.redis.script('LOAD', loadScript('claim-verification').text);
});
afterEach(() => rig.dispose());

async function allow(tenant: string, policy: TenantFileInput['policy'] = {}): Promise<void> {
  await rig.permit(tenant);
  const present = await rig.client.tenants.get(tenant);
  await rig.client.tenants.set({ tenant, policy: { ...present?.policy, ...policy } }, { by: 'test' });
}

/** Queues verifications of a tenant. @returns their ids */
async function queue(tenant: string, count: number, fields: Partial<VerificationRequest> = {}): Promise<string[]> {
  const one = await rig.request(`${tenant}-${randomUUID()}`, { card: 'match' }, fields);
  const requests = Array.from({ length: count }, (_, index) => ({ ...one, key: `${one.key}-${index}` }));
  const results = await rig.client.forTenant(tenant).enqueueMany(requests);
  return results.map((result) => {
    if (result.status === 'refused') throw result.error;
    return result.id;
  });
}

/** Ids of waiting jobs, in the order in which workers take them. */
const waiting = () => rig.redis.zrange(rig.names.waiting(REGION), '0', '-1');

async function begin(id: string, lane: Lane = 'batch'): Promise<{ journal: Journal; waitMs: number }> {
  const journal = await take(rig, id, randomUUID(), 1);
  const { verdict, waitMs } = await journal.begin(lane, 5, ADMISSION);
  expect(verdict).toBe('go');
  return { journal, waitMs };
}

describe('the queue', () => {
  it.each(['interactive', 'batch'] as const)(
    'puts one %s verification behind at most one of a backlog',
    async (lane) => {
      await allow('big');
      await allow('small');
      const many = await queue('big', 300, { lane });
      for (const id of many.slice(0, 120)) {
        await begin(id, lane);
        await rig.redis.zrem(rig.names.waiting(REGION), id);
      }
      const [one = ''] = await queue('small', 1, { lane });
      expect((await waiting()).indexOf(one)).toBeLessThanOrEqual(1);
    },
  );

  it('alternates between tenants, whoever came first, and keeps the order of each', async () => {
    await allow('a');
    await allow('b');
    const [first, second] = [await queue('a', 40), await queue('b', 40)];
    const order = await waiting();
    expect(order.filter((id) => first.includes(id))).toEqual(first);
    expect(order.filter((id) => second.includes(id))).toEqual(second);
    for (let end = 2; end <= 80; end += 2)
      expect(order.slice(0, end).filter((id) => first.includes(id))).toHaveLength(end / 2);
  });

  it('gives a tenant of weight 3 three times as many turns', async () => {
    await allow('light');
    await allow('heavy', { weight: 3 });
    await queue('light', 60);
    const heavy = await queue('heavy', 60);
    expect((await waiting()).slice(0, 40).filter((id) => heavy.includes(id))).toHaveLength(30);
  });

  it('serves interactive verifications before batch ones, and gives an idle tenant no credit', async () => {
    await allow('a');
    await allow('b');
    const batch = await queue('b', 5);
    for (const id of await queue('a', 50, { lane: 'interactive' })) {
      await begin(id, 'interactive');
      await rig.redis.zrem(rig.names.waiting(REGION), id);
    }
    // `b` had nothing interactive to do for 50 turns. Now both have: they alternate at once.
    const [mine, theirs] = [await queue('a', 4, { lane: 'interactive' }), await queue('b', 4, { lane: 'interactive' })];
    const order = await waiting();
    expect(order.slice(8)).toEqual(batch);
    expect(order.slice(0, 4).filter((id) => mine.includes(id)).length).toBeGreaterThanOrEqual(1);
    expect(order.slice(0, 4).filter((id) => theirs.includes(id)).length).toBeGreaterThanOrEqual(2);
  });

  it('gives a retry a new turn, so that an old outage of one tenant does not go before everybody', async () => {
    await allow('big');
    await allow('small');
    const failed = await queue('big', 20);
    for (const id of failed) {
      const { journal } = await begin(id);
      await journal.settle({
        ...SETTLE,
        state: 'failed',
        reason: { code: 'TIMEOUT', class: 'transient', stage: 'detect' },
        keep: { ms: 60_000, maxPayments: 5 },
      });
      await rig.redis.del(rig.names.job(REGION, id).lock);
      await rig.redis.zrem(rig.names.waiting(REGION), id);
      await rig.redis.hdel(rig.names.outbox, id);
    }
    const [other = ''] = await queue('small', 1);
    await rig.client.retry({ ids: failed, by: 'maria', why: 'the outage is over' });
    expect((await waiting()).indexOf(other)).toBeLessThanOrEqual(1);
  });

  it('starts turns again when the queue is empty, so that priorities stay in BullMQ’s range', async () => {
    await allow('a');
    await rig.redis.hset(rig.names.turns(REGION), 'batch', 5_000, 'batch|a', 5_000);
    const [first = '', second = ''] = await queue('a', 2);
    expect(await rig.redis.hget(rig.names.journal(first), 'turn')).toBe('1');
    expect(await rig.redis.hget(rig.names.journal(second), 'turn')).toBe('2');
    await rig.redis.hset(rig.names.turns(REGION), 'batch|a', 3_000_000);
    await queue('a', 1); // still waiting: no reset, and the priority is the last one
    const [, score] = await rig.redis.zrange(rig.names.waiting(REGION), '-1', '-1', 'WITHSCORES');
    expect(Math.floor(Number(score) / 2 ** 32)).toBe(2_000_000);
  });
});

describe('admission of batch work', () => {
  it('gives the next free place to the tenant that has less', async () => {
    await allow('big');
    await allow('small');
    const many = await queue('big', 15);
    const [one = ''] = await queue('small', 1);
    const admitted = [];
    for (const id of many.slice(0, 10)) admitted.push(await begin(id));
    expect(admitted.map(({ waitMs }) => waitMs)).toEqual(Array(10).fill(0));
    const waits = [];
    for (const id of many.slice(10)) waits.push(await begin(id));
    const { journal, waitMs } = await begin(one);
    expect([...waits.map((each) => each.waitMs), waitMs]).toEqual(Array(6).fill(100));
    await admitted[0]?.journal.leaveAdmission();
    expect((await waits[0]?.journal.askAdmission('batch', ADMISSION))?.waitMs).toBe(100);
    expect((await journal.askAdmission('batch', ADMISSION)).waitMs).toBe(0);
    // Nobody of another tenant asks any more: the backlog takes the next place.
    await admitted[1]?.journal.leaveAdmission();
    expect((await waits[0]?.journal.askAdmission('batch', ADMISSION))?.waitMs).toBe(0);
  });

  it('does not wait for a tenant whose worker died while it asked', async () => {
    await allow('big');
    await allow('small');
    const many = await queue('big', 11);
    const [one = ''] = await queue('small', 1);
    const admitted = [];
    for (const id of many.slice(0, 10)) admitted.push(await begin(id));
    const { journal } = await begin(many[10] ?? '');
    await begin(one); // asks once, and never again
    await admitted[0]?.journal.leaveAdmission();
    expect((await journal.askAdmission('batch', ADMISSION)).waitMs).toBe(100);
    await expect.poll(async () => (await journal.askAdmission('batch', ADMISSION)).waitMs).toBe(0);
  });
});

describe('slots', () => {
  // A slot every 100 s, so that no slot comes during the test.
  const RATE = { lanes: 2, laneMs: 200_000, soonMs: 0, aheadMs: 0 };
  type Known = { lane: number; at: number };

  async function ask(journal: Journal, intentId: string, slot: Known | null): Promise<Known> {
    const intent = await journal.declareIntent({ ...intentOf(intentId), rate: RATE, slot });
    if (intent.kind !== 'slot') throw new Error(`no slot: ${intent.kind}`);
    return intent.slot;
  }

  async function ready(tenant: string, count: number) {
    const found = [];
    for (const id of await queue(tenant, count)) {
      const { journal } = await begin(id, 'interactive');
      found.push({ journal, intentId: randomUUID() });
    }
    return found;
  }

  it('gives the one of another tenant the slot after the first of a backlog, and moves the others by one', async () => {
    await allow('big');
    await allow('small');
    const [first, ...many] = await ready('big', 9);
    // The first call is made at once. The others reserve.
    expect((await first?.journal.declareIntent({ ...intentOf('now'), rate: RATE }))?.kind).toBe('go');
    const before: Known[] = [];
    for (const { journal, intentId } of many) before.push(await ask(journal, intentId, null));
    const [one] = await ready('small', 1);
    if (one === undefined) throw new Error('not ready');
    const slot = await ask(one.journal, one.intentId, null);
    expect(slot).toEqual(before[1]);
    const after: Known[] = [];
    for (const [index, { journal, intentId }] of many.entries())
      after.push(await ask(journal, intentId, before[index] ?? null));
    expect(after.slice(0, -1)).toEqual([before[0], ...before.slice(2)]);
    const last = after.at(-1)?.at ?? 0;
    expect(last).toBeGreaterThan(before.at(-1)?.at ?? 0);
    // Every slot has one owner.
    expect(new Set([slot, ...after].map(({ lane, at }) => `${lane} ${at}`)).size).toBe(9);
  });

  it('alternates with a tenant that also has a backlog, by weight', async () => {
    await allow('big');
    await allow('heavy', { weight: 2 });
    const [first, ...many] = await ready('big', 9);
    await first?.journal.declareIntent({ ...intentOf('now'), rate: RATE });
    for (const { journal, intentId } of many) await ask(journal, intentId, null);
    const others = await ready('heavy', 6);
    for (const { journal, intentId } of others) await ask(journal, intentId, null);
    const { reserved } = rig.names.gate(REGION, DETECT);
    const owners = Object.values(await rig.redis.hgetall(reserved))
      .map((text) => text.split('|'))
      .sort(([a], [b]) => Number(a) - Number(b))
      .map(([, , tenant]) => tenant);
    expect(owners.slice(0, 9).filter((tenant) => tenant === 'heavy')).toHaveLength(6);
    expect(owners).toHaveLength(14);
  });

  it('leaves nothing behind when the calls are made', async () => {
    await allow('a');
    const quick = { lanes: 1, laneMs: 1, soonMs: 0, aheadMs: 60_000 };
    for (const { journal, intentId } of await ready('a', 5)) {
      expect((await journal.declareIntent({ ...intentOf(intentId), rate: quick })).kind).toBe('go');
      await journal.recordOutcome(outcomeOf(intentId, null));
    }
    expect(await rig.redis.exists(rig.names.gate(REGION, DETECT).reserved)).toBe(0);
  });
});

describe('quotas', () => {
  const refusalOf = (tenant: string) =>
    queue(tenant, 1).then(
      () => null,
      (error: { code: string; message: string; retryAfterMs?: number }) => error,
    );

  it('limits what has not ended, and counts an end, an erasure and a lost record', async () => {
    await allow('acme', { limits: { unfinished: 3 } });
    const [first = '', second = '', third = ''] = await queue('acme', 3);
    expect(await refusalOf('acme')).toMatchObject({
      code: 'QUOTA_USED_UP',
      message: expect.stringContaining('unfinished'),
    });
    await rig.client.cancel(first);
    await rig.client.erase(second, { by: 'maria', why: 'test' });
    await rig.redis.del(rig.names.journal(third));
    await rig.redis.zrem(rig.names.live, third); // what the sweeper does with the index of a lost record
    await queue('acme', 3);
    expect(await refusalOf('acme')).toMatchObject({ code: 'QUOTA_USED_UP' });
  });

  it('limits verifications in a day; a repeated request is none', async () => {
    await allow('acme', { limits: { perDay: 2 } });
    const request = await rig.request('again');
    const acme = rig.client.forTenant('acme');
    for (let turn = 0; turn < 3; turn += 1) await acme.enqueue(request);
    await queue('acme', 1);
    const refused = await refusalOf('acme');
    expect(refused).toMatchObject({ code: 'QUOTA_USED_UP', message: expect.stringContaining('perDay') });
    expect(refused?.retryAfterMs).toBeLessThanOrEqual(24 * 3_600_000);
    expect((await acme.enqueue(request)).status).toBe('same');
    await rig.redis.hset(rig.names.use('acme'), 'day', '1'); // as if the day were over
    await queue('acme', 2);
  });

  it('limits paid calls by the ledger, and only those of the tenant', async () => {
    await allow('acme', { limits: { budget: 'day=2calls' } });
    await allow('other', { limits: { budget: 'day=2calls' } });
    await rig.openWorker();
    for (const id of await queue('acme', 2)) await rig.client.wait(id, { until: 'ended' });
    expect(await refusalOf('acme')).toMatchObject({
      code: 'QUOTA_USED_UP',
      message: expect.stringContaining('budget of a day'),
    });
    expect(await refusalOf('other')).toBeNull();
    expect((await rig.client.forTenant('acme').costs()).map(({ paidCalls }) => paidCalls)).toEqual([2]);
  });

  it('is answered with 429 over HTTP', async () => {
    const http = await openHttp(rig);
    await allow('acme', { limits: { perDay: 1 } });
    try {
      const json = await rig.request('over-http');
      expect((await http.call('POST', '/v1/verifications', { json })).status).toBe(202);
      const answer = await http.call('POST', '/v1/verifications', { json: { ...json, key: 'second' } });
      expect(answer).toMatchObject({ status: 429, json: { code: 'QUOTA_USED_UP' } });
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    } finally {
      await http.close();
    }
  });
});

describe('a worker', () => {
  it.each(['interactive', 'batch'] as const)(
    'calls for a single %s verification long before a backlog ends',
    async (lane) => {
      await allow('big');
      await allow('small');
      const many = await queue('big', 200, { lane });
      await rig.openWorker({ BESTFRAME_QPS_DETECT: '20' });
      await rig.control.waitFor({ action: DETECT }, 5);
      const [one = ''] = await queue('small', 1, { lane });
      expect(await rig.client.wait(one, { until: 'ended', timeoutMs: 60_000 })).toMatchObject({ state: 'completed' });
      const called = (await rig.control.calls({ action: DETECT })).length;
      expect(called).toBeLessThan(many.length / 2);
    },
  );
});
