/** Tests held verifications: the causes of a hold, and the choices of an operator. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Running } from '../../src/app/running.ts';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import type { SampleOptions } from '../../src/emulator/samples.ts';
import { DECIDED, DETECT, entry, outcomeOf, payUnknown, REQUEUE, releaseLock, take } from '../support/attempts.ts';
import { createRig, type Rig } from '../support/rig.ts';

const BY = { by: 'maria', why: 'looked at the bill' };

let rig: Rig;
let worker: Running;

beforeAll(async () => {
  const env = {
    BESTFRAME_QPS_DETECT: '200',
    BESTFRAME_BACKOFF_MS: 'batch=50,interactive=50',
    BESTFRAME_CALL_SECONDS: 'batch=2,interactive=2',
  };
  rig = await createRig({ env, emulator: { qps: {} } });
  worker = await rig.openWorker();
});
afterEach(() => rig.control.clearFaults());
afterAll(() => rig.dispose());

async function createHeld(key: string, sample?: SampleOptions, more: Partial<VerificationRequest> = {}) {
  const { id } = await rig.client.enqueue(await rig.request(key, sample, { lane: 'batch', ...more }));
  const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 50_000 });
  expect(view).toMatchObject({ state: 'held', next: 'investigate' });
  if (view === null) throw new Error('the record is missing');
  return view;
}

const unreadable = (times: number): SampleOptions => ({ card: 'match', first: { unreadable: times } });

describe('a verification is held', () => {
  it('after its last rewind, and after the maximum of paid calls if each got an unknown code', async () => {
    const before = await rig.client.held({ reason: 'unknown' });
    expect(await createHeld('rewinds', unreadable(9))).toMatchObject({
      reason: { code: 'FailedOperation.DownLoadError', class: 'reupload' },
      paidCalls: 0,
    });
    await rig.control.fault({ kind: 'error', action: DETECT, code: 'FailedOperation.BrandNew', times: null });
    expect(await createHeld('unknown')).toMatchObject({
      reason: { code: 'FailedOperation.BrandNew', class: 'unknown' },
      paidCalls: 0,
      possiblyPaidCalls: 2,
    });
    const object = rig.client.idOf('unknown');
    expect(await rig.control.calls({ code: 'FailedOperation.BrandNew', object })).toHaveLength(2);
    const listed = await rig.client.held({ reason: 'unknown' });
    expect(listed.map(({ key }) => key).sort()).toEqual([...before.map(({ key }) => key), 'unknown'].sort());
    expect(await rig.client.held({ olderThanMs: 3_600_000 })).toEqual([]);
    expect(await rig.client.held({ region: 'ap-bangkok' })).toEqual([]);
  });

  it('after an unknown outcome under policy `review`, in lane batch; an interactive call is repeated once', async () => {
    await worker.stop(10_000);
    const reviewer = await rig.openWorker({ BESTFRAME_UNKNOWN_OUTCOME: 'review' });
    await rig.control.fault({ kind: 'drop', action: DETECT, object: rig.client.idOf('review') });
    expect(await createHeld('review')).toMatchObject({
      reason: { code: 'OUTCOME_UNKNOWN' },
      paidCalls: 0,
      possiblyPaidCalls: 1,
    });
    await rig.control.fault({ kind: 'drop', action: DETECT, object: rig.client.idOf('in-person') });
    const { id } = await rig.client.enqueue(await rig.request('in-person'));
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({
      state: 'completed',
      paidCalls: 1,
      possiblyPaidCalls: 1,
    });
    await reviewer.stop(10_000);
    worker = await rig.openWorker();
  });

  it('under policy `review`, if its worker died after an unknown outcome', async () => {
    await worker.stop(10_000);
    const { id } = await rig.client.enqueue(await rig.request('died', { card: 'match' }, { lane: 'batch' }));
    await payUnknown(await take(rig, id, 'worker:1', 1), 'a');
    await releaseLock(rig, id);
    const reviewer = await rig.openWorker({ BESTFRAME_UNKNOWN_OUTCOME: 'review' });
    const view = await rig.client.wait(id, { until: 'ended' });
    expect(view).toMatchObject({ state: 'held', reason: { code: 'OUTCOME_UNKNOWN' }, possiblyPaidCalls: 1 });
    expect(await rig.control.calls({ action: DETECT, object: id })).toEqual([]);
    expect(await rig.client.resolve(id, 'retry', { ...BY, payAgain: true })).toMatchObject({ status: 'ok' });
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed', paidCalls: 1 });
    await reviewer.stop(10_000);
    worker = await rig.openWorker();
  });
});

describe('an operator’s choice', () => {
  it('retry continues at the same stage, without a new upload', async () => {
    await rig.control.fault({
      kind: 'error',
      action: DETECT,
      code: 'FailedOperation.BrandNew',
      times: 2,
      object: rig.client.idOf('retry'),
    });
    const { id } = await createHeld('retry');
    expect(await rig.client.resolve(id, 'retry', BY)).toEqual({ status: 'pay_again', state: 'held' });
    expect(await rig.client.resolve(id, 'retry', { ...BY, payAgain: true })).toEqual({
      status: 'ok',
      state: 'delayed',
    });
    const view = await rig.client.wait(id, { until: 'ended' });
    expect(view).toMatchObject({ state: 'completed', decision: 'match', decidedBy: 'vendor', frame: 'stored' });
    expect(view?.history.find(({ event }) => event === 'resolved')).toMatchObject({ code: 'retry', ...BY });
    expect(await rig.control.calls({ service: 'cos', action: 'PutObject', object: id })).toHaveLength(2);
  });

  it('rewind uploads again under new keys, and allows further rewinds', async () => {
    const { id } = await createHeld('rewind', unreadable(4));
    expect(await rig.client.resolve(id, 'rewind', BY)).toMatchObject({ status: 'ok' });
    const view = await rig.client.wait(id, { until: 'ended' });
    expect(view).toMatchObject({ state: 'completed', decision: 'match' });
    const puts = await rig.control.calls({ service: 'cos', action: 'PutObject', object: id });
    expect(new Set(puts.map(({ objects }) => objects?.[0])).size).toBe(puts.length);
  });

  it('retry needs `payAgain` if an earlier call may have been paid', async () => {
    await rig.control.fault({ kind: 'drop', action: DETECT, times: 2, object: rig.client.idOf('twice') });
    const { id } = await createHeld('twice');
    expect(await rig.client.get(id)).toMatchObject({ possiblyPaidCalls: 2, reason: { code: 'OUTCOME_UNKNOWN' } });
    expect(await rig.client.resolve(id, 'retry', BY)).toEqual({ status: 'pay_again', state: 'held' });
    expect(await rig.client.resolve(id, 'retry', { ...BY, payAgain: true })).toMatchObject({ status: 'ok' });
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({
      state: 'completed',
      paidCalls: 1,
      possiblyPaidCalls: 2,
    });
  });

  it('recapture and fail end the verification, and recapture records the operator', async () => {
    const first = await createHeld('recapture', unreadable(9));
    expect(await rig.client.resolve(first.id, 'recapture', BY)).toEqual({ status: 'ok', state: 'completed' });
    expect(await rig.client.get(first.id)).toMatchObject({
      decision: 'recapture',
      next: 'recapture',
      decidedBy: 'maria',
      frame: 'none',
    });
    const second = await createHeld('fail', unreadable(9));
    expect(await rig.client.resolve(second.id, 'fail', BY)).toEqual({ status: 'ok', state: 'failed' });
    expect(await rig.client.get(second.id)).toMatchObject({
      state: 'failed',
      decision: null,
      reason: { code: 'FailedOperation.DownLoadError' },
    });
    expect(await rig.client.held()).not.toContainEqual(expect.objectContaining({ id: first.id }));
    expect(await rig.client.resolve(second.id, 'retry', BY)).toEqual({ status: 'not_held', state: 'failed' });
    expect(await rig.client.resolve('vnothing', 'retry', BY)).toEqual({ status: 'missing', state: null });
  });

  it('accept-late decides with the late answer of the vendor, and is refused without one', async () => {
    await worker.stop(10_000);
    const { id } = await rig.client.enqueue(await rig.request('late', { card: 'match' }, { lane: 'batch' }));
    const zombie = await take(rig, id, 'worker:1', 1);
    await payUnknown(zombie, 'a');
    await zombie.requeue({ ...REQUEUE, rewind: true });
    const next = await take(rig, id, 'worker:2', 2);
    await next.hold({ generation: 1, reason: REQUEUE.reason, holdMs: 60_000, entry: entry('held') });
    await releaseLock(rig, id);
    expect(await rig.client.resolve(id, 'accept-late', BY)).toEqual({ status: 'nothing_late', state: 'held' });
    const decided = { ...DECIDED, decision: 'no_match', similarity: 12 } as const;
    expect(await zombie.recordOutcome(outcomeOf('a', decided))).toBe('late');

    worker = await rig.openWorker();
    expect(await rig.client.get(id)).toMatchObject({ state: 'held', decision: null, lateAnswer: true });
    expect(await rig.client.resolve(id, 'accept-late', BY)).toMatchObject({ status: 'ok' });
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({
      state: 'completed',
      decision: 'no_match',
      similarity: 12,
      decidedBy: 'maria',
      paidCalls: 1,
    });
    expect(await rig.control.calls({ action: DETECT, object: id })).toEqual([]);
  });

  it('recapture and fail never result in a match', async () => {
    const { id } = await createHeld('no-match', unreadable(9));
    for (const choice of ['recapture', 'fail'] as const) {
      await rig.client.resolve(id, choice, BY);
      expect((await rig.client.get(id))?.decision).not.toBe('match');
    }
  });
});

it('cancel ends a held verification', async () => {
  const { id } = await createHeld('cancelled', unreadable(9));
  expect(await rig.client.cancel(id)).toEqual({ status: 'cancelled', state: 'cancelled' });
  expect((await rig.client.held()).map((view) => view.id)).not.toContain(id);
});

it('a held verification that nobody decides in time fails with its original reason', async () => {
  const { id } = await createHeld('forgotten', unreadable(9));
  await rig.redis.hset(rig.names.journal(id), 'heldUntil', 1);
  // Makes the job due. It is delayed only after the hold is recorded.
  const delayed = `${rig.names.prefix}:verify-ap-singapore:delayed`;
  await expect.poll(() => rig.redis.zscore(delayed, id), { timeout: 20_000 }).not.toBeNull();
  await rig.redis.zadd(delayed, 0, id);
  const view = await rig.client.wait(id, { until: 'ended' });
  await expect.poll(async () => (await rig.client.get(id))?.state, { timeout: 20_000 }).toBe('failed');
  expect(view?.reason?.code).toBe('FailedOperation.DownLoadError');
});
