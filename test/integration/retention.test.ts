/** Tests that retention deletes old frames and old records, even if the deployment is idle, and keeps those that must be kept. */
import { existsSync } from 'node:fs';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openEdges } from '../../src/app/edges.ts';
import { namespaceOf } from '../../src/app/namespace.ts';
import { Retention } from '../../src/background/retention.ts';
import { receiptOwner } from '../../src/domain/verification/frame-receipt.ts';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import { createRig, type Rig } from '../support/rig.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let rig: Rig;
let edges: ReturnType<typeof openEdges>;
let retention: Retention;

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_QPS_DETECT: '200' }, emulator: { qps: {} } });
  edges = openEdges(rig.config);
  retention = new Retention({
    deployment: rig.deployment,
    sink: edges.edges.sink,
    evidence: edges.evidence,
    recordTtlMs: rig.config.recordTtlMs,
    keepFramesMs: rig.config.keepFramesMs,
    rewriteAof: false,
    receiptOwner: receiptOwner(namespaceOf(rig.config), rig.config),
    log: pino({ level: 'silent' }),
  });
});
afterAll(async () => {
  await edges.close();
  await rig.dispose();
});

async function runToEnd(key: string, more: Partial<VerificationRequest> = {}, settings: Record<string, string> = {}) {
  const worker = await rig.openWorker(settings);
  const request = await rig.request(key, { card: 'match' }, more);
  const { id } = await rig.client.enqueue(request);
  const view = await rig.client.wait(id, { until: 'ended' });
  await worker.stop(5_000);
  if (view?.bestFrame == null) throw new Error('the verification has no frame');
  return { id, request, path: view.bestFrame.path };
}

it('deletes a frame after a day and not before, and records the deletion', async () => {
  const { id, path } = await runToEnd('day');
  expect(await retention.deleteExpired(Date.now() + 23 * HOUR)).toEqual({ frames: 0, records: 0, evidence: 0 });
  expect(existsSync(path)).toBe(true);
  expect(await retention.deleteExpired(Date.now() + 25 * HOUR)).toEqual({ frames: 1, records: 0, evidence: 0 });
  expect(existsSync(path)).toBe(false);
  const view = await rig.client.get(id);
  expect(view).toMatchObject({ state: 'completed', decision: 'match', frame: 'deleted', bestFrame: null });
  expect(view?.history.at(-1)).toMatchObject({ event: 'frame_deleted' });
  expect(await retention.deleteExpired(Date.now() + 25 * HOUR)).toEqual({ frames: 0, records: 0, evidence: 0 });
});

it('deletes an acknowledged frame in the next round', async () => {
  const { id, path } = await runToEnd('acknowledged');
  expect(await rig.client.acknowledge(id)).toBe('ok');
  expect(await retention.deleteExpired()).toMatchObject({ frames: 1 });
  expect(existsSync(path)).toBe(false);
  expect(await rig.client.acknowledge(id)).toBe('not_kept');
  expect(await rig.client.acknowledge('vnothing')).toBe('missing');
});

it('keeps a frame if a setting says so, if it was delivered to a bucket, or under a legal hold', async () => {
  const kept = await runToEnd('kept', {}, { BESTFRAME_KEEP_FRAMES_HOURS: '0' });
  const key = 'delivered/1.jpg';
  const delivered = await runToEnd('delivered', {
    frame: { to: 'cos', bucket: rig.bucket, region: 'ap-singapore', key },
  });
  const disputed = await runToEnd('disputed');
  await rig.client.legalHold(disputed.id, { by: 'counsel', why: 'case 9' });
  expect(await rig.client.acknowledge(delivered.id)).toBe('not_kept');
  await rig.client.acknowledge(disputed.id);
  expect(await retention.deleteExpired(Date.now() + 20 * DAY)).toEqual({ frames: 0, records: 0, evidence: 0 });
  expect([existsSync(kept.path), existsSync(disputed.path)]).toEqual([true, true]);
  expect((await rig.control.objects()).map((object) => object.key)).toContain(key);

  await rig.client.liftLegalHold(disputed.id, { by: 'counsel', why: 'closed' });
  expect(await retention.deleteExpired(Date.now() + 21 * DAY)).toMatchObject({ frames: 1 });
  expect(existsSync(disputed.path)).toBe(false);
});

it('deletes a record after 30 days, and its key can never be paid for again', async () => {
  const { id, request } = await runToEnd('month');
  await retention.deleteExpired(Date.now() + 25 * HOUR); // the frame must be deleted before the record
  expect((await retention.deleteExpired(Date.now() + 29 * DAY)).records).toBe(0);
  expect(await rig.client.get(id)).not.toBeNull();
  expect((await retention.deleteExpired(Date.now() + 31 * DAY)).records).toBeGreaterThanOrEqual(1);
  expect(await rig.client.get(id)).toBeNull();
  expect(Object.keys(await rig.redis.hgetall(rig.names.journal(id)))).toEqual(['erased']);
  expect(await rig.redis.exists(rig.names.history(id))).toBe(0);
  await expect(rig.client.enqueue(request)).rejects.toMatchObject({ code: 'KEY_GONE' });
});

it('keeps a record that is under a legal hold, or whose frame is not deleted yet', async () => {
  const disputed = await runToEnd('disputed-record');
  await rig.client.legalHold(disputed.id, { by: 'counsel', why: 'case 10' });
  const stuck = await runToEnd('stuck');
  const nowhere = { path: '/elsewhere/frame.jpg', md5: '0'.repeat(32), bytes: 1 };
  const stored = await rig.redis.hget(rig.names.journal(stuck.id), 'stored');
  await rig.redis.hset(rig.names.journal(stuck.id), 'stored', JSON.stringify(nowhere)); // the sink refuses to delete this path
  await retention.deleteExpired(Date.now() + 40 * DAY);
  expect(await rig.client.get(disputed.id)).not.toBeNull();
  expect(await rig.client.get(stuck.id)).not.toBeNull();
  await rig.redis.hset(rig.names.journal(stuck.id), 'stored', stored ?? '');
  await retention.deleteExpired(Date.now() + 41 * DAY);
  expect(existsSync(stuck.path)).toBe(false);
  expect(await rig.client.get(stuck.id)).toBeNull();
});

it('the erase worker runs retention by itself, on an idle queue', async () => {
  const { id, path } = await runToEnd('idle');
  await rig.client.acknowledge(id);
  await rig.openErase();
  await expect.poll(() => existsSync(path), { timeout: 45_000 }).toBe(false);
  await expect.poll(async () => (await rig.client.get(id))?.frame).toBe('deleted');
});
