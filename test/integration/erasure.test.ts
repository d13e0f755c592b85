/**
 * Tests erasure on demand: after the end, in every stage, under a legal hold and by subject. No personal data may remain
 * afterwards.
 */
import { readdir } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DATA_CLASSES } from '../../src/domain/operations/data-map.ts';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
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

/** Waits until the receipt confirms every deletion that can be confirmed. @returns the receipt */
async function receiptOf(id: string) {
  await expect.poll(async () => (await rig.client.receipt(id))?.complete, { timeout: 50_000 }).toBe(true);
  const receipt = await rig.client.receipt(id);
  if (receipt === null) throw new Error('the record is missing');
  return receipt;
}

async function expectNothingLeft(id: string, key: string) {
  const text = await allText(rig.redis, rig.config.prefix);
  expect(text).not.toContain(`${CANARY}-${key}`);
  expect((await rig.control.objects()).filter((object) => object.key.includes(id))).toEqual([]);
  expect((await readdir(rig.config.framesDir).catch(() => [])).filter((name) => name.includes(id))).toEqual([]);
  expect(await rig.redis.keys(`${rig.config.prefix}*${id}*`)).toEqual(
    expect.arrayContaining([rig.names.journal(id), rig.names.receipt(id)]),
  );
  expect(Object.keys(await rig.redis.hgetall(rig.names.journal(id)))).toEqual(['erased']);
}

describe('an ended verification', () => {
  it('is erased with its record, frame and job, has a receipt without personal data, and its key stays unusable', async () => {
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
    expect(receipt.notConfirmed.join()).toMatch(/backups/);
    expect(receipt.data.map(({ data }) => data).sort()).toEqual(Object.keys(DATA_CLASSES).sort());
    const fates = Object.fromEntries(receipt.data.map(({ data, fate }) => [data, fate]));
    expect(fates).toMatchObject({
      ownBucket: 'deleted',
      frameInFolder: 'deleted',
      livenessDigest: 'kept',
      vendorBucket: 'none',
    });
    expect(await rig.redis.zcard(rig.names.answered)).toBeGreaterThan(0); // the digest is kept indeed
    expect(JSON.stringify(receipt)).not.toContain(CANARY);
    await expectNothingLeft(id, 'ended');
    await expect(rig.client.enqueue(request)).rejects.toMatchObject({ code: 'KEY_GONE', field: 'key' });
    expect(await rig.client.erase(id, ASKED)).toMatchObject({ status: 'gone', receipt: { complete: true } });
    expect(await rig.control.calls({ action: DETECT, object: id })).toHaveLength(1);
    expect(await rig.client.presence([rig.client.idOf(request.key), rig.client.idOf('never')])).toMatchObject([
      { status: 'erased' },
      { status: 'missing' },
    ]);
  });

  it('has a receipt that does not confirm the deletion in the bucket of Tencent, for an upload URL', async () => {
    const { id } = await enqueue('url', { upload: 'create-upload-url' });
    await rig.client.wait(id, { until: 'ended' });
    await rig.client.erase(id, ASKED);
    const receipt = await receiptOf(id);
    expect(receipt.objects).toBe('not_ours');
    expect(receipt.notConfirmed.join()).toMatch(/Tencent's bucket/);
    expect(receipt.data.find(({ data }) => data === 'vendorBucket')).toMatchObject({ fate: 'expires' });
    expect(Object.keys(await rig.redis.hgetall(rig.names.journal(id)))).toEqual(['erased']);
  });

  it('is erased with a frame that was delivered to a bucket', async () => {
    const key = `delivered/${CANARY}.jpg`;
    const frame = { to: 'cos', bucket: rig.bucket, region: 'ap-singapore', key } as const;
    const { id } = await enqueue('delivered', { frame });
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ frame: 'stored' });
    expect((await rig.control.objects()).map((object) => object.key)).toContain(key);
    await rig.client.erase(id, ASKED);
    expect((await receiptOf(id)).frame).toMatchObject({ by: 'COS' });
    expect((await rig.control.objects()).filter((object) => object.key.startsWith('delivered/'))).toEqual([]);
    await expectNothingLeft(id, 'delivered');
  });
});

describe('a verification in progress', () => {
  const AT_WORK: readonly (readonly [string, Fault])[] = [
    ['upload', { kind: 'hold', service: 'cos', action: 'PutObject' }],
    ['md5', { kind: 'hold', service: 'cos', action: 'GetObject' }],
    ['detect', { kind: 'hold', action: DETECT }],
    ['download', { kind: 'hold', service: 'cos', action: 'GetObject', object: 'faceid-result' }],
  ];

  /** All stages are tested at once, because a worker may need up to 15 s to notice an erasure. */
  it('stops in any stage: nothing is written or paid afterwards, and a late answer is dropped', async () => {
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
      await expectNothingLeft(id, stage);
      const calls = await rig.control.calls({ action: DETECT, object: id, event: 'call' });
      expect(calls).toHaveLength(stage === 'detect' ? 1 : paid);
    }
  });

  it('is never started if it was still waiting', async () => {
    await rig.client.steerGate({ region: 'ap-singapore', action: DETECT }, 'pause', { by: 'test', why: 'erasing' });
    const { id } = await enqueue('waits', { lane: 'batch' });
    await rig.client.erase(id, ASKED);
    await rig.client.steerGate({ region: 'ap-singapore', action: DETECT }, 'resume', { by: 'test', why: 'erased' });
    await receiptOf(id);
    await expectNothingLeft(id, 'waits');
    expect(await rig.control.calls({ object: id, service: 'cos', action: 'PutObject' })).toEqual([]);
  });
});

it('a legal hold refuses erasure and gives its reason; erasure works once the hold is lifted', async () => {
  const { id } = await enqueue('law');
  await rig.client.wait(id, { until: 'ended' });
  const order = { by: 'counsel', why: 'case 7-114' };
  expect(await rig.client.legalHold(id, order)).toBe('ok');
  expect(await rig.client.erase(id, ASKED)).toMatchObject({ status: 'legal_hold', hold: order });
  expect(await rig.client.get(id)).toMatchObject({ state: 'completed', frame: 'stored', legalHold: order });
  expect(await rig.redis.pttl(rig.names.journal(id))).toBe(-1);
  expect(await rig.client.liftLegalHold(id, { by: 'counsel', why: 'closed' })).toBe('ok');
  expect(await rig.redis.pttl(rig.names.journal(id))).toBeGreaterThan(0);
  const acts = (await rig.client.get(id))?.history.slice(-2);
  expect(acts).toMatchObject([
    { event: 'legal_hold_set', ...order },
    { event: 'legal_hold_lifted', by: 'counsel' },
  ]);
  expect(await rig.client.erase(id, ASKED)).toMatchObject({ status: 'erased' });
  await receiptOf(id);
  await expectNothingLeft(id, 'law');
  expect(await rig.client.legalHold(id, order)).toBe('missing');
});

it('a legal hold that is set during a verification keeps its record after the end', async () => {
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

it('finds and erases all verifications of one subject, and of nobody else', async () => {
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

it('answers `missing` for an unknown verification', async () => {
  expect(await rig.client.erase('vnothing', ASKED)).toEqual({ status: 'missing' });
  expect(await rig.client.receipt('vnothing')).toBeNull();
});
