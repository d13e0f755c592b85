/** Tests the HTTP API: light sequences, webhook endpoints, and a backlog that exceeds the deadline. */
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sampleDeviceData, sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { formOf, type Http, openHttp } from '../support/http.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { createRig, type Rig } from '../support/rig.ts';

const SEQUENCE = 'GenerateReflectSequence';
const PLAIN = { region: 'ap-singapore', upload: 'own-bucket' } as const;

let rig: Rig;
let http: Http;
let receiver: Receiver;

beforeAll(async () => {
  const env = { BESTFRAME_QPS_SEQUENCE: '50', BESTFRAME_WEBHOOK_ALLOW: 'localhost,127.0.0.0/8' };
  rig = await createRig({ env, emulator: { qps: {} } });
  receiver = await startReceiver(rig.dir);
  http = await openHttp(rig, { BESTFRAME_QPS_DETECT: '1' });
});
afterEach(() => rig.control.clearFaults());
afterAll(async () => {
  await http.close();
  await rig.dispose();
  await receiver.close();
});

describe('a light sequence', () => {
  const deviceData = sampleDeviceData({ card: 'match' }).toString('latin1');
  const body = (more: object = {}) => ({ ...PLAIN, deviceData, ...more });

  it('is returned with its MD5, for both kinds of upload', async () => {
    for (const upload of ['own-bucket', 'create-upload-url'] as const) {
      const answer = await http.call('POST', '/v1/sequences', { json: body({ upload }) });
      expect(answer).toMatchObject({ status: 200, json: { mode: 'test', requestId: expect.any(String) } });
      const bytes = Buffer.from(String(answer.json.sequence), 'base64');
      expect(bytes.length).toBe(answer.json.bytes);
      expect(createHash('md5').update(bytes).digest('hex')).toBe(answer.json.md5);
    }
  });

  it('is the same for the same key of one tenant, and different for another tenant', async () => {
    const calls = () => rig.control.calls({ action: SEQUENCE }).then((all) => all.length);
    const headers = { 'idempotency-key': 'phone-1' };
    const before = await calls();
    const first = await http.call('POST', '/v1/sequences', { json: body(), headers });
    const again = await http.call('POST', '/v1/sequences', { json: body({ key: 'phone-1' }) });
    expect(again.json).toEqual(first.json);
    expect(await calls()).toBe(before + 1);
    const secret = await http.keyFor({ tenant: 'other' });
    await http.call('POST', '/v1/sequences', { json: body(), headers, secret });
    expect(await calls()).toBe(before + 2);
  });

  it('is refused with 400 for invalid data, with 503 if the vendor throttles, and with 403 without the scope', async () => {
    const wrong = await http.call('POST', '/v1/sequences', { json: body({ deviceData: '{"no":"base64"}' }) });
    expect(wrong).toMatchObject({ status: 400, json: { code: 'SOURCE_WRONG_KIND', field: 'deviceData' } });
    const unknown = await http.call('POST', '/v1/sequences', { json: body({ device: 1 }) });
    expect(unknown).toMatchObject({ status: 400, json: { detail: expect.stringContaining('device') } });
    await rig.control.fault({ kind: 'error', action: SEQUENCE, code: 'RequestLimitExceeded', times: null });
    const busy = await http.call('POST', '/v1/sequences', { json: body() });
    expect(busy).toMatchObject({ status: 503, json: { cure: expect.any(String) } });
    expect(
      await http.call('POST', '/v1/sequences', { json: body(), secret: await http.keyFor({ scopes: ['read'] }) }),
    ).toMatchObject({ status: 403 });
  });
});

describe('webhook endpoints', () => {
  it('are registered, listed without secrets, rotated, tested and removed; each change is audited', async () => {
    const url = receiver.url('/shop?token=hush', 'localhost');
    const put = await http.call('PUT', '/v1/webhook-endpoints/shop', { json: { url, events: ['decided'] } });
    expect(put).toMatchObject({ status: 200, json: { name: 'shop', secret: expect.stringMatching(/^whsec_/) } });
    const rotated = await http.call('POST', '/v1/webhook-endpoints/shop/rotate', { json: {} });
    expect(rotated.json.secret).not.toBe(put.json.secret);
    const listed = await http.call('GET', '/v1/webhook-endpoints');
    expect(listed.json).toMatchObject({ endpoints: [{ name: 'shop', events: ['decided'], secrets: 2, state: 'on' }] });
    expect(JSON.stringify(listed.json)).not.toMatch(/whsec_|hush/);
    expect(await http.call('POST', '/v1/webhook-endpoints/shop/settle')).toMatchObject({ status: 200 });
    const notifier = await rig.openNotify({ NO_PROXY: 'localhost', BESTFRAME_CA_FILE: receiver.caFile });
    const tested = await http.call('POST', '/v1/webhook-endpoints/shop/test');
    expect(tested).toMatchObject({ status: 200, json: { status: 'delivered', code: null } });
    await notifier.stop(5_000);
    expect(await http.call('DELETE', '/v1/webhook-endpoints/shop')).toMatchObject({ status: 200 });
    expect(await http.call('DELETE', '/v1/webhook-endpoints/shop')).toMatchObject({ status: 404 });
    const changes = (await rig.audited())
      .filter(({ act, what }) => act === 'webhook.change' && what?.endsWith(' shop'))
      .map(({ what }) => what);
    expect(changes).toEqual(['put shop', 'rotate shop', 'settle shop', 'test shop', 'remove shop', 'remove shop']);
  });

  it('cannot have a private address, and require the scope `operate`', async () => {
    const inside = { url: 'https://169.254.169.254/latest' };
    expect(await http.call('PUT', '/v1/webhook-endpoints/inside', { json: inside })).toMatchObject({
      status: 400,
      json: { code: 'ADDRESS_FORBIDDEN', field: 'url' },
    });
    const secret = await http.keyFor({ scopes: ['submit', 'read', 'frames', 'erase'] });
    expect(await http.call('GET', '/v1/webhook-endpoints', { secret })).toMatchObject({ status: 403 });
  });

  it('have no undelivered notifications, and answer 404 for an unknown one', async () => {
    expect((await http.call('GET', '/v1/dead-notifications?endpoint=shop')).json).toMatchObject({ notifications: [] });
    expect(await http.call('POST', '/v1/dead-notifications/notify-vnothing-erased/redeliver')).toMatchObject({
      status: 404,
    });
  });
});

describe('a backlog that exceeds the deadline', () => {
  it('refuses a new verification before anything is stored, but accepts replays, batch work and later deadlines', async () => {
    const waiting = await Promise.all(Array.from({ length: 70 }, (_, index) => rig.request(`waits-${index}`)));
    // No worker runs, so the backlog takes 70 s at one call a second.
    for (const request of waiting) await rig.client.forTenant('acme').enqueue(request);
    const inAMinute = new Date(Date.now() + 60_000).toISOString();
    const late = await http.call('POST', '/v1/verifications', {
      json: { ...(await rig.request('late')), deadline: inAMinute },
    });
    expect(late).toMatchObject({ status: 503, json: { code: 'BACKLOG' } });
    expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0);
    const client = rig.client.forTenant('acme');
    expect(await client.getByKey('late')).toBeNull();
    const files = { liveData: sampleLiveData({ card: 'match', nonce: 'late' }), image: sampleImage('late') };
    const body = formOf({ ...PLAIN, key: 'late-files' }, files);
    expect(await http.call('POST', '/v1/verifications', { body })).toMatchObject({
      status: 503,
      json: { code: 'BACKLOG' },
    });
    expect(await http.call('POST', '/v1/verifications', { json: waiting[0] })).toMatchObject({
      status: 202,
      json: { enqueued: 'same' },
    });
    const patient = { ...(await rig.request('patient')), lane: 'batch' };
    expect(await http.call('POST', '/v1/verifications', { json: patient })).toMatchObject({ status: 202 });
    const later = { ...(await rig.request('later')), deadline: new Date(Date.now() + 600_000).toISOString() };
    expect(await http.call('POST', '/v1/verifications', { json: later })).toMatchObject({ status: 202 });

    // In a batch, each item waits for the items before it too: the deadline leaves time for at most four more.
    const ahead = await client.ahead('ap-singapore', 'interactive');
    const deadline = new Date(Date.now() + (ahead + 3.5) * 1_000).toISOString();
    const items = await Promise.all(Array.from({ length: 8 }, (_, index) => rig.request(`item-${index}`)));
    const verifications = items.map((item) => ({ ...item, lane: 'interactive', deadline }));
    const batch = await http.call('POST', '/v1/verifications:batch', { json: { verifications } });
    const statuses = (batch.json.results as { status: string; problem: { code: string } | null }[]).map(
      ({ status, problem }) => problem?.code ?? status,
    );
    const taken = statuses.filter((status) => status === 'new').length;
    expect(taken).toBeLessThanOrEqual(4);
    expect(statuses).toEqual([...Array(taken).fill('new'), ...Array(8 - taken).fill('BACKLOG')]);
  });
});
