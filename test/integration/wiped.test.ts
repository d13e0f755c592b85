/** Tests the loss of all data in Redis. Verifications are paid for again, except those with a decision and a stored frame. */
import { access, readFile, rm, writeFile } from 'node:fs/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEdges } from '../../src/app/edges.ts';
import { namespaceOf } from '../../src/app/namespace.ts';
import { Retention } from '../../src/background/retention.ts';
import { AccessBackup } from '../../src/client/redis/access-backup.ts';
import { ApiKeys } from '../../src/client/redis/api-keys.ts';
import { newWebhookSecret } from '../../src/domain/operations/webhooks.ts';
import { receiptOwner } from '../../src/domain/verification/frame-receipt.ts';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import { sampleImage } from '../../src/emulator/samples.ts';
import { createDeployment } from '../../src/redis/deployment.ts';
import { parseKeyRing } from '../../src/redis/sealer.ts';
import { addVerifyJob, openVerifyQueue } from '../../src/redis/verify-queue.ts';
import { WebhookEndpoints } from '../../src/redis/webhook-endpoints.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';

/** An open intent: the time limit of its call has not passed. */
const OPEN = JSON.stringify({
  iid: 'lost',
  gen: 0,
  lane: 0,
  at: 0,
  until: Date.now() + 3_600_000,
  epoch: '0',
  probe: 0,
});
const PLACE = {
  region: 'ap-singapore',
  action: DETECT,
  upload: 'own-bucket',
  lane: 'interactive',
  mode: 'test',
} as const;

let rig: Rig;

beforeAll(async () => {
  rig = await createRig({
    env: { BESTFRAME_QPS_DETECT: '200', BESTFRAME_REUSED_LIVE_DATA: 'warn' },
    emulator: { qps: {} },
  });
});
afterAll(() => rig.dispose());

async function wipe() {
  const keys = await rig.redis.keys(`${rig.config.prefix}*`);
  if (keys.length > 0) await rig.redis.del(...keys);
}

async function runToEnd(request: VerificationRequest) {
  const worker = await rig.openWorker();
  const { id } = await rig.client.enqueue(request);
  const view = await rig.client.wait(id, { until: 'ended' });
  await worker.stop(5_000);
  if (view === null) throw new Error('the record is missing');
  return { id, view, paid: await rig.control.calls({ action: DETECT, object: id, billed: true }) };
}

it.each(['file', 'cos'] as const)('restores a decision from the receipt next to its %s frame', async (to) => {
  const cos = { to, bucket: rig.bucket, region: 'ap-singapore', key: 'frames/1.jpg' } as const;
  const request = await rig.request(`wiped-${to}`, { card: 'match' }, to === 'cos' ? { frame: cos as never } : {});
  const first = await runToEnd(request);
  await wipe();
  expect(await rig.client.presence([rig.client.idOf(request.key)])).toMatchObject([{ status: 'missing' }]);
  const again = await runToEnd(request);
  expect(again.paid).toHaveLength(1);
  expect(again.view).toMatchObject({
    state: 'completed',
    next: 'accept',
    decision: 'match',
    decidedBy: 'vendor',
    frame: 'stored',
    bestFrame: first.view.bestFrame,
    similarity: first.view.similarity,
    paidCalls: 1,
    requestIds: expect.arrayContaining([first.paid[0]?.requestId]),
  });
  expect(again.view.history.map(({ event, stage }) => [event, stage])).toEqual([['adopted', 'detect']]);
  const puts = await rig.control.calls({ service: 'cos', action: 'PutObject', object: again.id });
  expect(puts).toHaveLength(2); // both are from before the loss
});

it.each<[string, (path: string) => Promise<void>]>([
  ['the frame is gone', (path) => rm(path)],
  ['the frame was replaced', (path) => writeFile(path, 'another')],
  [
    'somebody wrote a decision into the receipt',
    async (path) => {
      const receipt = `${path}.receipt.json`;
      const text = await readFile(receipt, 'utf8');
      await writeFile(receipt, text.replace('"no_match"', '"match"'));
    },
  ],
])('ignores the receipt and pays again if %s', async (_what, spoil) => {
  const request = await rig.request(`spoilt-${_what.replaceAll(' ', '-')}`, { card: 'lowSimilarity' });
  const { view } = await runToEnd(request);
  await spoil(view.bestFrame?.path ?? '');
  await wipe();
  const again = await runToEnd(request);
  expect(again.paid).toHaveLength(2);
  expect(again.view).toMatchObject({ state: 'completed', decision: 'no_match', paidCalls: 1 });
});

it('ignores the receipt and pays again if the key is used with another photo', async () => {
  const request = await rig.request('payload');
  await runToEnd(request);
  await wipe();
  const image = { from: 'file', path: await rig.file('another-photo.jpg', sampleImage('another')) } as const;
  const other = await runToEnd({ ...request, resources: { ...request.resources, image } } as VerificationRequest);
  expect(other.paid).toHaveLength(2);
  expect(other.view).toMatchObject({ decision: 'match', paidCalls: 1 });
});

it('restores the decision for a request with other options, and applies its new threshold', async () => {
  const request = await rig.request('options');
  const first = await runToEnd(request);
  await wipe();
  const more = { lane: 'batch', metadata: { order: '7' }, subject: 's-1', similarityThreshold: 99 } as const;
  const again = await runToEnd({ ...request, ...more });
  expect(again.paid).toHaveLength(1);
  const { similarity, bestFrame } = first.view;
  expect(again.view).toMatchObject({ decision: 'no_match', similarity, bestFrame, metadata: { order: '7' } });
});

describe('a failover that lost the last writes of a verification', () => {
  /** Simulates a failover: gives the journal the older state that a replica had, and runs a new worker. */
  async function fallBack(id: string, journal: Record<string, string>) {
    await rig.redis.del(rig.names.journal(id), rig.names.history(id));
    await rig.redis.hset(rig.names.journal(id), journal);
    await rig.redis.zrem(rig.names.ended, id);
    await rig.redis.zadd(rig.names.live, 1, id);
    const queue = openVerifyQueue(rig.deployment, 'ap-singapore');
    await queue.remove(id);
    const worker = await rig.openWorker();
    await addVerifyJob(queue, { id, turn: 1, ...PLACE });
    await queue.close();
    const view = await rig.client.wait(id, { until: 'ended' });
    await worker.stop(5_000);
    return view;
  }

  /** Runs a verification to its end. @returns its journal as it was before the decision was recorded. */
  async function runUntilDecided(key: string) {
    const request = await rig.request(
      key,
      { card: 'match' },
      { deadline: new Date(Date.now() + 20_000).toISOString() },
    );
    const hold = await rig.control.fault({
      kind: 'hold',
      service: 'cos',
      action: 'GetObject',
      object: 'faceid-result',
    });
    const worker = await rig.openWorker();
    const { id } = await rig.client.enqueue(request);
    await rig.client.wait(id, { until: 'decided' });
    const {
      's:detect': _,
      decision: _d,
      decidedAt: _a,
      similarity: _s,
      ...journal
    } = await rig.redis.hgetall(rig.names.journal(id));
    await rig.control.release(hold);
    await rig.client.wait(id, { until: 'ended' });
    await worker.stop(5_000);
    const { resources } = request;
    // By the time of a failover, the staged files have been removed.
    for (const source of Object.values(resources)) if (source?.from === 'file') await rm(source.path);
    return { id, journal: { ...journal, paid: '0', frame: 'none' } };
  }

  it.each<[string, (journal: Record<string, string>) => Record<string, string>]>([
    ['with the call still open', (journal) => ({ ...journal, open: OPEN })],
    ['with the call counted as unknown', (journal) => ({ ...journal, 'u:lost': '0', maybe: '1' })],
    ['before the call', (journal) => journal],
    ['before the call, and past the deadline', (journal) => ({ ...journal, deadline: String(Date.now() - 1) })],
  ])('restores the decision from the receipt and pays once, %s', async (what, lose) => {
    const { id, journal } = await runUntilDecided(`failover-${what.replaceAll(/\W/g, '-')}`);
    const view = await fallBack(id, lose(journal));
    expect(view).toMatchObject({ state: 'completed', decision: 'match', next: 'accept', frame: 'stored' });
    expect(view).toMatchObject({ paidCalls: 1, possiblyPaidCalls: 0 });
    expect(await rig.control.calls({ action: DETECT, object: id, billed: true })).toHaveLength(1);
    expect(view?.history.some(({ event }) => event === 'adopted')).toBe(true);
  });
});

describe('API keys and webhooks after the loss', () => {
  const ring = parseKeyRing(`k:${Buffer.alloc(32, 7).toString('base64')}`);
  const WANTED = { mode: 'test', scopes: ['read'], name: '', perSecond: 50, lifeMs: null } as const;

  it('keys and webhooks are restored from a sealed export, and until then a request with a key is answered with 503', async () => {
    const place = { redis: rig.config.redis, prefix: rig.config.prefix };
    const keys = new ApiKeys(place.redis, place.prefix);
    const backup = new AccessBackup({ ...place, keyRing: ring });
    const { secret, key } = await keys.create({ ...WANTED, tenant: 'acme' });
    const revoked = await keys.create({ ...WANTED, tenant: 'acme' });
    const endpoints = new WebhookEndpoints(createDeployment(rig.redis, place.prefix, ring));
    const endpoint = {
      name: 'orders',
      url: 'https://orders.example/hook',
      secrets: [newWebhookSecret()],
      events: null,
    };
    await endpoints.put(endpoint);
    const api = await rig.openApi();
    const ask = (bearer: string) =>
      fetch(`${api.url}/v1/verifications`, { headers: { authorization: `Bearer ${bearer}` } });
    expect((await ask(secret)).status).toBe(200);
    const exported = await backup.export();
    expect(exported.text).not.toContain(secret);
    await keys.revoke(revoked.key.id);

    await wipe();
    const lost = await ask(secret);
    expect([lost.status, lost.headers.get('retry-after')]).toEqual([503, '30']);
    expect(await lost.json()).toMatchObject({ code: 'API_KEYS_LOST' });
    expect(await backup.import(exported.text)).toEqual({ keys: 2, webhooks: 1 });
    expect((await ask(secret)).status).toBe(200);
    expect(await keys.list()).toContainEqual({ ...key, lastUsedAt: expect.anything() });
    expect(await endpoints.find('orders')).toEqual(endpoint);

    await keys.revoke(key.id);
    expect(await backup.import(exported.text)).toEqual({ keys: 0, webhooks: 0 });
    expect((await ask(secret)).status).toBe(401);
    const unsealed = Buffer.from(JSON.stringify({ version: 1, keys: [], webhooks: [] })).toString('base64');
    await expect(backup.import(unsealed)).rejects.toMatchObject({ code: 'MALFORMED_REQUEST' });
    await Promise.all([keys.close(), backup.close()]);
  });
});

it('a frame without a record is deleted at the end of its retention time, which its receipt shows', async () => {
  const { view } = await runToEnd(await rig.request('orphan'));
  const path = view.bestFrame?.path ?? '';
  await wipe();
  const { edges, evidence, close } = openEdges(rig.config);
  const retention = (owner: string) =>
    new Retention({
      ...{
        deployment: rig.deployment,
        sink: edges.sink,
        evidence,
        recordTtlMs: 1,
        keepFramesMs: rig.config.keepFramesMs,
      },
      ...{ receiptOwner: owner, rewriteAof: false, log: pino({ level: 'silent' }) },
    });
  const owner = receiptOwner(namespaceOf(rig.config), rig.config);
  const later = Date.now() + rig.config.keepFramesMs + 60_000;
  await retention(owner).deleteExpired(Date.now());
  await retention('another deployment').deleteExpired(later);
  await access(path);
  expect((await retention(owner).deleteExpired(later)).frames).toBeGreaterThanOrEqual(1);
  await expect(access(path)).rejects.toThrow('ENOENT');
  await expect(access(`${path}.receipt.json`)).rejects.toThrow('ENOENT');
  await close();
});
