/** What the sweeper, the outbox and a worker's drain repair or leave in order. */
import type { Queue } from 'bullmq';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Region } from '../../src/domain/actions.ts';
import { STRAY_MS } from '../../src/domain/policy.ts';
import { openEraseQueue } from '../../src/queue/erase-queue.ts';
import { openNotifyQueue } from '../../src/queue/notify-queue.ts';
import type { VerifyJob } from '../../src/queue/options.ts';
import { Outbox } from '../../src/queue/outbox.ts';
import { Sealer } from '../../src/queue/seal.ts';
import { openVerifyQueue } from '../../src/queue/verify-queue.ts';
import { Sweeper } from '../../src/runtime/sweeper.ts';
import { ADMISSION, handOver, intentOf, letGo, outcomeOf, take } from '../support/attempts.ts';
import { createRig, type Rig } from '../support/rig.ts';

let rig: Rig;
let queue: Queue<VerifyJob>;
let erase: Queue;
let notify: Queue;
let sweeper: Sweeper;

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_QPS_DETECT: '200' }, emulator: { qps: {} } });
  queue = openVerifyQueue(rig.redis, rig.names, 'ap-singapore');
  erase = openEraseQueue(rig.redis, rig.names);
  notify = openNotifyQueue(rig.redis, rig.names);
  const outbox = new Outbox(rig.redis, rig.names, erase, notify);
  const queues = new Map<Region, Queue<VerifyJob>>([['ap-singapore', queue]]);
  sweeper = new Sweeper({
    redis: rig.redis,
    names: rig.names,
    queues,
    outbox,
    expiryMs: 60_000,
    sealer: new Sealer(),
    log: pino({ level: 'silent' }),
  });
});
afterEach(() => rig.control.clearFaults());
afterAll(async () => {
  await Promise.all([queue.close(), erase.close(), notify.close()]);
  await rig.dispose();
});

it('a claim whose job was never added gets one', async () => {
  const { id } = await rig.client.enqueue(await rig.request('no-job'));
  await queue.remove(id);
  expect(await sweeper.sweep(0)).toMatchObject({ requeued: 1 });
  expect(await queue.getJobState(id)).toBe('prioritized');
  expect(await sweeper.sweep(0)).toMatchObject({ requeued: 0 });
  await rig.client.cancel(id);
});

it('a job that somebody failed by hand goes on: only the journal ends a verification', async () => {
  const { id } = await rig.client.enqueue(await rig.request('failed-by-hand'));
  await rig.redis.zrem(`${rig.names.prefix}:verify-ap-singapore:prioritized`, id);
  await rig.redis.zadd(`${rig.names.prefix}:verify-ap-singapore:failed`, Date.now(), id);
  expect(await sweeper.sweep(0)).toMatchObject({ requeued: 1 });
  const worker = await rig.openWorker();
  expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed', decision: 'match' });
  await worker.stop(5_000);
});

it('a follow-up that was not delivered is delivered, under the same id', async () => {
  const worker = await rig.openWorker();
  const { id } = await rig.client.enqueue(await rig.request('outbox'));
  await rig.client.wait(id, { until: 'ended' });
  await expect.poll(() => rig.redis.hexists(rig.names.outbox, id)).toBe(0);
  await worker.stop(5_000);
  const [job] = (await erase.getJobs(['waiting', 'active'])).filter((each) => each.data.id === id);
  expect(job?.id).toContain(id);
  await job?.remove();
  // As if the worker had died between settling and delivering.
  await rig.redis.hset(rig.names.outbox, id, JSON.stringify({ erase: job?.data }));
  expect(await sweeper.sweep(0)).toMatchObject({ delivered: 1 });
  expect(await rig.redis.hexists(rig.names.outbox, id)).toBe(0);
  expect((await erase.getJob(job?.id ?? ''))?.data).toEqual(job?.data);
});

it('an ended verification whose job runs again changes nothing and pays nothing', async () => {
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

it('draining takes no more, finishes what runs, and says so', async () => {
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

it('past its deadline a verification is failed, and detect is never called', async () => {
  const deadline = new Date(Date.now() + 1_500).toISOString();
  const { id } = await rig.client.enqueue(await rig.request('late', { card: 'match' }, { deadline }));
  await expect.poll(() => Date.now(), { timeout: 10_000 }).toBeGreaterThan(Date.parse(deadline));
  const worker = await rig.openWorker();
  const view = await rig.client.wait(id, { until: 'ended' });
  expect(view).toMatchObject({ state: 'failed', paidCalls: 0, reason: { code: 'DEADLINE_EXCEEDED' } });
  expect(await rig.control.calls({ action: 'DetectReflectLivenessAndCompare', object: id })).toEqual([]);
  await worker.stop(5_000);
});

it('past its deadline with nobody at it, the sweeper ends it: nobody has to come by', async () => {
  const deadline = new Date(Date.now() + 1_200).toISOString();
  const { id } = await rig.client.enqueue(await rig.request('nobody', { card: 'match' }, { deadline }));
  await sweeper.sweep(0);
  expect(await rig.client.get(id)).toMatchObject({ state: 'queued' });
  await expect.poll(() => Date.now(), { timeout: 10_000 }).toBeGreaterThan(Date.parse(deadline));
  await sweeper.sweep(0);
  expect(await rig.client.get(id)).toMatchObject({
    state: 'failed',
    paidCalls: 0,
    reason: { code: 'DEADLINE_EXCEEDED' },
  });
  expect(await queue.getJobState(id)).toBe('unknown');
});

it('past its deadline, what was cancelled ends as cancelled', async () => {
  const { id } = await rig.client.enqueue(await rig.request('given-up'));
  const journal = await take(rig, id, 'worker:1', 1);
  await journal.intent(intentOf('a'));
  expect((await rig.client.cancel(id)).status).toBe('cancelling');
  expect(await journal.handback(handOver)).toBe('ok'); // a call is out: its answer is waited for
  await letGo(rig, id);
  await journal.outcome({ ...outcomeOf('a', null), sent: false });
  await rig.redis.hset(rig.names.journal(id), 'deadline', 1);
  await sweeper.sweep(0);
  expect(await rig.client.get(id)).toMatchObject({ state: 'cancelled', reason: { code: 'CANCELLED' } });
});

it('what a drain cannot finish in time is handed back at once, and is no crash of anybody', async () => {
  const worker = await rig.openWorker({ BESTFRAME_LEASE_MS: '60000' });
  const object = rig.client.idOf('handed-back');
  await rig.control.fault({ kind: 'hold', service: 'cos', action: 'PutObject', object, times: 2 });
  const { id } = await rig.client.enqueue(await rig.request('handed-back'));
  await rig.control.waitFor({ event: 'held', object }, 2);
  expect(await worker.stop(100)).toBe(false);
  expect(await rig.client.get(id)).toMatchObject({ state: 'delayed', reason: { code: 'WORKER_DRAINED' } });
  expect(await rig.redis.hmget(rig.names.journal(id), 'starts', 'yields', 'a:upload')).toEqual(['1', '1', null]);
  // The lease would have held it for a minute.
  const other = await rig.openWorker();
  expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed', decision: 'match' });
  await other.stop(5_000);
});

it('batch ones that have every slot do not wait for an interactive one that waits for a slot', async () => {
  const batch = await Promise.all(['a', 'b'].map((name) => rig.request(`has-a-slot-${name}`)));
  const ids = (await rig.client.enqueueMany(batch)).flatMap((each) => (each.status === 'refused' ? [] : each.id));
  const { express } = rig.names.gate('ap-singapore', 'DetectReflectLivenessAndCompare');
  await rig.redis.zadd(express, Date.now() + 9_900, 'no-slot');
  const worker = await rig.openWorker({ BESTFRAME_SLOTS: '2' });
  for (const id of ids) expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed' });
  expect(await rig.redis.zrem(express, 'no-slot')).toBe(1); // and it stands there yet
  await worker.stop(5_000);
});

describe('an upload that lands after its verification has ended', () => {
  const objectsOf = async (id: string) => (await rig.control.objects()).filter(({ key }) => key.includes(id));

  /** Deleted once, it is to be looked for again: as long after as an upload may be under way. */
  async function comesBackAndGoes(jobId: string, key: string) {
    const dueAgain = async () => (await erase.getJob(jobId))?.data.strays;
    await expect.poll(dueAgain).toBeGreaterThan(Date.now() + STRAY_MS / 2);
    await expect.poll(() => erase.getJobState(jobId)).toBe('delayed');
    await rig.control.putObject(rig.bucket, key, Buffer.from('late'));
    const job = await erase.getJob(jobId);
    await job?.promote();
    await expect.poll(() => erase.getJobState(jobId)).toBe('delayed'); // not yet
    await job?.updateData({ ...job.data, strays: Date.now() });
    await job?.promote();
    await expect.poll(() => erase.getJobState(jobId)).toBe('unknown');
  }

  it('is deleted, where a run of it ended without a word', async () => {
    const { id } = await rig.client.enqueue(await rig.request('stray'));
    await take(rig, id, 'dead:1', 1).then((journal) => journal.begin('interactive', 5, ADMISSION));
    await letGo(rig, id);
    const running = [await rig.openWorker(), await rig.openErase()];
    await rig.client.wait(id, { until: 'ended' });
    await comesBackAndGoes(`erase-${id}-1`, `${rig.config.objectFolder}/${id}/0/image`);
    expect(await objectsOf(id)).toEqual([]);
    await Promise.all(running.map((each) => each.stop(5_000)));
  });

  it('is deleted, where its caller gave it up before anybody came after the dead', async () => {
    const { id } = await rig.client.enqueue(await rig.request('stray-cancelled'));
    await take(rig, id, 'dead:1', 1).then((journal) => journal.begin('interactive', 5, ADMISSION));
    await letGo(rig, id);
    expect(await rig.client.cancel(id)).toMatchObject({ status: 'cancelled' });
    const job = async () => (await erase.getJobs(['waiting', 'delayed'])).find(({ data }) => data.id === id);
    await sweeper.sweep(0);
    expect((await job())?.data).toMatchObject({ strays: 'due' });
  });

  it('is not waited for, where every run was heard of', async () => {
    const running = [await rig.openWorker(), await rig.openErase()];
    const { id } = await rig.client.enqueue(await rig.request('no-stray'));
    await rig.client.wait(id, { until: 'ended' });
    await expect.poll(() => erase.getJobState(`erase-${id}-1`)).toBe('unknown');
    expect(await objectsOf(id)).toEqual([]);
    await Promise.all(running.map((each) => each.stop(5_000)));
  });

  it('is deleted, where it was erased in the middle of it; the receipt said so', async () => {
    const { id } = await rig.client.enqueue(await rig.request('stray-erased'));
    const erased = await rig.client.erase(id, { by: 'officer', why: 'asked for' });
    expect(erased).toMatchObject({
      receipt: { notConfirmed: [expect.stringContaining('on its way'), expect.anything(), expect.anything()] },
    });
    const running = await rig.openErase();
    await comesBackAndGoes(`forget-${id}`, `${rig.config.objectFolder}/${id}/0/image`);
    expect(await objectsOf(id)).toEqual([]);
    await running.stop(5_000);
  });
});
