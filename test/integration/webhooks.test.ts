/** Tests webhooks and their failures, with a real notify worker and a real https receiver. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Running } from '../../src/app/running.ts';
import type { NotifyTuning } from '../../src/background/notify-worker.ts';
import { type EraseQueue, openEraseQueue } from '../../src/redis/erase-queue.ts';
import { type NotifyJob, type NotifyQueue, notification, openNotifyQueue } from '../../src/redis/notify-queue.ts';
import { Outbox } from '../../src/redis/outbox.ts';
import { DECIDED, entry, intentOf, outcomeOf, take } from '../support/attempts.ts';
import { type Heard, type Receiver, startReceiver } from '../support/receiver.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { replaceLookup } from '../support/system-lookup.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const BY = { by: 'maria', why: 'test' };
const QUICK: NotifyTuning = { waitsMs: [10], circuit: { failures: 1_000 } };
const SOON = { timeout: 20_000 };

let rig: Rig;
let receiver: Receiver;
let notifier: Running | undefined;
let notify: NotifyQueue;
let erase: EraseQueue;
let outbox: Outbox;
let putLookupBack: () => void;
let endpoints = 0;

beforeAll(async () => {
  putLookupBack = replaceLookup((host) => (host.endsWith('.example.com') ? ['127.0.0.1'] : null));
  const env = {
    BESTFRAME_QPS_DETECT: '200',
    BESTFRAME_BACKOFF_MS: 'batch=20,interactive=20',
    BESTFRAME_WEBHOOK_ALLOW: 'localhost,127.0.0.0/8',
  };
  rig = await createRig({ env, emulator: { qps: {} } });
  receiver = await startReceiver(rig.dir);
  erase = openEraseQueue(rig.deployment);
  notify = openNotifyQueue(rig.deployment);
  outbox = new Outbox(rig.deployment, erase, notify);
});
afterEach(async () => {
  await notifier?.stop(5_000);
  notifier = undefined;
  await notify.obliterate({ force: true }); // else the worker of the next test delivers what this one has not
  await rig.control.clearFaults();
});
afterAll(async () => {
  putLookupBack();
  await Promise.all([erase.close(), notify.close()]);
  await rig.dispose();
  await receiver.close();
});

function openNotify(settings: Record<string, string> = {}, tuning: NotifyTuning = QUICK): Promise<Running> {
  const way = { NO_PROXY: 'localhost,hooks.example.com', BESTFRAME_CA_FILE: receiver.caFile };
  return rig.openNotify({ ...way, ...settings }, tuning);
}

/** Registers a new endpoint, whose path contains its name. */
async function endpoint(more: { events?: ['decided']; host?: string } = {}) {
  endpoints += 1;
  const name = `shop-${endpoints}`;
  const path = `/${name}?token=hush`;
  const { host, ...request } = more;
  const { secret } = await rig.client.webhooks.add({ name, url: receiver.url(path, host), ...request });
  return { name, path, secret };
}

function sendEvent(to: string, id = `v${to}`, event: NotifyJob['event'] = 'erased'): Promise<void> {
  return outbox.deliver(id, notification({ id, webhook: to }, event));
}

function headersOf({ headers }: Heard): Record<string, string> {
  return Object.fromEntries(
    ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => [name, String(headers[name])]),
  );
}

function verifySignature(secret: string, heard: Heard): unknown {
  return new Webhook(secret).verify(heard.body, headersOf(heard));
}

async function deadLetterOf(name: string) {
  await expect.poll(() => rig.client.webhooks.deadLetters({ endpoint: name }), SOON).toHaveLength(1);
  const [dead] = await rig.client.webhooks.deadLetters({ endpoint: name });
  if (dead === undefined) throw new Error('the record is missing');
  return dead;
}

describe('a notification', () => {
  let worker: Running;
  beforeAll(async () => {
    worker = await rig.openWorker();
  });
  beforeEach(async () => {
    notifier = await openNotify();
  });
  afterAll(() => worker.stop(5_000));

  it('announces decided and completed, with a signature that Standard Webhooks and the documented script accept', async () => {
    const { name, path, secret } = await endpoint();
    const request = await rig.request('told', { card: 'match' }, { webhook: name, metadata: { tenant: 'canary' } });
    const { id } = await rig.client.enqueue(request);
    const decided = await receiver.waitFor((heard) => heard.path === path && heard.type === 'verification.decided');
    const completed = await receiver.waitFor((heard) => heard.path === path && heard.type === 'verification.completed');
    const view = await rig.client.wait(id, { until: 'ended' });
    expect(decided.id).toBe(`notify-${id}-decided`);
    expect(completed.id).toBe(`notify-${id}-ended`);
    expect(JSON.parse(completed.body)).toEqual({
      type: 'verification.completed',
      timestamp: view?.endedAt,
      data: {
        ...{ id, tenant: null, key: 'told', mode: 'test', state: 'completed', next: 'accept', decision: 'match' },
        ...{ similarity: view?.similarity, reason: null, frame: 'stored', stage: 'download' },
        ...{ retake: 'none', pausedBy: null, retryAfter: null, paidCalls: 1, possiblyPaidCalls: 0, cost: null },
        secondOpinion: null,
      },
    });
    expect(JSON.parse(decided.body)).toMatchObject({ timestamp: view?.decidedAt, data: { id, next: 'accept' } });
    for (const heard of [decided, completed]) {
      expect(verifySignature(secret, heard)).toEqual(JSON.parse(heard.body));
      expect(verifyByShell(secret, heard)).toBe(0);
      expect(verifyByShell(secret, { ...heard, body: `${heard.body} ` })).toBe(1);
      expect(verifyByShell(secret, { ...heard, headers: { ...heard.headers, 'webhook-timestamp': '1' } })).toBe(1);
      expect(heard.body).not.toMatch(/canary|:\/\/|\/frames\//);
    }
    expect(receiver.at(path)).toHaveLength(2);
    expect(JSON.stringify(rig.lines)).not.toMatch(/token=hush|whsec_/);
    expect(await rig.redis.hlen(rig.names.outbox)).toBe(0);
    expect((await notify.getJob(decided.id))?.data).toEqual({ id, event: 'decided', to: name });
  });

  it('announces each hold, and then the decision of the operator', async () => {
    const { name, path } = await endpoint();
    await rig.control.fault({ kind: 'error', action: DETECT, code: 'FailedOperation.BrandNew', times: 6 });
    const more = { webhook: name, lane: 'batch' } as const;
    const { id } = await rig.client.enqueue(await rig.request('held', { card: 'match' }, more));
    const types = () => receiver.at(path).map(({ type }) => type.replace('verification.', ''));
    await expect.poll(types, SOON).toEqual(['held']);
    await rig.client.resolve(id, 'retry', { ...BY, payAgain: true });
    await expect.poll(types, SOON).toEqual(['held', 'held']);
    const [first, second] = receiver.at(path);
    expect(first?.id).not.toBe(second?.id);
    expect(first?.data).toMatchObject({
      state: 'held',
      next: 'investigate',
      reason: { code: 'FailedOperation.BrandNew', audience: 'operator' },
    });
    await rig.client.resolve(id, 'recapture', BY);
    await outbox.deliverAll(); // the sweeper does this in production
    await expect.poll(() => types().sort(), SOON).toEqual(['completed', 'decided', 'held', 'held']);
    expect(receiver.at(path).at(-1)?.data).toMatchObject({
      ...{ next: 'recapture', decision: 'recapture', retake: 'liveness' },
      reason: { audience: 'person', advice: expect.stringMatching(/^Take a new recording/) },
    });
  });

  it('announces the end of a retry again, under its own id', async () => {
    const { name, path } = await endpoint();
    await rig.control.fault({ kind: 'error', action: DETECT, code: 'InvalidParameterValue' });
    const { id } = await rig.client.enqueue(await rig.request('retried', { card: 'match' }, { webhook: name }));
    const told = () => receiver.at(path).map((heard) => [heard.type.replace('verification.', ''), heard.id]);
    await expect.poll(told, SOON).toEqual([['failed', `notify-${id}-ended`]]);
    await expect.poll(async () => (await rig.client.retry({ ids: [id], ...BY }))[0]?.status, SOON).toBe('run');
    await expect
      .poll(async () => (await told()).sort(), SOON)
      .toEqual([
        ['completed', `notify-${id}-retry-1-ended`],
        ['decided', `notify-${id}-retry-1-decided`],
        ['failed', `notify-${id}-ended`],
      ]);
    await expect.poll(() => rig.redis.hlen(rig.names.outbox), SOON).toBe(0);
  });

  it('of an earlier end is dropped if the verification was retried before it was sent', async () => {
    await notifier?.stop(5_000);
    const { name, path } = await endpoint();
    await rig.control.fault({ kind: 'error', action: DETECT, code: 'InvalidParameterValue' });
    const { id } = await rig.client.enqueue(await rig.request('pending', { card: 'match' }, { webhook: name }));
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'failed' });
    await expect.poll(async () => (await rig.client.retry({ ids: [id], ...BY }))[0]?.status, SOON).toBe('run');
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed' });
    notifier = await openNotify();
    const told = () => receiver.at(path).map((heard) => heard.id);
    const earlier = async () => (await notify.getJob(`notify-${id}-ended`))?.returnvalue;
    await expect.poll(earlier, SOON).toEqual({ sent: false });
    await expect
      .poll(() => told().sort(), SOON)
      .toEqual([`notify-${id}-retry-1-decided`, `notify-${id}-retry-1-ended`]);
  });

  it('announces failed and cancelled by their own types', async () => {
    const { name, path } = await endpoint();
    const faulty = await rig.request('failed', { card: 'match' }, { webhook: name });
    await rig.control.fault({ kind: 'error', action: DETECT, code: 'InvalidParameter', times: 1 });
    const failed = await rig.client.enqueue(faulty);
    const heard = await receiver.waitFor(({ path: at, type }) => at === path && type === 'verification.failed');
    expect(heard.data).toMatchObject({ id: failed.id, state: 'failed', next: 'investigate', decision: null });
    expect(heard.data).toMatchObject({ retake: 'none', stage: 'detect' });
    expect(heard.data.reason).toEqual({
      ...{ code: 'InvalidParameter', class: 'caller', title: expect.any(String) },
      ...{ advice: expect.stringMatching(/new key\.$/), audience: 'caller' },
    });
    await rig.client.steerGate({ region: 'ap-singapore', action: DETECT }, 'pause', { by: 'test', why: 'cancelling' });
    const { id } = await rig.client.enqueue(await rig.request('cancelled', { card: 'match' }, { webhook: name }));
    await rig.client.cancel(id);
    await rig.client.wait(id, { until: 'ended' });
    await outbox.deliverAll();
    await rig.client.steerGate({ region: 'ap-singapore', action: DETECT }, 'resume', { by: 'test', why: 'cancelled' });
    expect((await receiver.waitFor(({ data }) => data.id === id)).type).toBe('verification.cancelled');
  });

  it('is sent only for the events of its endpoint', async () => {
    const { name, path } = await endpoint({ events: ['decided'] });
    const { id } = await rig.client.enqueue(await rig.request('some', { card: 'noFace' }, { webhook: name }));
    const heard = await receiver.waitFor(({ path: at }) => at === path);
    expect(heard.data).toMatchObject({
      ...{ next: 'recapture', retake: 'liveness' },
      reason: {
        code: 'FailedOperation.SilentFaceDetectFail',
        audience: 'person',
        personAdvice: expect.stringMatching(/^Please /),
      },
    });
    await rig.client.wait(id, { until: 'ended' });
    await expect
      .poll(async () => (await notify.getJob(`notify-${id}-ended`))?.returnvalue, SOON)
      .toEqual({ sent: false });
    expect(receiver.at(path)).toHaveLength(1);
  });

  it('goes to the default endpoint of the deployment, or to nobody without one', async () => {
    const { name, path } = await endpoint();
    const { openClient } = await import('../../src/app/client.ts');
    const client = openClient({ ...rig.config, webhook: name });
    const request = await rig.request('default');
    const { id } = await client.enqueue(request);
    expect(await rig.client.enqueue(request)).toMatchObject({ id, status: 'same' }); // the endpoint is not part of the payload
    await receiver.waitFor(({ path: at }) => at === path);
    await client.close();
    expect(await rig.client.get(id)).toMatchObject({ webhook: name });
    const none = await rig.client.enqueue(await rig.request('none'));
    await rig.client.wait(none.id, { until: 'ended' });
    expect(receiver.heard.filter(({ data }) => data.id === none.id)).toEqual([]);
  });
});

/** Runs the script of docs/webhooks.md. @returns its exit code. */
function verifyByShell(secret: string, heard: Heard): number | null {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'webhooks.md'), 'utf8');
  const script = /^```sh\n(#!\/bin\/sh\n.*?)^```$/ms.exec(page)?.[1] ?? 'exit 9';
  const headers = headersOf(heard);
  const env = {
    PATH: process.env.PATH,
    WEBHOOK_SECRET: secret,
    WEBHOOK_ID: headers['webhook-id'],
    WEBHOOK_TIMESTAMP: headers['webhook-timestamp'],
    WEBHOOK_SIGNATURE: headers['webhook-signature'],
  };
  return spawnSync('sh', ['-c', script], { env, input: heard.body }).status;
}

describe('an erasure', () => {
  it('is announced with the id alone, and earlier pending notifications are dropped', async () => {
    const { name, path } = await endpoint();
    await rig.client.steerGate({ region: 'ap-singapore', action: DETECT }, 'pause', { by: 'test', why: 'erasing' });
    const { id } = await rig.client.enqueue(await rig.request('erased', { card: 'match' }, { webhook: name }));
    await sendEvent(name, id, 'decided');
    await rig.client.erase(id, BY);
    await rig.client.steerGate({ region: 'ap-singapore', action: DETECT }, 'resume', { by: 'test', why: 'erased' });
    notifier = await openNotify();
    const heard = await receiver.waitFor(({ path: at }) => at === path);
    expect(JSON.parse(heard.body)).toEqual({
      type: 'verification.erased',
      timestamp: expect.any(String),
      data: { id, tenant: null, mode: 'test' },
    });
    await expect
      .poll(async () => (await notify.getJob(`notify-${id}-decided`))?.returnvalue, SOON)
      .toEqual({ sent: false });
    expect(receiver.at(path)).toHaveLength(1);
  });
});

describe('a worker that dies before it delivers to the queue', () => {
  it('leaves an outbox entry, which is delivered under one id, even if it is delivered twice', async () => {
    const { name, path } = await endpoint();
    const { id } = await rig.client.enqueue(
      await rig.request('died', { card: 'match' }, { webhook: name, lane: 'batch' }),
    );
    const journal = await take(rig, id, 'worker:1', 1);
    await journal.begin('batch', 5, { capacity: 10, holdMs: 60_000 });
    await journal.declareIntent(intentOf('i-died'));
    const { notify: telling } = notification({ id, webhook: name }, 'decided');
    expect(await journal.recordOutcome({ ...outcomeOf('i-died', DECIDED), notify: telling })).toBe('committed');
    const field = `${id}:decided`;
    const left = (await rig.redis.hget(rig.names.outbox, field)) ?? '';
    expect(JSON.parse(left)).toEqual({ notify: { id, event: 'decided', to: name } });
    expect(await outbox.deliverAll()).toBe(1);
    expect(await rig.redis.hexists(rig.names.outbox, field)).toBe(0);
    await rig.redis.hset(rig.names.outbox, field, left); // simulates a process that died before it removed the entry
    expect(await outbox.deliverAll()).toBe(1);
    notifier = await openNotify();
    const first = await receiver.waitFor(({ path: at }) => at === path);
    expect(first).toMatchObject({ id: `notify-${id}-decided`, data: { state: 'active', next: 'accept' } });
    expect(receiver.at(path)).toHaveLength(1);

    // If the queue has forgotten the job, the notification is sent again. It keeps the same id.
    await expect.poll(async () => (await notify.getJob(first.id))?.returnvalue, SOON).toEqual({ sent: true });
    await notify.remove(first.id);
    await rig.redis.hset(rig.names.outbox, field, left);
    await outbox.deliverAll();
    await expect.poll(() => receiver.at(path), SOON).toHaveLength(2);
    expect(new Set(receiver.at(path).map((heard) => heard.id)).size).toBe(1);
  });

  it('leaves an entry for a hold too, but none if it had lost its lock', async () => {
    const { name } = await endpoint();
    const more = { webhook: name, lane: 'batch' } as const;
    const { id } = await rig.client.enqueue(await rig.request('held-died', { card: 'match' }, more));
    const zombie = await take(rig, id, 'worker:1', 1);
    const journal = await take(rig, id, 'worker:2', 2);
    await journal.begin('batch', 5, { capacity: 10, holdMs: 60_000 });
    const { notify: telling } = notification({ id, webhook: name }, 'held', 1);
    const reason = { code: 'TIMEOUT', class: 'transient' };
    expect(await zombie.hold({ generation: 0, reason, holdMs: 60_000, entry: entry('held'), notify: telling })).toBe(
      'lost',
    );
    expect(await rig.redis.hlen(rig.names.outbox)).toBe(0);
    expect(await journal.hold({ generation: 0, reason, holdMs: 60_000, entry: entry('held'), notify: telling })).toBe(
      'ok',
    );
    expect(await rig.redis.hkeys(rig.names.outbox)).toEqual([`${id}:held-1`]);
    await rig.redis.del(rig.names.outbox);
  });
});

describe('an endpoint that fails', () => {
  it('is retried under the same id, with a new signature each time', async () => {
    const { name, path, secret } = await endpoint();
    const { deadNotifications } = await rig.client.metrics();
    receiver.answer(path, (response) => response.writeHead(receiver.at(path).length < 3 ? 500 : 204).end());
    notifier = await openNotify();
    await sendEvent(name);
    await expect.poll(() => receiver.at(path), SOON).toHaveLength(3);
    for (const heard of receiver.at(path)) verifySignature(secret, heard);
    expect(new Set(receiver.at(path).map(({ id }) => id))).toEqual(new Set([`notify-v${name}-erased`]));
    await expect.poll(() => rig.client.metrics(), SOON).toMatchObject({ toNotify: 0, deadNotifications });
  });

  it('is not followed if it redirects: it gets a dead letter after 13 tries, and a redelivery once it works', async () => {
    const { name, path } = await endpoint();
    const elsewhere = await endpoint();
    const { deadNotifications: before } = await rig.client.metrics();
    receiver.answer(path, (response) => response.writeHead(307, { location: receiver.url(elsewhere.path) }).end());
    notifier = await openNotify();
    await sendEvent(name);
    const dead = await deadLetterOf(name);
    expect(dead).toMatchObject({ id: `notify-v${name}-erased`, endpoint: name, code: 'HTTP_3XX', tries: 13 });
    expect(receiver.at(path)).toHaveLength(13);
    expect(receiver.at(elsewhere.path)).toEqual([]);
    expect(await rig.client.metrics()).toMatchObject({ toNotify: 0, deadNotifications: before + 1 });
    receiver.answer(path, 204);
    expect(await rig.client.webhooks.redeliver(dead.id)).toBe(true);
    await expect.poll(() => receiver.at(path), SOON).toHaveLength(14);
    expect(receiver.at(path).at(-1)?.id).toBe(dead.id);
    expect(await rig.client.webhooks.redeliver(dead.id)).toBe(false);
    await expect.poll(() => rig.client.webhooks.deadLetters({ endpoint: name }), SOON).toEqual([]);
  });

  it('is disabled at once if it answers 410, until an operator enables it', async () => {
    const { name, path } = await endpoint();
    receiver.answer(path, 410);
    notifier = await openNotify();
    await sendEvent(name);
    expect(await deadLetterOf(name)).toMatchObject({ code: 'WEBHOOK_DISABLED', tries: 1 });
    await sendEvent(name, `v${name}-next`);
    await expect.poll(() => rig.client.webhooks.deadLetters({ endpoint: name }), SOON).toHaveLength(2);
    expect(receiver.at(path)).toHaveLength(1);
    const listed = async () => (await rig.client.webhooks.list()).find((each) => each.name === name);
    expect(await listed()).toMatchObject({ state: 'disabled', url: receiver.url(`/${name}?…`), secrets: 1 });
    receiver.answer(path, 204);
    await rig.client.webhooks.enable(name);
    for (const { id } of await rig.client.webhooks.deadLetters({ endpoint: name }))
      await rig.client.webhooks.redeliver(id);
    await expect.poll(() => receiver.at(path), SOON).toHaveLength(3);
    expect(await listed()).toMatchObject({ state: 'on', code: null });
  });

  it('times out if it never answers', async () => {
    const silent = await endpoint();
    receiver.answer(silent.path, () => undefined);
    notifier = await openNotify({}, { ...QUICK, limitMs: 300 });
    await sendEvent(silent.name);
    expect(await deadLetterOf(silent.name)).toMatchObject({ code: 'TIMEOUT' });
  });

  it('is cut off if its answer is endless, and counts as delivered', async () => {
    const endless = await endpoint();
    const closed = new Promise<void>((resolve) => {
      receiver.answer(endless.path, (response) => {
        response.writeHead(200);
        const more = () => {
          if (!response.destroyed) response.write(Buffer.alloc(16 * 1024), () => setImmediate(more));
        };
        response.on('close', resolve);
        more();
      });
    });
    notifier = await openNotify({}, { ...QUICK, limitMs: 60_000 });
    await sendEvent(endless.name);
    await closed;
    await notifier.stop(50_000); // waits for the delivery
    expect(receiver.at(endless.path)).toHaveLength(1);
    expect(await rig.client.webhooks.deadLetters({ endpoint: endless.name })).toEqual([]);
  });

  it('occupies only some of the worker’s slots if it is slow, so that others are notified', async () => {
    const slow = await endpoint();
    const good = await endpoint();
    const kept: (() => void)[] = [];
    receiver.answer(slow.path, (response) => kept.push(() => response.writeHead(204).end()));
    notifier = await openNotify({}, { ...QUICK, limitMs: 60_000 });
    for (let i = 0; i < 40; i += 1) await sendEvent(slow.name, `vslow${i}`);
    await expect.poll(() => kept.length, SOON).toBeGreaterThan(0);
    await sendEvent(good.name);
    await receiver.waitFor(({ path }) => path === good.path);
    expect(kept.length).toBeLessThanOrEqual(8);
    receiver.answer(slow.path, 204);
    for (const answer of kept) answer();
    await expect.poll(() => receiver.at(slow.path), { timeout: 40_000 }).toHaveLength(40);
  });

  it('rests for all workers after failures in a row, while others are notified, until a probe succeeds', async () => {
    const bad = await endpoint();
    const good = await endpoint();
    receiver.answer(bad.path, 503);
    const circuit = { failures: 3, firstRestMs: 1_500, longestRestMs: 1_500, probeMs: 5_000 };
    const tuning = { waitsMs: [10], circuit };
    const other = await openNotify({}, tuning);
    notifier = await openNotify({}, tuning);
    for (let i = 0; i < 20; i += 1) {
      await sendEvent(bad.name, `vbad${i}`);
      await sendEvent(good.name, `vgood${i}`);
    }
    await expect.poll(() => receiver.at(good.path), SOON).toHaveLength(20);
    const state = async () => (await rig.client.webhooks.list()).find(({ name }) => name === bad.name);
    await expect.poll(state, SOON).toMatchObject({ state: 'resting', code: 'HTTP_5XX' });
    // Both workers together had at most 16 deliveries in flight when the endpoint began to rest. A rest ends with one probe.
    const before = receiver.at(bad.path).length;
    expect(before).toBeLessThanOrEqual(3 + 16);
    await expect.poll(() => receiver.at(bad.path).length, SOON).toBeGreaterThanOrEqual(before + 1);
    receiver.answer(bad.path, 204);
    const ids = () => new Set(receiver.at(bad.path).map(({ id }) => id)).size;
    await expect.poll(ids, { timeout: 40_000 }).toBe(20);
    await expect.poll(state, SOON).toMatchObject({ state: 'on' });
    expect(await rig.client.webhooks.deadLetters({ endpoint: bad.name })).toEqual([]);
    await other.stop(5_000);
  });
});

describe('the address of an endpoint', () => {
  it('must not resolve to a private address, unless that is allowed', async () => {
    const { name, path } = await endpoint({ host: 'hooks.example.com' });
    notifier = await openNotify({ BESTFRAME_WEBHOOK_ALLOW: '' });
    await sendEvent(name);
    const dead = await deadLetterOf(name);
    expect(dead).toMatchObject({ code: 'ADDRESS_FORBIDDEN', tries: 13 });
    expect(receiver.at(path)).toEqual([]);
    await notifier.stop(5_000);
    for (const [index, allow] of ['127.0.0.0/8', 'hooks.example.com'].entries()) {
      notifier = await openNotify({ BESTFRAME_WEBHOOK_ALLOW: allow });
      await sendEvent(name, `vallowed${index}`);
      await receiver.waitFor(({ data }) => data.id === `vallowed${index}`);
      await notifier.stop(5_000);
    }
    notifier = await openNotify({ BESTFRAME_WEBHOOK_ALLOW: '10.0.0.0/8,other.example.com' });
    await sendEvent(name, 'vforbidden');
    await expect.poll(() => rig.client.webhooks.deadLetters({ endpoint: name }), SOON).toHaveLength(2);
    expect(receiver.at(path)).toHaveLength(2);
  });

  it('is refused at registration if it is invalid or private', async () => {
    const { webhooks } = rig.client;
    const refused = (code: string, field: string) => expect.objectContaining({ code, field });
    const add = (url: string) => webhooks.add({ name: 'wrong', url });
    await expect(add('http://localhost/')).rejects.toEqual(refused('INVALID_WEBHOOK', 'url'));
    await expect(add('https://10.0.0.1/')).rejects.toEqual(refused('ADDRESS_FORBIDDEN', 'url'));
    await expect(add('https://metadata.internal/')).rejects.toEqual(refused('ADDRESS_FORBIDDEN', 'url'));
    expect((await webhooks.list()).map(({ name }) => name)).not.toContain('wrong');
  });
});

describe('endpoints', () => {
  it('are refused at enqueue, item by item, if they are not registered', async () => {
    const { name } = await endpoint();
    const refusal = { code: 'WEBHOOK_UNKNOWN', field: 'webhook' };
    const unknown = await rig.request('unknown', { card: 'match' }, { webhook: 'nobody' });
    await expect(rig.client.enqueue(unknown)).rejects.toMatchObject(refusal);
    const known = await rig.request('known', { card: 'match' }, { webhook: name });
    expect(await rig.client.enqueueMany([unknown, known])).toMatchObject([
      { status: 'refused', error: refusal },
      { status: 'new' },
    ]);
    expect(await rig.client.getByKey('unknown')).toBeNull();
    await rig.client.cancel(rig.client.idOf('known'));
    await outbox.deliverAll();
    await expect(rig.client.enqueue({ ...unknown, webhook: 'https://evil.example/' })).rejects.toMatchObject({
      code: 'INVALID_VERIFICATION',
      field: 'webhook',
    });
  });

  it('in the settings override those in Redis, and clients know them once a worker has started', async () => {
    const { secret } = await endpoint();
    const settings = {
      BESTFRAME_WEBHOOKS: `by-settings=${receiver.url('/by-settings')}`,
      BESTFRAME_WEBHOOK_SECRETS: `by-settings=${secret}`,
    };
    notifier = await openNotify(settings);
    const listed = (await rig.client.webhooks.list()).find(({ name }) => name === 'by-settings');
    expect(listed).toMatchObject({ url: null, events: null });
    const { id } = await rig.client.enqueue(
      await rig.request('settings', { card: 'match' }, { webhook: 'by-settings' }),
    );
    await rig.client.cancel(id);
    await outbox.deliverAll();
    verifySignature(secret, await receiver.waitFor(({ path }) => path === '/by-settings'));
    await expect(rig.client.webhooks.rotate('by-settings')).rejects.toMatchObject({ code: 'INVALID_WEBHOOK' });
  });

  it('rotate their secret without a gap: both secrets sign until the rotation is settled', async () => {
    const { name, path, secret: old } = await endpoint();
    const { secret: next } = await rig.client.webhooks.rotate(name);
    notifier = await openNotify();
    await sendEvent(name);
    const both = await receiver.waitFor((heard) => heard.path === path);
    for (const secret of [old, next]) {
      verifySignature(secret, both);
      expect(verifyByShell(secret, both)).toBe(0);
    }
    await rig.client.webhooks.settle(name);
    await sendEvent(name, 'vsettled');
    const one = await receiver.waitFor(({ data }) => data.id === 'vsettled');
    verifySignature(next, one);
    expect(() => verifySignature(old, one)).toThrow();
    expect(verifyByShell(old, one)).toBe(1);
  });

  it('leave dead letters if they are removed, which can be redelivered once they are registered again', async () => {
    const { name, path } = await endpoint();
    expect(await rig.client.webhooks.remove(name)).toBe('ok');
    expect(await rig.client.webhooks.remove(name)).toBe('missing');
    notifier = await openNotify();
    await sendEvent(name);
    const dead = await deadLetterOf(name);
    expect(dead).toMatchObject({ code: 'WEBHOOK_UNKNOWN', tries: 1 });
    await rig.client.webhooks.add({ name, url: receiver.url(path) });
    await rig.client.webhooks.redeliver(dead.id);
    await receiver.waitFor((heard) => heard.path === path);
  });

  it('can be tested, and the test reports a failure and a missing worker', async () => {
    const { name, path } = await endpoint();
    expect(await rig.client.webhooks.test(name, 100)).toEqual({ status: 'waiting', code: null });
    notifier = await openNotify();
    expect(await rig.client.webhooks.test(name)).toEqual({ status: 'delivered', code: null });
    expect(receiver.at(path).at(-1)).toMatchObject({ type: 'webhook.test', data: { mode: 'test' } });
    receiver.answer(path, 403);
    expect(await rig.client.webhooks.test(name)).toEqual({ status: 'failed', code: 'HTTP_4XX' });
    expect(await rig.client.webhooks.deadLetters({ endpoint: name })).toEqual([]);
    await expect(rig.client.webhooks.test('nobody')).rejects.toMatchObject({ code: 'WEBHOOK_UNKNOWN' });
  });

  it('are sealed in Redis if there is a key ring', async () => {
    const { openClient } = await import('../../src/app/client.ts');
    const keyRing = new Map([['k1', Buffer.alloc(32, 7)]]);
    const client = openClient({ ...rig.config, keyRing });
    const name = 'sealed';
    const { secret } = await client.webhooks.add({ name, url: receiver.url('/sealed') });
    const kept = await rig.redis.hget(rig.names.webhooks, name);
    expect(kept).not.toContain('localhost');
    expect(kept).not.toContain(secret);
    expect((await client.webhooks.list()).map((each) => each.name)).toContain(name);
    notifier = await openNotify({ BESTFRAME_KEY_RING: `k1:${Buffer.alloc(32, 7).toString('base64')}` });
    await sendEvent(name);
    verifySignature(secret, await receiver.waitFor(({ path }) => path === '/sealed'));
    await client.webhooks.remove(name);
    await client.close();
  });
});
