/** Erasing on demand: at rest and in the middle of every stage, under a legal hold, by subject; and what nobody may find after it. */
import { readdir } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { VerificationRequest } from '../../src/domain/verification.ts';
import type { Fault } from '../../src/emulator/control.ts';
import { allText } from '../support/leftovers.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const CANARY = 'maria-lopez';
const ASKED = { by: 'officer', why: 'asked by letter' };

let rig: Rig;

beforeAll(async () => {
  const env = { BESTFRAME_QPS_DETECT: '200', BESTFRAME_QPS_UPLOAD_URL: '200', BESTFRAME_LEASE_MS: '2000' };
  rig = await createRig({ env, emulator: { qps: {} } });
  await rig.openWorker();
  await rig.openErase();
});
afterEach(() => rig.control.clearFaults());
afterAll(() => rig.dispose());

async function enqueue(key: string, more: Partial<VerificationRequest> = {}) {
  const personal = { metadata: { customer: `${CANARY}-${key}` }, subject: `${CANARY}-${key}` };
  const request = await rig.request(`${CANARY}-${key}`, { card: 'match' }, { ...personal, ...more });
  const { id } = await rig.client.enqueue(request);
  return { id, request };
}

/** Waits until everything that can be confirmed is. */
async function receiptOf(id: string) {
  await expect.poll(async () => (await rig.client.receipt(id))?.complete, { timeout: 50_000 }).toBe(true);
  const receipt = await rig.client.receipt(id);
  if (receipt === null) throw new Error('lost');
  return receipt;
}

async function nothingIsLeft(id: string, key: string) {
  const text = await allText(rig.redis, rig.config.prefix);
  expect(text).not.toContain(`${CANARY}-${key}`);
  expect((await rig.control.objects()).filter((object) => object.key.includes(id))).toEqual([]);
  expect((await readdir(rig.config.framesDir).catch(() => [])).filter((name) => name.includes(id))).toEqual([]);
  expect(await rig.redis.keys(`${rig.config.prefix}*${id}*`)).toEqual(
    expect.arrayContaining([rig.names.journal(id), rig.names.receipt(id)]),
  );
  expect(Object.keys(await rig.redis.hgetall(rig.names.journal(id)))).toEqual(['erased']);
}

describe('one that has ended', () => {
  it('goes with record, frame and job; the receipt says so, and holds nothing of it; its key is gone', async () => {
    const { id, request } = await enqueue('ended');
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed', frame: 'stored' });
    expect(await rig.client.erase(id, ASKED)).toMatchObject({ status: 'erased', receipt: { complete: false } });
    expect(await rig.client.get(id)).toBeNull();
    const receipt = await receiptOf(id);
    const confirmedAt = expect.any(String);
    expect(receipt).toMatchObject({
      id,
      ...ASKED,
      mode: 'test',
      record: { by: 'Redis' },
      job: { confirmedAt, by: 'Redis' },
      objects: { confirmedAt, by: 'COS' },
      frame: { confirmedAt, by: 'file system' },
    });
    expect(receipt.notConfirmed.join()).toMatch(/append-only file/);
    expect(JSON.stringify(receipt)).not.toContain(CANARY);
    await nothingIsLeft(id, 'ended');
    await expect(rig.client.enqueue(request)).rejects.toMatchObject({ code: 'KEY_GONE', field: 'key' });
    expect(await rig.client.erase(id, ASKED)).toMatchObject({ status: 'gone', receipt: { complete: true } });
    expect(await rig.control.calls({ action: DETECT, object: id })).toHaveLength(1);
    expect(await rig.client.known([request.key, 'never'])).toEqual(['gone', 'missing']);
  });

  it('by upload URL: the receipt says that Tencent clears its own bucket, and nobody confirms that', async () => {
    const { id } = await enqueue('url', { upload: 'create-upload-url' });
    await rig.client.wait(id, { until: 'ended' });
    await rig.client.erase(id, ASKED);
    const receipt = await receiptOf(id);
    expect(receipt.objects).toBe('not ours');
    expect(receipt.notConfirmed.join()).toMatch(/Tencent's bucket/);
    expect(Object.keys(await rig.redis.hgetall(rig.names.journal(id)))).toEqual(['erased']);
  });

  it('with a frame that was delivered to a bucket: that goes too', async () => {
    const key = `delivered/${CANARY}.jpg`;
    const frame = { to: 'cos', bucket: rig.bucket, region: 'ap-singapore', key } as const;
    const { id } = await enqueue('delivered', { frame });
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ frame: 'stored' });
    expect((await rig.control.objects()).map((object) => object.key)).toContain(key);
    await rig.client.erase(id, ASKED);
    expect((await receiptOf(id)).frame).toMatchObject({ by: 'COS' });
    expect((await rig.control.objects()).filter((object) => object.key.startsWith('delivered/'))).toEqual([]);
    await nothingIsLeft(id, 'delivered');
  });
});

describe('one that is being worked on', () => {
  const AT_WORK: readonly (readonly [string, Fault])[] = [
    ['upload', { kind: 'hold', service: 'cos', action: 'PutObject' }],
    ['md5', { kind: 'hold', service: 'cos', action: 'GetObject' }],
    ['detect', { kind: 'hold', action: DETECT }],
    ['download', { kind: 'hold', service: 'cos', action: 'GetObject', object: 'faceid-result' }],
  ];

  /** All at once: whoever is at work is given 15 s to notice. */
  it('in any stage: it stops, nothing is written after it or paid after it, and an answer that is out finds nobody', async () => {
    const orphans = (await rig.client.metrics()).counters.orphanOutcomes;
    const held: { stage: string; id: string; hold: string; paid: number }[] = [];
    for (const [stage, fault] of AT_WORK) {
      const object = fault.object ?? rig.client.idOf(`${CANARY}-${stage}`);
      const hold = await rig.control.fault({ ...fault, object, times: null });
      const { id } = await enqueue(stage);
      await rig.control.waitFor({ event: 'held', object });
      const paid = (await rig.control.calls({ action: DETECT, object: id, event: 'call' })).length;
      held.push({ stage, id, hold, paid });
    }
    for (const { id } of held) expect(await rig.client.erase(id, ASKED)).toMatchObject({ status: 'erased' });
    for (const { hold } of held) await rig.control.release(hold);
    await expect.poll(async () => (await rig.client.metrics()).counters.orphanOutcomes).toBe(orphans + 1);
    for (const { id } of held) await receiptOf(id);
    for (const { stage, id, paid } of held) {
      await nothingIsLeft(id, stage);
      const calls = await rig.control.calls({ action: DETECT, object: id, event: 'call' });
      expect(calls).toHaveLength(stage === 'detect' ? 1 : paid);
    }
  });

  it('and one that only waits is never begun', async () => {
    await rig.client.steer('ap-singapore', DETECT, 'pause', 'test', 'erasing');
    const { id } = await enqueue('waits', { lane: 'batch' });
    await rig.client.erase(id, ASKED);
    await rig.client.steer('ap-singapore', DETECT, 'resume', 'test', 'erased');
    await receiptOf(id);
    await nothingIsLeft(id, 'waits');
    expect(await rig.control.calls({ object: id, service: 'cos', action: 'PutObject' })).toEqual([]);
  });
});

it('a legal hold refuses it with its reason; once lifted, it goes', async () => {
  const { id } = await enqueue('law');
  await rig.client.wait(id, { until: 'ended' });
  const order = { by: 'counsel', why: 'case 7-114' };
  expect(await rig.client.legalHold(id, order)).toBe('ok');
  expect(await rig.client.erase(id, ASKED)).toMatchObject({ status: 'legal hold', hold: order });
  expect(await rig.client.get(id)).toMatchObject({ state: 'completed', frame: 'stored', legalHold: order });
  expect(await rig.redis.pttl(rig.names.journal(id))).toBe(-1);
  expect(await rig.client.liftLegalHold(id, { by: 'counsel', why: 'closed' })).toBe('ok');
  expect(await rig.redis.pttl(rig.names.journal(id))).toBeGreaterThan(0);
  const acts = (await rig.client.get(id))?.history.slice(-2);
  expect(acts).toMatchObject([
    { event: 'legal hold', ...order },
    { event: 'legal hold lifted', by: 'counsel' },
  ]);
  expect(await rig.client.erase(id, ASKED)).toMatchObject({ status: 'erased' });
  await receiptOf(id);
  await nothingIsLeft(id, 'law');
  expect(await rig.client.legalHold(id, order)).toBe('missing');
});

it('one that is put under a legal hold while it goes on keeps it past its end', async () => {
  const object = rig.client.idOf(`${CANARY}-early`);
  const hold = await rig.control.fault({ kind: 'hold', action: DETECT, object });
  const { id } = await enqueue('early');
  await rig.control.waitFor({ event: 'held', object });
  await rig.client.legalHold(id, { by: 'counsel', why: 'case 8' });
  await rig.control.release(hold);
  expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed' });
  expect(await rig.redis.pttl(rig.names.journal(id))).toBe(-1);
  expect(await rig.redis.pttl(rig.names.history(id))).toBe(-1);
});

it('by subject: all about one person are found, and nobody else', async () => {
  const subject = `${CANARY}-person`;
  const mine = [await enqueue('first', { subject }), await enqueue('second', { subject })];
  const other = await enqueue('other');
  for (const { id } of [...mine, other]) await rig.client.wait(id, { until: 'ended' });
  const found = await rig.client.bySubject(subject);
  expect(found.map(({ id }) => id)).toEqual(mine.map(({ id }) => id));
  expect(found[0]?.subject).toMatch(/^[A-Za-z0-9_-]{22}$/);
  expect(JSON.stringify(await rig.redis.hgetall(rig.names.journal(mine[0]?.id ?? '')))).not.toContain(subject);
  for (const { id } of found) await rig.client.erase(id, ASKED);
  for (const { id } of found) await receiptOf(id);
  expect(await rig.client.bySubject(subject)).toEqual([]);
  expect(await rig.client.get(other.id)).toMatchObject({ state: 'completed' });
});

it('what is not there is said', async () => {
  expect(await rig.client.erase('vnothing', ASKED)).toEqual({ status: 'missing' });
  expect(await rig.client.receipt('vnothing')).toBeNull();
});
