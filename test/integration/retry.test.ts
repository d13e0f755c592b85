/**
 * Tests retries of ended verifications: for every reason, the retry does what its dry run announced; nothing is paid twice;
 * deletions and late writes of the earlier run do not affect the new run.
 */
import { rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Running } from '../../src/app/running.ts';
import { RETRY_STATUSES, type RetryStatus } from '../../src/domain/operations/retries.ts';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import { openEraseQueue } from '../../src/redis/erase-queue.ts';
import { openVerifyQueue } from '../../src/redis/verify-queue.ts';
import {
  DECIDED,
  DETECT,
  entry,
  outcomeOf,
  payUnknown,
  REGION,
  releaseLock,
  SETTLE,
  take,
} from '../support/attempts.ts';
import { createRig, type Rig } from '../support/rig.ts';

const BY = { by: 'maria', why: 'the account was mended' };
const REFUSED = 'InvalidParameterValue';
const KEEP = { ms: 3_600_000, maxPayments: 2 };
const FAILED = { ...SETTLE, state: 'failed', reason: { code: REFUSED, class: 'caller' }, keep: KEEP } as const;

let rig: Rig;
let worker: Running;

beforeAll(async () => {
  const env = {
    BESTFRAME_QPS_DETECT: '200',
    BESTFRAME_BACKOFF_MS: 'batch=50,interactive=50',
  };
  rig = await createRig({ env, emulator: { qps: {} } });
  worker = await rig.openWorker();
  await rig.openErase();
});
afterEach(() => rig.control.clearFaults());
afterAll(() => rig.dispose());

async function ended(id: string) {
  const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 50_000 });
  if (view === null) throw new Error('the record is missing');
  return view;
}

async function untilRested(id: string) {
  const { lock } = rig.names.job(REGION, id);
  await expect.poll(() => rig.redis.exists(lock), { timeout: 20_000 }).toBe(0);
  await expect.poll(() => rig.redis.hexists(rig.names.outbox, id), { timeout: 20_000 }).toBe(0);
}

/** Runs a verification that ends as failed: Tencent refuses its only call, and does not bill it. */
async function failed(key: string, more: Partial<VerificationRequest> = {}): Promise<string> {
  await rig.control.fault({ kind: 'error', action: DETECT, code: REFUSED, object: rig.client.idOf(key) });
  const { id } = await rig.client.enqueue(await rig.request(key, { card: 'match' }, more));
  expect(await ended(id)).toMatchObject({ state: 'failed', reason: { code: REFUSED, class: 'caller' }, paidCalls: 0 });
  await untilRested(id);
  return id;
}

async function lostFrame(key: string): Promise<string> {
  const gone = { kind: 'error', service: 'cos', action: 'GetObject', object: 'faceid-result' } as const;
  await rig.control.fault({ ...gone, code: 'NoSuchKey', status: 404, times: null });
  const { id } = await rig.client.enqueue(await rig.request(key));
  expect(await ended(id)).toMatchObject({ state: 'completed', frame: 'lost', reason: { code: 'FRAME_MISSING' } });
  await rig.control.clearFaults();
  await untilRested(id);
  return id;
}

/** Ends a verification as failed without a worker, after `unknown` calls with an unknown outcome. */
async function failedUnpaid(key: string, unknown: number): Promise<string> {
  const id = rig.client.idOf(key);
  await rig.client.enqueue(await rig.request(key));
  const journal = await take(rig, id, 'worker:1', 1);
  for (let call = 0; call < unknown; call += 1) await payUnknown(journal, `${key}-${call}`);
  expect(await journal.settle(FAILED)).toMatchObject({ kind: 'ok', state: 'failed' });
  await releaseLock(rig, id);
  return id;
}

/** One verification for each status that a retry can have. */
const CASES: Readonly<Record<RetryStatus, (key: string) => Promise<string>>> = {
  run: (key) => failed(key),
  frame: lostFrame,
  missing: async (key) => rig.client.idOf(key),
  erased: async (key) => {
    const id = await failed(key);
    await rig.client.erase(id, BY);
    return id;
  },
  legal_hold: async (key) => {
    const id = await failed(key);
    await rig.client.legalHold(id, BY);
    return id;
  },
  not_ended: async (key) => {
    await rig.control.fault({ kind: 'hold', action: DETECT, object: rig.client.idOf(key) });
    const { id } = await rig.client.enqueue(await rig.request(key));
    await rig.control.waitFor({ event: 'held', object: id });
    return id;
  },
  cancelled: async (key) => {
    const { id } = await rig.client.enqueue(await rig.request(key));
    await rig.client.cancel(id);
    await ended(id);
    return id;
  },
  answered: async (key) => {
    const { id } = await rig.client.enqueue(await rig.request(key));
    await ended(id);
    return id;
  },
  ending: async (key) => {
    const id = await failed(key);
    await rig.redis.set(rig.names.job(REGION, id).lock, 'worker:1');
    return id;
  },
  sources_gone: async (key) => {
    const id = await failed(key);
    await rig.redis.del(rig.names.kept(id)); // simulates the end of the retention time
    return id;
  },
  file_unreadable: async (key) => {
    const request = await rig.request(key);
    const id = await failed(key);
    const { image } = request.resources;
    if (image?.from === 'file') await rm(image.path);
    return id;
  },
  link_expired: async (key) => {
    const id = await lostFrame(key);
    await rig.redis.del(rig.names.kept(id));
    return id;
  },
  payments_used: async (key) => {
    const id = await failed(key);
    await rig.redis.hset(rig.names.journal(id), 'maybe', 2);
    return id;
  },
};

describe('for every reason', () => {
  it('the dry run changes nothing and says what the retry then does', async () => {
    const made = new Map<string, RetryStatus>();
    const names = Object.keys(CASES) as RetryStatus[];
    expect([...names].sort()).toEqual(Object.keys(RETRY_STATUSES).sort());
    // `not_ended` comes last: a fault holds its call, and the other cases clear all faults.
    for (const status of [...names.filter((name) => name !== 'not_ended'), 'not_ended'] as RetryStatus[])
      made.set(await CASES[status](`case-${status.replaceAll('_', '-')}`), status);
    const ids = [...made.keys()];
    const snapshot = async () => {
      const keys = ids.flatMap((id) => [rig.names.journal(id), rig.names.kept(id)]);
      return Promise.all(keys.map((key) => rig.redis.hgetall(key)));
    };
    const before = await snapshot();
    const plan = await rig.client.retry({ ids, ...BY, dryRun: true });
    expect(await snapshot()).toEqual(before);
    expect(Object.fromEntries(plan.map(({ id, status }) => [id, status]))).toEqual(Object.fromEntries(made));
    expect(await rig.client.retry({ ids, ...BY }, { rate: 1_000 })).toEqual(plan);
    for (const [id, status] of made) {
      if (status === 'run')
        expect(await ended(id)).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1 });
      if (status === 'frame') expect(await ended(id)).toMatchObject({ frame: 'stored', paidCalls: 1 });
    }
    const untouched = ids.flatMap((id, index) =>
      ['run', 'frame', 'not_ended'].includes(made.get(id) ?? '') ? [] : [index],
    );
    const after = await snapshot();
    for (const index of untouched) expect(after[index * 2], ids[index]).toEqual(before[index * 2]);
  });
});

describe('a failed verification', () => {
  it('runs under a new generation and lane, and keeps its earlier end in the history', async () => {
    const id = await failed('again', { metadata: { order: '7' } });
    expect(await rig.client.retry({ ids: [id], ...BY })).toEqual([{ id, code: REFUSED, status: 'run' }]);
    const view = await ended(id);
    expect(view).toMatchObject({ state: 'completed', decision: 'match', frame: 'stored', lane: 'batch', reason: null });
    expect(view.metadata).toEqual({ order: '7' });
    const events = view.history.map(({ event, stage = '' }) => `${event} ${stage}`.trim());
    expect(events).toEqual([
      ...['done upload', 'done md5', 'error detect', 'ended detect', 'retried'],
      ...['done upload', 'done md5', 'done detect', 'done download'],
    ]);
    expect(view.history.find(({ event }) => event === 'retried')).toMatchObject({ code: REFUSED, ...BY });
    const puts = await rig.control.calls({ service: 'cos', action: 'PutObject', object: id });
    expect(new Set(puts.flatMap(({ objects }) => objects ?? [])).size).toBe(4);
    await expect.poll(async () => (await rig.control.objects()).filter(({ key }) => key.includes(id))).toEqual([]);
    expect(await rig.redis.exists(rig.names.kept(id))).toBe(0);
    expect(await rig.redis.hexists(rig.names.journal(id), 'src')).toBe(0);
    expect(await rig.redis.pttl(rig.names.journal(id))).toBeGreaterThan(0);
  });

  it('is started by exactly one of many concurrent retries', async () => {
    const id = await failed('concurrent');
    const all = await Promise.all(Array.from({ length: 12 }, () => rig.client.retry({ ids: [id], ...BY })));
    const statuses = all.flatMap((results) => results.map(({ status }) => status));
    expect(statuses.filter((status) => status === 'run')).toHaveLength(1);
    expect(await ended(id)).toMatchObject({ state: 'completed', paidCalls: 1, possiblyPaidCalls: 0 });
    expect((await rig.client.get(id))?.history.filter(({ event }) => event === 'retried')).toHaveLength(1);
    expect(await rig.control.calls({ action: DETECT, object: id, billed: true })).toHaveLength(1);
  });

  it('can fail and be retried again, and each end is kept', async () => {
    const id = await failed('twice');
    await rig.control.fault({ kind: 'error', action: DETECT, code: REFUSED, object: id });
    await rig.client.retry({ ids: [id], ...BY });
    expect(await ended(id)).toMatchObject({ state: 'failed', reason: { code: REFUSED } });
    await expect.poll(async () => (await rig.client.retry({ ids: [id], ...BY }))[0]?.status).toBe('run');
    const view = await ended(id);
    expect(view).toMatchObject({ state: 'completed', paidCalls: 1 });
    expect(view.history.filter(({ event }) => event === 'ended' || event === 'retried')).toHaveLength(4);
  });

  it('is kept as long as configured, and not at all after cancel, an operator’s fail, or with 0 hours', async () => {
    const id = await failed('kept');
    const ttl = await rig.redis.pttl(rig.names.kept(id));
    expect(ttl).toBeGreaterThan(23 * 3_600_000);
    expect(ttl).toBeLessThanOrEqual(24 * 3_600_000);
    await worker.stop(10_000);
    worker = await rig.openWorker({ BESTFRAME_KEEP_SOURCES_HOURS: '0' });
    const dropped = await failed('dropped');
    expect(await rig.redis.exists(rig.names.kept(dropped))).toBe(0);
    expect(await rig.client.retry({ ids: [dropped], ...BY })).toMatchObject([{ status: 'sources_gone' }]);
    await worker.stop(10_000);
    worker = await rig.openWorker();
    const card = { card: 'match', first: { unreadable: 9 } } as const;
    const { id: held } = await rig.client.enqueue(await rig.request('operator-failed', card, { lane: 'batch' }));
    expect(await ended(held)).toMatchObject({ state: 'held' });
    await rig.client.resolve(held, 'fail', BY);
    expect(await rig.redis.exists(rig.names.kept(held))).toBe(0);
  });
});

describe('money', () => {
  it('calls of the earlier run count toward the limit of the new run', async () => {
    await worker.stop(10_000);
    const one = await failedUnpaid('one-unknown', 1);
    const two = await failedUnpaid('two-unknown', 2);
    const results = await rig.client.retry({ ids: [one, two], ...BY });
    expect(results.map(({ status }) => status)).toEqual(['run', 'payments_used']);
    worker = await rig.openWorker();
    expect(await ended(one)).toMatchObject({ state: 'completed', paidCalls: 1, possiblyPaidCalls: 1 });
    expect(await rig.client.get(two)).toMatchObject({ state: 'failed', possiblyPaidCalls: 2 });
    expect(await rig.control.calls({ action: DETECT, object: two })).toEqual([]);
  });

  it('a recording that was answered under a new key meanwhile is not paid for again', async () => {
    const request = await rig.request('caller-again');
    const id = await failed('caller-again');
    const { id: newer } = await rig.client.enqueue({ ...request, key: 'caller-again-2' });
    expect(await ended(newer)).toMatchObject({ state: 'completed', paidCalls: 1 });
    expect(await rig.client.retry({ ids: [id], ...BY })).toMatchObject([{ status: 'run' }]);
    expect(await ended(id)).toMatchObject({ state: 'failed', reason: { code: 'REUSED_LIVE_DATA' }, paidCalls: 0 });
  });

  it('an attempt of the earlier run writes nothing, and its late answer is counted but does not decide', async () => {
    await worker.stop(10_000);
    const id = rig.client.idOf('zombie');
    await rig.client.enqueue(await rig.request('zombie'));
    const zombie = await take(rig, id, 'worker:1', 1);
    await payUnknown(zombie, 'zombie-call');
    await zombie.settle(FAILED);
    await releaseLock(rig, id);
    expect(await rig.client.retry({ ids: [id], ...BY })).toMatchObject([{ status: 'run' }]);
    // In the new job, attempts are counted from 1 again, and a slot reuses its token. Only the generation tells the two runs
    // apart.
    const next = await take(rig, id, 'worker:1', 1);
    expect(await zombie.settle(FAILED)).toMatchObject({ kind: 'lost' });
    expect(await zombie.commit({ stage: 'upload', generation: 0, outcome: {}, entry: entry() })).toBe('lost');
    expect(await zombie.recordOutcome(outcomeOf('zombie-call', DECIDED))).toBe('late');
    const begun = await next.begin('batch', 3, { capacity: 10, holdMs: 60_000 });
    expect(begun).toMatchObject({ verdict: 'go', record: { generation: 1, paid: 1, possiblyPaid: 0, decision: null } });
    await releaseLock(rig, id);
    worker = await rig.openWorker();
    expect(await ended(id)).toMatchObject({ state: 'completed', paidCalls: 2, possiblyPaidCalls: 0 });
  });
});

describe('the deletions after the earlier end', () => {
  it('leave the objects of the new run, even if they come late', async () => {
    const id = await failed('late-erase');
    const hold = await rig.control.fault({ kind: 'hold', action: DETECT, object: id });
    await rig.client.retry({ ids: [id], ...BY });
    await rig.control.waitFor({ event: 'held', object: id });
    const objects = async () => (await rig.control.objects()).filter(({ key }) => key.includes(`${id}/1/`));
    const uploaded = await objects();
    expect(uploaded).toHaveLength(2);
    const queue = openEraseQueue(rig.deployment);
    const job = { id, region: REGION, action: DETECT, generations: 1 } as const;
    const late = await queue.add('erase', job, { jobId: `erase-${id}-late` });
    await expect.poll(() => late.isCompleted()).toBe(true);
    await queue.close();
    expect(await objects()).toEqual(uploaded);
    await rig.control.release(hold);
    expect(await ended(id)).toMatchObject({ state: 'completed', paidCalls: 1 });
  });

  it('a retry cancels the expiry of the record', async () => {
    await worker.stop(10_000);
    const id = await failedUnpaid('expiry', 0);
    expect(await rig.redis.pttl(rig.names.journal(id))).toBeGreaterThan(0);
    await rig.client.retry({ ids: [id], ...BY });
    expect(await rig.redis.pttl(rig.names.journal(id))).toBe(-1);
    expect(await rig.redis.pttl(rig.names.history(id))).toBe(-1);
    expect(await rig.redis.zscore(rig.names.ended, id)).toBeNull();
    expect(await rig.redis.zscore(rig.names.live, id)).not.toBeNull();
    worker = await rig.openWorker();
    await ended(id);
  });

  it('an erasure removes the data that is kept for a retry', async () => {
    const id = await failed('erase-kept');
    expect(await rig.redis.exists(rig.names.kept(id))).toBe(1);
    await rig.client.erase(id, BY);
    expect(await rig.redis.exists(rig.names.kept(id))).toBe(0);
    expect(await rig.client.retry({ ids: [id], ...BY })).toEqual([{ id, code: null, status: 'erased' }]);
  });
});

it('the sweeper adds the job if the process died after the write, and keeps the sources of what it ends itself', async () => {
  await worker.stop(10_000);
  const queue = openVerifyQueue(rig.deployment, REGION);
  const id = await failedUnpaid('no-job', 0);
  await rig.client.retry({ ids: [id], ...BY });
  const { id: overdue } = await rig.client.enqueue(await rig.request('overdue'));
  await rig.redis.hset(rig.names.journal(overdue), 'deadline', 1);
  for (const each of [id, overdue]) {
    await queue.remove(each);
    await rig.redis.zadd(rig.names.live, 1, each); // so old that the sweeper looks at it
  }
  worker = await rig.openWorker();
  expect(await ended(id)).toMatchObject({ state: 'completed', decision: 'match' });
  expect(await ended(overdue)).toMatchObject({ state: 'failed', reason: { code: 'DEADLINE_EXCEEDED' } });
  expect(await rig.client.retry({ ids: [overdue], ...BY })).toMatchObject([{ status: 'run' }]);
  expect(await ended(overdue)).toMatchObject({ state: 'completed', decision: 'match' });
  await queue.close();
});

describe('a selection', () => {
  it('filters by class, code, region and time of the end, and returns each verification once', async () => {
    await worker.stop(10_000);
    const since = new Date().toISOString();
    const ids: string[] = [];
    for (let index = 0; index < 7; index += 1) ids.push(await failedUnpaid(`select-${index}`, 0));
    const plan = (more: object) => rig.client.retry({ since, ...BY, dryRun: true, ...more });
    expect((await plan({ class: 'caller' })).map(({ id }) => id)).toEqual(ids);
    expect((await plan({ code: REFUSED, region: REGION })).map(({ id }) => id)).toEqual(ids);
    expect(await plan({ class: 'transient' })).toEqual([]);
    expect(await plan({ code: 'TIMEOUT', class: 'caller' })).toEqual([]);
    expect(await plan({ class: 'caller', region: 'ap-bangkok' })).toEqual([]);
    expect(await plan({ class: 'caller', since: new Date(Date.now() + 60_000).toISOString() })).toEqual([]);
    const progress: number[] = [];
    const done = await rig.client.retry(
      { since, class: 'caller', ...BY },
      { rate: 3, onProgress: (count) => progress.push(count) },
    );
    expect(done).toEqual(ids.map((id) => ({ id, code: REFUSED, status: 'run' })));
    expect(progress).toEqual([3, 6, 7]);
    worker = await rig.openWorker();
    for (const id of ids) expect(await ended(id)).toMatchObject({ state: 'completed', paidCalls: 1 });
  });

  it.each([
    [{}, 'since'],
    [{ since: 'yesterday', class: 'caller' }, 'since'],
    [{ since: '2026-11-25T09:30:00Z' }, 'class'],
    [{ ids: ['v1'], class: 'caller' }, 'ids'],
    [{ since: '2026-11-25T09:30:00Z', class: 'calle' }, 'class'],
    [{ ids: ['v1'], why: ' ' }, 'why'],
  ])('%j is refused, and names %s', async (selection, field) => {
    await expect(rig.client.retry({ ...BY, ...selection })).rejects.toMatchObject({ code: 'MALFORMED_REQUEST', field });
  });

  it('a tenant retries only its own verifications, and sees nothing of other tenants', async () => {
    const since = new Date().toISOString();
    await rig.permit('acme');
    const acme = rig.client.forTenant('acme');
    await rig.control.fault({ kind: 'error', action: DETECT, code: REFUSED, object: acme.idOf('of-acme') });
    const { id } = await acme.enqueue(await rig.request('of-acme'));
    await acme.wait(id, { until: 'ended' });
    await untilRested(id);
    const other = rig.client.forTenant('other');
    expect(await other.retry({ since, class: 'caller', ...BY, dryRun: true })).toEqual([]);
    expect(await other.retry({ ids: [id], ...BY })).toEqual([{ id, code: null, status: 'missing' }]);
    await acme.erase(await failedOf(acme), BY);
    expect(await other.retry({ ids: [acme.idOf('erased-acme')], ...BY })).toMatchObject([{ status: 'missing' }]);
    expect(await acme.retry({ since, class: 'caller', ...BY })).toEqual([{ id, code: REFUSED, status: 'run' }]);
    expect(await acme.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed' });
  });

  async function failedOf(tenant: Rig['client']): Promise<string> {
    const { id } = await tenant.enqueue(await rig.request('erased-acme'));
    await tenant.wait(id, { until: 'ended' });
    return id;
  }
});
