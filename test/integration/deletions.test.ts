/**
 * Tests the ordinary deletions that follow an end: each is promised by the script that ends the verification, is made in a batch, and
 * becomes a job of its own if it fails.
 */
import type { Queue } from 'bullmq';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { DeletionBatches } from '../../src/background/deletion-batches.ts';
import { openEraseQueue } from '../../src/redis/erase-queue.ts';
import { takeDeletions } from '../../src/redis/scripts/take-deletions.ts';
import { createRig, type Rig } from '../support/rig.ts';

const HOUR_MS = 3_600_000;

let rig: Rig;
let queue: Queue;

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_QPS_DETECT: '200' }, emulator: { qps: {} } });
  queue = openEraseQueue(rig.deployment);
});
afterEach(async () => {
  await rig.control.clearFaults();
  await rig.redis.del(rig.names.deletions);
});
afterAll(async () => {
  await queue.close();
  await rig.dispose();
});

/** Runs verifications to their ends. @returns their ids */
async function ended(...keys: string[]): Promise<string[]> {
  const worker = await rig.openWorker();
  const ids = await Promise.all(keys.map(async (key) => (await rig.client.enqueue(await rig.request(key))).id));
  for (const id of ids) await rig.client.wait(id, { until: 'ended' });
  await worker.stop(5_000);
  return ids;
}

async function promised(): Promise<string[]> {
  const members = await rig.redis.zrange(rig.names.deletions, '0', '-1');
  return members.map((member) => (JSON.parse(member) as { id: string }).id).sort();
}

async function objectsOf(id: string) {
  return (await rig.control.objects()).filter(({ key }) => key.includes(`/${id}/`));
}

it('an ordinary end promises a deletion, and adds no job', async () => {
  const ids = await ended('plain-1', 'plain-2');
  expect(await promised()).toEqual([...ids].sort());
  expect(await rig.redis.hlen(rig.names.outbox)).toBe(0);
  expect(await queue.getJobCounts('waiting', 'active', 'delayed')).toEqual({ waiting: 0, active: 0, delayed: 0 });
  expect((await rig.client.metrics()).toErase).toBe(2);
  const erase = await rig.openErase();
  await expect.poll(promised).toEqual([]);
  for (const id of ids) expect(await objectsOf(id)).toEqual([]);
  expect((await rig.client.metrics()).toErase).toBe(0);
  await erase.stop(5_000);
});

it('a deletion that fails becomes a job, and the others are not repeated', async () => {
  const [first = '', second = ''] = await ended('fails', 'passes');
  await rig.control.fault({
    kind: 'error',
    service: 'cos',
    action: 'DeleteObject',
    code: 'AccessDenied',
    status: 403,
    object: first,
    times: null,
  });
  const erase = await rig.openErase();
  await expect.poll(promised).toEqual([]);
  expect(await objectsOf(second)).toEqual([]);
  expect(await objectsOf(first)).not.toEqual([]);
  expect((await queue.getJob(`erase-${first}-1`))?.data).toMatchObject({ id: first, generations: 1 });
  expect(await queue.getJob(`erase-${second}-1`)).toBeUndefined();
  await rig.control.clearFaults();
  await (await queue.getJob(`erase-${first}-1`))?.promote().catch(() => undefined); // it may run already
  await expect.poll(() => objectsOf(first), { timeout: 10_000 }).toEqual([]);
  await expect.poll(() => queue.getJobState(`erase-${first}-1`)).toBe('unknown');
  await erase.stop(5_000);
});

it('the deletions of a dead worker are taken again when its lease is over', async () => {
  const [id = ''] = await ended('lease');
  const take = () => takeDeletions(rig.deployment, { most: 10, leaseMs: HOUR_MS });
  expect(await take()).toMatchObject([{ id, generations: 1 }]);
  expect(await take()).toEqual([]);
  expect(await promised()).toEqual([id]);
  const [member = ''] = await rig.redis.zrange(rig.names.deletions, '0', '-1');
  await rig.redis.zadd(rig.names.deletions, Date.now() - 1, member); // an hour later
  expect(await take()).toMatchObject([{ id }]);
});

it('takes no more than it is asked to', async () => {
  await ended('most-1', 'most-2', 'most-3');
  expect(await takeDeletions(rig.deployment, { most: 2, leaseMs: HOUR_MS })).toHaveLength(2);
  expect(await takeDeletions(rig.deployment, { most: 2, leaseMs: HOUR_MS })).toHaveLength(1);
});

it('deletes nothing while the queue is paused', async () => {
  const [id = ''] = await ended('paused');
  const batches = new DeletionBatches({
    ...{ deployment: rig.deployment, queue, log: pino({ level: 'silent' }), objectFolder: rig.config.objectFolder },
    edges: { bucket: () => expect.unreachable('it deletes'), sink: null as never },
  });
  await rig.redis.zadd(rig.names.deletions, 1, (await rig.redis.zrange(rig.names.deletions, '0', '-1'))[0] ?? '');
  expect(await batches.mayTake()).toBe(true);
  await queue.pause();
  expect(await batches.mayTake()).toBe(false);
  batches.start();
  expect(await batches.drain(5_000)).toBe(true);
  expect(await promised()).toEqual([id]);
  await queue.resume();
});

it('a worker that stops finishes its batch', async () => {
  const [id = ''] = await ended('stops');
  const hold = await rig.control.fault({ kind: 'hold', service: 'cos', action: 'DeleteObject', times: 2 });
  const erase = await rig.openErase();
  await rig.control.waitFor({ event: 'held', action: 'DeleteObject' }, 2);
  const stopped = erase.stop(20_000);
  await rig.control.release(hold);
  expect(await stopped).toBe(true);
  expect(await promised()).toEqual([]);
  expect(await objectsOf(id)).toEqual([]);
});
