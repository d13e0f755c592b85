/**
 * Tests that whatever a crash leaves behind is repaired by the sweeper and the outbox, and that a drained worker leaves nothing
 * to repair.
 */
import type { Queue } from 'bullmq';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Sweeper } from '../../src/background/sweeper.ts';
import { MAX_UPLOAD_AGE_MS } from '../../src/domain/verification/policy.ts';
import type { Region } from '../../src/domain/verification/regions.ts';
import { openEraseQueue } from '../../src/redis/erase-queue.ts';
import type { VerifyJob } from '../../src/redis/job-options.ts';
import { openNotifyQueue } from '../../src/redis/notify-queue.ts';
import { Outbox } from '../../src/redis/outbox.ts';
import { openVerifyQueue } from '../../src/redis/verify-queue.ts';
import { ADMISSION, intentOf, outcomeOf, REQUEUE, releaseLock, take } from '../support/attempts.ts';
import { createRig, type Rig } from '../support/rig.ts';

let rig: Rig;
let queue: Queue<VerifyJob>;
let erase: Queue;
let notify: Queue;
let sweeper: Sweeper;

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_QPS_DETECT: '200' }, emulator: { qps: {} } });
  queue = openVerifyQueue(rig.deployment, 'ap-singapore');
  erase = openEraseQueue(rig.deployment);
  notify = openNotifyQueue(rig.deployment);
  const outbox = new Outbox(rig.deployment, erase, notify);
  const queues = new Map<Region, Queue<VerifyJob>>([['ap-singapore', queue]]);
  sweeper = new Sweeper({
    deployment: rig.deployment,
    queues,
    outbox,
    expiryMs: 60_000,
    log: pino({ level: 'silent' }),
  });
});
afterEach(() => rig.control.clearFaults());
afterAll(async () => {
  await Promise.all([queue.close(), erase.close(), notify.close()]);
  await rig.dispose();
});

it('adds the missing job of a claimed verification', async () => {
  const { id } = await rig.client.enqueue(await rig.request('no-job'));
  await queue.remove(id);
  expect(await sweeper.sweep(0)).toMatchObject({ requeued: 1 });
  expect(await queue.getJobState(id)).toBe('prioritized');
  expect(await sweeper.sweep(0)).toMatchObject({ requeued: 0 });
  await rig.client.cancel(id);
});

it('requeues a job that somebody moved to failed: only the journal ends a verification', async () => {
  const { id } = await rig.client.enqueue(await rig.request('failed-by-hand'));
  await rig.redis.zrem(`${rig.names.prefix}:verify-ap-singapore:prioritized`, id);
  await rig.redis.zadd(`${rig.names.prefix}:verify-ap-singapore:failed`, Date.now(), id);
  expect(await sweeper.sweep(0)).toMatchObject({ requeued: 1 });
  const worker = await rig.openWorker();
  expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed', decision: 'match' });
  await worker.stop(5_000);
});

it('delivers a follow-up that was left in the outbox, under an id of its verification', async () => {
  const { id } = await rig.client.enqueue(await rig.request('outbox'));
  const { region, action } = (await rig.client.get(id)) ?? {};
  const data = { id, region, action, generations: 1, secondPass: 'required' };
  // Simulates a worker that dies after it settles and before it delivers.
  await rig.redis.hset(rig.names.outbox, id, JSON.stringify({ erase: data }));
  expect(await sweeper.sweep(0)).toMatchObject({ delivered: 1 });
  expect(await rig.redis.hexists(rig.names.outbox, id)).toBe(0);
  expect((await erase.getJob(`erase-${id}-1`))?.data).toEqual(data);
  await rig.client.cancel(id);
});

it('changes and pays nothing if the job of an ended verification runs again', async () => {
  const worker = await rig.openWorker();
  const { id } = await rig.client.enqueue(await rig.request('again'));
  const first = await rig.client.wait(id, { until: 'ended' });
  await expect.poll(() => queue.getJobState(id)).toBe('completed');
  await (await queue.getJob(id))?.retry('completed');
  await expect.poll(async () => (await queue.getJob(id))?.attemptsStarted).toBe(2);
  await expect.poll(() => queue.getJobState(id)).toBe('completed');
  expect(await rig.client.get(id)).toEqual(first);
  expect(await rig.control.calls({ action: 'DetectReflectLivenessAndCompare', object: id })).toHaveLength(1);
  await worker.stop(5_000);
});

it('draining takes no new job, finishes the running one, and reports that it did', async () => {
  const worker = await rig.openWorker({ BESTFRAME_SLOTS: '1' });
  const object = rig.client.idOf('drains');
  const hold = await rig.control.fault({ kind: 'hold', action: 'DetectReflectLivenessAndCompare', object });
  const running = await rig.client.enqueue(await rig.request('drains'));
  await rig.control.waitFor({ event: 'held', object });
  const waiting = await rig.client.enqueue(await rig.request('stays'));
  const drained = worker.stop(30_000);
  await rig.control.release(hold);
  expect(await drained).toBe(true);
  expect(await rig.client.get(running.id)).toMatchObject({ state: 'completed', frame: 'stored' });
  expect(await rig.client.get(waiting.id)).toMatchObject({ state: 'queued' });
  await rig.client.cancel(waiting.id);
});

it('fails a verification past its deadline without calling detect', async () => {
  const deadline = new Date(Date.now() + 1_500).toISOString();
  const { id } = await rig.client.enqueue(await rig.request('late', { card: 'match' }, { deadline }));
  await expect.poll(() => Date.now(), { timeout: 10_000 }).toBeGreaterThan(Date.parse(deadline));
  const worker = await rig.openWorker();
  const view = await rig.client.wait(id, { until: 'ended' });
  expect(view).toMatchObject({ state: 'failed', paidCalls: 0, reason: { code: 'DEADLINE_EXCEEDED' } });
  expect(await rig.control.calls({ action: 'DetectReflectLivenessAndCompare', object: id })).toEqual([]);
  await worker.stop(5_000);
});

it('a verification that crashes its workers during its call waits for the answer, and then says that the call may be billed', async () => {
  const { id } = await rig.client.enqueue(await rig.request('poison'));
  const journal = await take(rig, id, 'dead:1', 1);
  await journal.begin('interactive', 3, ADMISSION);
  const calledAt = Date.now();
  expect((await journal.declareIntent(intentOf('in-flight'))).kind).toBe('go');
  await rig.redis.hset(rig.names.journal(id), 'crashed', 3);
  await releaseLock(rig, id);
  const worker = await rig.openWorker();
  const view = await rig.client.wait(id, { until: 'ended' });
  await worker.stop(5_000);
  expect(view).toMatchObject({ state: 'failed', reason: { code: 'POISON' }, paidCalls: 0, possiblyPaidCalls: 1 });
  expect(view?.history).toContainEqual(expect.objectContaining({ event: 'unknown', possiblyBilled: true }));
  expect(Date.parse(view?.endedAt ?? '') - calledAt).toBeGreaterThanOrEqual(intentOf('').callMs);
});

it('the sweeper fails a verification past its deadline, even if no worker runs', async () => {
  const deadline = new Date(Date.now() + 1_200).toISOString();
  const { id } = await rig.client.enqueue(await rig.request('nobody', { card: 'match' }, { deadline }));
  await sweeper.sweep(0);
  expect(await rig.client.get(id)).toMatchObject({ state: 'queued' });
  // As if a worker had waited for the end of an outage before it stopped.
  const outage = { code: 'TIMEOUT', class: 'transient', dependency: 'cos:put' };
  await rig.redis.hset(rig.names.journal(id), 'reason', JSON.stringify({ ...outage, stage: 'upload' }));
  await expect.poll(() => Date.now(), { timeout: 10_000 }).toBeGreaterThan(Date.parse(deadline));
  await sweeper.sweep(0);
  expect(await rig.client.get(id)).toMatchObject({
    state: 'failed',
    paidCalls: 0,
    reason: { code: 'DEADLINE_EXCEEDED', waitedFor: outage },
  });
  expect(await queue.getJobState(id)).toBe('unknown');
});

it('the sweeper ends a cancelled verification past its deadline as cancelled', async () => {
  const { id } = await rig.client.enqueue(await rig.request('given-up'));
  const journal = await take(rig, id, 'worker:1', 1);
  await journal.declareIntent(intentOf('a'));
  expect((await rig.client.cancel(id)).status).toBe('cancelling');
  expect(await journal.requeue(REQUEUE)).toBe('ok'); // the job is not cancelled yet, because its paid call is open
  await releaseLock(rig, id);
  await journal.recordOutcome({ ...outcomeOf('a', null), sent: false });
  await rig.redis.hset(rig.names.journal(id), 'deadline', 1);
  await sweeper.sweep(0);
  expect(await rig.client.get(id)).toMatchObject({ state: 'cancelled', reason: { code: 'CANCELLED' } });
});

it('requeues a verification that its worker cannot finish before the drain ends, and counts no crash', async () => {
  const worker = await rig.openWorker({ BESTFRAME_LEASE_MS: '60000' });
  const object = rig.client.idOf('handed-back');
  await rig.control.fault({ kind: 'hold', service: 'cos', action: 'PutObject', object, times: 2 });
  const { id } = await rig.client.enqueue(await rig.request('handed-back'));
  await rig.control.waitFor({ event: 'held', object }, 2);
  expect(await worker.stop(100)).toBe(false);
  expect(await rig.client.get(id)).toMatchObject({ state: 'delayed', reason: { code: 'WORKER_DRAINED' } });
  expect(await rig.redis.hmget(rig.names.journal(id), 'starts', 'yields', 'a:upload')).toEqual(['1', '1', null]);
  // Without the requeue, the lease would block the other worker for a minute.
  const other = await rig.openWorker();
  expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed', decision: 'match' });
  await other.stop(5_000);
});

it('batch verifications in all worker slots do not wait for an interactive one that has no slot', async () => {
  const batch = await Promise.all(['a', 'b'].map((name) => rig.request(`has-a-slot-${name}`)));
  const ids = (await rig.client.enqueueMany(batch)).flatMap((each) => (each.status === 'refused' ? [] : each.id));
  const { express } = rig.names.gate('ap-singapore', 'DetectReflectLivenessAndCompare');
  await rig.redis.zadd(express, Date.now() + 9_900, 'no-slot');
  const worker = await rig.openWorker({ BESTFRAME_SLOTS: '2' });
  for (const id of ids) expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed' });
  // The interactive verification still waits, so it could have blocked the batch verifications.
  expect(await rig.redis.zrem(express, 'no-slot')).toBe(1);
  await worker.stop(5_000);
});

describe('an upload that completes after its verification has ended', () => {
  const objectsOf = async (id: string) => (await rig.control.objects()).filter(({ key }) => key.includes(id));

  /**
   * Expects the erase job to make a second pass after the longest time that an upload may take. Puts an object under the key, as
   * a late upload would. The job must not run before the second pass is due, and must end afterwards.
   */
  async function expectSecondPass(jobId: string, key: string) {
    const secondPassAt = async () => (await erase.getJob(jobId))?.data.secondPass;
    await expect.poll(secondPassAt).toBeGreaterThan(Date.now() + MAX_UPLOAD_AGE_MS / 2);
    await expect.poll(() => erase.getJobState(jobId)).toBe('delayed');
    await rig.control.putObject(rig.bucket, key, Buffer.from('late'));
    const job = await erase.getJob(jobId);
    await job?.promote();
    await expect.poll(() => erase.getJobState(jobId)).toBe('delayed'); // the second pass is not due yet
    await job?.updateData({ ...job.data, secondPass: Date.now() });
    await job?.promote();
    await expect.poll(() => erase.getJobState(jobId)).toBe('unknown');
  }

  it('is deleted if an attempt died without a report', async () => {
    const { id } = await rig.client.enqueue(await rig.request('stray'));
    await take(rig, id, 'dead:1', 1).then((journal) => journal.begin('interactive', 5, ADMISSION));
    await releaseLock(rig, id);
    const running = [await rig.openWorker(), await rig.openErase()];
    await rig.client.wait(id, { until: 'ended' });
    await expectSecondPass(`erase-${id}-1`, `${rig.config.objectFolder}/${id}/0/image`);
    expect(await objectsOf(id)).toEqual([]);
    await Promise.all(running.map((each) => each.stop(5_000)));
  });

  it('is deleted if the caller cancelled before another worker took over from the dead one', async () => {
    const { id } = await rig.client.enqueue(await rig.request('stray-cancelled'));
    await take(rig, id, 'dead:1', 1).then((journal) => journal.begin('interactive', 5, ADMISSION));
    await releaseLock(rig, id);
    expect(await rig.client.cancel(id)).toMatchObject({ status: 'cancelled' });
    const job = async () => (await erase.getJobs(['waiting', 'delayed'])).find(({ data }) => data.id === id);
    await sweeper.sweep(0);
    expect((await job())?.data).toMatchObject({ secondPass: 'required' });
  });

  it('is not waited for if every attempt reported its end', async () => {
    const running = [await rig.openWorker(), await rig.openErase()];
    const { id } = await rig.client.enqueue(await rig.request('no-stray'));
    await rig.client.wait(id, { until: 'ended' });
    await expect.poll(() => objectsOf(id)).toEqual([]);
    expect(await erase.getJobState(`erase-${id}-1`)).toBe('unknown');
    await Promise.all(running.map((each) => each.stop(5_000)));
  });

  it('is deleted if the verification was erased during the upload, and the receipt announces it', async () => {
    const { id } = await rig.client.enqueue(await rig.request('stray-erased'));
    const erased = await rig.client.erase(id, { by: 'officer', why: 'asked for' });
    expect(erased).toMatchObject({
      receipt: {
        notConfirmed: [expect.stringContaining('upload that was running'), expect.anything(), expect.anything()],
      },
    });
    const running = await rig.openErase();
    await expectSecondPass(`forget-${id}`, `${rig.config.objectFolder}/${id}/0/image`);
    expect(await objectsOf(id)).toEqual([]);
    await running.stop(5_000);
  });
});
