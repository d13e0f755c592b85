/** What goes by age, with nobody asking and nothing going on; and what stays. */
import { existsSync } from 'node:fs';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openEdges } from '../../src/compose.ts';
import type { VerificationRequest } from '../../src/domain/verification.ts';
import { Sealer } from '../../src/queue/seal.ts';
import { Retention } from '../../src/runtime/retention.ts';
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
    redis: rig.redis,
    names: rig.names,
    sealer: new Sealer(),
    sink: edges.edges.sink,
    recordTtlMs: rig.config.recordTtlMs,
    log: pino({ level: 'silent' }),
  });
});
afterAll(async () => {
  await edges.close();
  await rig.dispose();
});

async function ended(key: string, more: Partial<VerificationRequest> = {}, settings: Record<string, string> = {}) {
  const worker = await rig.openWorker(settings);
  const request = await rig.request(key, { card: 'match' }, more);
  const { id } = await rig.client.enqueue(request);
  const view = await rig.client.wait(id, { until: 'ended' });
  await worker.stop(5_000);
  if (view?.bestFrame == null) throw new Error('it has no frame');
  return { id, request, path: view.bestFrame.path };
}

it('a frame goes after a day, and not before; the record says so', async () => {
  const { id, path } = await ended('day');
  expect(await retention.pass(Date.now() + 23 * HOUR)).toEqual({ frames: 0, records: 0 });
  expect(existsSync(path)).toBe(true);
  expect(await retention.pass(Date.now() + 25 * HOUR)).toEqual({ frames: 1, records: 0 });
  expect(existsSync(path)).toBe(false);
  const view = await rig.client.get(id);
  expect(view).toMatchObject({ state: 'completed', decision: 'match', frame: 'deleted', bestFrame: null });
  expect(view?.history.at(-1)).toMatchObject({ event: 'frame deleted' });
  expect(await retention.pass(Date.now() + 25 * HOUR)).toEqual({ frames: 0, records: 0 });
});

it('once its caller has it, it goes at the next round', async () => {
  const { id, path } = await ended('acknowledged');
  expect(await rig.client.acknowledge(id)).toBe('ok');
  expect(await retention.pass()).toMatchObject({ frames: 1 });
  expect(existsSync(path)).toBe(false);
  expect(await rig.client.acknowledge(id)).toBe('not kept');
  expect(await rig.client.acknowledge('vnothing')).toBe('missing');
});

it('kept by setting, delivered to a bucket, or under a legal hold, it stays', async () => {
  const kept = await ended('kept', {}, { BESTFRAME_KEEP_FRAMES_HOURS: '0' });
  const key = 'delivered/1.jpg';
  const delivered = await ended('delivered', {
    frame: { to: 'cos', bucket: rig.bucket, region: 'ap-singapore', key },
  });
  const disputed = await ended('disputed');
  await rig.client.legalHold(disputed.id, { by: 'counsel', why: 'case 9' });
  expect(await rig.client.acknowledge(delivered.id)).toBe('not kept');
  await rig.client.acknowledge(disputed.id);
  expect(await retention.pass(Date.now() + 20 * DAY)).toEqual({ frames: 0, records: 0 });
  expect([existsSync(kept.path), existsSync(disputed.path)]).toEqual([true, true]);
  expect((await rig.control.objects()).map((object) => object.key)).toContain(key);

  await rig.client.liftLegalHold(disputed.id, { by: 'counsel', why: 'closed' });
  expect(await retention.pass(Date.now() + 21 * DAY)).toMatchObject({ frames: 1 });
  expect(existsSync(disputed.path)).toBe(false);
});

it('a record goes after 30 days; its key is gone, and never paid for again', async () => {
  const { id, request } = await ended('month');
  await retention.pass(Date.now() + 25 * HOUR); // its frame first
  expect((await retention.pass(Date.now() + 29 * DAY)).records).toBe(0);
  expect(await rig.client.get(id)).not.toBeNull();
  expect((await retention.pass(Date.now() + 31 * DAY)).records).toBeGreaterThanOrEqual(1);
  expect(await rig.client.get(id)).toBeNull();
  expect(Object.keys(await rig.redis.hgetall(rig.names.journal(id)))).toEqual(['erased']);
  expect(await rig.redis.exists(rig.names.history(id))).toBe(0);
  await expect(rig.client.enqueue(request)).rejects.toMatchObject({ code: 'KEY_GONE' });
});

it('a record under a legal hold, or whose frame must still go, stays', async () => {
  const disputed = await ended('disputed-record');
  await rig.client.legalHold(disputed.id, { by: 'counsel', why: 'case 10' });
  const stuck = await ended('stuck');
  const nowhere = { path: '/elsewhere/frame.jpg', md5: '0'.repeat(32), bytes: 1 };
  const stored = await rig.redis.hget(rig.names.journal(stuck.id), 'stored');
  await rig.redis.hset(rig.names.journal(stuck.id), 'stored', JSON.stringify(nowhere)); // the sink refuses that
  await retention.pass(Date.now() + 40 * DAY);
  expect(await rig.client.get(disputed.id)).not.toBeNull();
  expect(await rig.client.get(stuck.id)).not.toBeNull();
  await rig.redis.hset(rig.names.journal(stuck.id), 'stored', stored ?? '');
  await retention.pass(Date.now() + 41 * DAY);
  expect(existsSync(stuck.path)).toBe(false);
  expect(await rig.client.get(stuck.id)).toBeNull();
});

it('the erase worker does so by itself, on an idle queue', async () => {
  const { id, path } = await ended('idle');
  await rig.client.acknowledge(id);
  await rig.openErase();
  await expect.poll(() => existsSync(path), { timeout: 45_000 }).toBe(false);
  await expect.poll(async () => (await rig.client.get(id))?.frame).toBe('deleted');
});
