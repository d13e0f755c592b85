/** Tests access to the HTTP API: keys, scopes, tenants, rates, modes, addresses and the audit log. */
import { networkInterfaces } from 'node:os';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApi } from '../../src/app/api.ts';
import { readConfig } from '../../src/app/config.ts';
import { createToken, SCOPES, type Scope } from '../../src/domain/operations/api-keys.ts';
import { type Http, openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';

let rig: Rig;
let http: Http;
let id: string;

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_QPS_DETECT: '200' }, emulator: { qps: {} } });
  await rig.openWorker();
  http = await openHttp(rig);
  const answer = await http.call('POST', '/v1/verifications?wait=30', { json: await rig.request('mine') });
  id = String(answer.json.id);
  await rig.client.wait(id, { until: 'ended' });
});
afterAll(async () => {
  await http.close();
  await rig.dispose();
});

/** Each route that needs a key, with its scope. */
const ROUTES: readonly (readonly [method: string, path: string, scope: Scope])[] = [
  ['POST', '/v1/verifications', 'submit'],
  ['POST', '/v1/verifications:batch', 'submit'],
  ['POST', '/v1/verifications/ID/cancel', 'submit'],
  ['GET', '/v1/verifications', 'read'],
  ['GET', '/v1/verifications/ID', 'read'],
  ['GET', '/v1/verifications/ID/events', 'read'],
  ['GET', '/v1/verifications/ID/best-frame', 'frames'],
  ['HEAD', '/v1/verifications/ID/best-frame', 'frames'],
  ['GET', '/v1/verifications/ID/media/liveVideo', 'frames'],
  ['HEAD', '/v1/verifications/ID/media/liveVideo', 'frames'],
  ['POST', '/v1/verifications/ID/acknowledge', 'frames'],
  ['POST', '/v1/verifications/ID/resolve', 'operate'],
  ['GET', '/v1/costs', 'operate'],
  ['POST', '/v1/retries', 'operate'],
  ['GET', '/v1/gate', 'operate'],
  ['POST', '/v1/gate', 'operate'],
  ['POST', '/v1/sequences', 'submit'],
  ['POST', '/v1/sessions', 'submit'],
  ['POST', '/v1/sessions/ID/finished', 'submit'],
  ['GET', '/v1/webhook-endpoints', 'operate'],
  ['PUT', '/v1/webhook-endpoints/shop', 'operate'],
  ['DELETE', '/v1/webhook-endpoints/shop', 'operate'],
  ['POST', '/v1/webhook-endpoints/shop/rotate', 'operate'],
  ['POST', '/v1/webhook-endpoints/shop/settle', 'operate'],
  ['POST', '/v1/webhook-endpoints/shop/enable', 'operate'],
  ['POST', '/v1/webhook-endpoints/shop/test', 'operate'],
  ['GET', '/v1/dead-notifications', 'operate'],
  ['POST', '/v1/dead-notifications/notify-v1-erased/redeliver', 'operate'],
  ['GET', '/metrics', 'operate'],
  ['DELETE', '/v1/verifications/ID', 'erase'],
  ['GET', '/v1/verifications/ID/receipt', 'erase'],
];

const filled = (path: string) =>
  path
    .replace('notifications/{id}', 'notifications/notify-v1-erased')
    .replace('{id}', 'ID')
    .replace('media/{name}', 'media/liveVideo')
    .replace('{name}', 'shop');

it('covers every route of the OpenAPI document', () => {
  const described = Object.entries(http.document.paths).flatMap(([path, verbs]) =>
    Object.keys(verbs).map((verb) => `${verb.toUpperCase()} ${filled(path)}`),
  );
  const open = ['GET /healthz', 'GET /readyz'];
  expect([...ROUTES.map(([method, path]) => `${method} ${path}`), ...open].sort()).toEqual(described.sort());
});

describe.each(ROUTES)('%s %s', (method, path, scope) => {
  const call = (secret: string | null) => http.call(method, path.replace('ID', id), { secret });

  it(`needs a valid key with scope ${scope}`, async () => {
    expect((await call(null)).status).toBe(401);
    expect((await call('bf_test_nonsense')).status).toBe(401);
    expect((await call(createToken('test').secret)).status).toBe(401);
    const without = await call(await http.keyFor({ scopes: SCOPES.filter((each) => each !== scope) }));
    expect(without.status).toBe(403);
    if (method !== 'HEAD') expect(without.json.detail).toContain(scope);
    const revoked = await http.keyFor();
    await http.keys.revoke(revoked.split('_')[2] ?? '');
    expect((await call(revoked)).status).toBe(401);
    expect((await call(await http.keyFor({ mode: 'live' }))).status).toBe(403);
    expect(await rig.client.get(id)).toMatchObject({ state: 'completed', frame: 'stored' });
  });
});

it.each([
  ['GET', '/v1/gate', undefined],
  ['POST', '/v1/gate', { region: 'ap-singapore', action: 'VideoLivenessCompare', steer: 'pause', why: 'test' }],
  ['GET', '/metrics', undefined],
])('%s %s is refused for a key of a tenant, which could see or delay others with it', async (method, path, json) => {
  const answer = await http.call(method, path, { secret: await http.keyFor({ tenant: 'globex' }), json });
  expect(answer).toMatchObject({ status: 403, json: { code: 'FORBIDDEN' } });
  expect((await rig.client.gates()).filter(({ state }) => state !== 'open')).toEqual([]);
});

describe('a key of another tenant', () => {
  it.each(ROUTES.filter(([, path]) => path.includes('ID')))('%s %s finds nothing', async (method, path) => {
    const secret = await http.keyFor({ tenant: 'globex' });
    const json = path.endsWith('resolve') ? { json: { choice: 'fail', why: 'mine now' } } : {};
    const answer = await http.call(method, path.replace('ID', id), { secret, ...json });
    expect(answer.status).toBe(404);
    expect(answer.bytes.toString()).not.toContain('mine"');
    expect(await rig.client.get(id)).toMatchObject({ state: 'completed', frame: 'stored', tenant: 'acme' });
  });

  it('lists only its own verifications, and the same idempotency key is a different verification', async () => {
    const secret = await http.keyFor({ tenant: 'globex' });
    expect((await http.call('GET', '/v1/verifications', { secret })).json.verifications).toEqual([]);
    expect((await http.call('GET', '/v1/verifications?key=mine', { secret })).json.verifications).toEqual([]);
    const own = await http.call('POST', '/v1/verifications?wait=30', { secret, json: await rig.request('mine') });
    expect(own.json).toMatchObject({ tenant: 'globex', enqueued: 'new' });
    expect(own.json.id).not.toBe(id);
  });
});

it('a refused request does not reveal whether the key exists, and asks for a bearer token', async () => {
  const unknown = await http.call('GET', '/v1/gate', { secret: createToken('test').secret });
  const malformed = await http.call('GET', '/v1/gate', { secret: 'x' });
  expect(unknown.json).toEqual({ ...malformed.json, requestId: unknown.json.requestId });
  expect(unknown.headers.get('www-authenticate')).toMatch(/^Bearer/);
  for (const authorization of ['Basic eDp5', 'Bearer', 'Bearer ', `Bearer ${http.secret} x`, http.secret]) {
    const answer = await http.call('GET', '/v1/gate', { secret: null, headers: { authorization } });
    expect(answer.status).toBe(401);
  }
});

it('a key has one rate across all processes, and a refusal says when to retry', async () => {
  const second = await openHttp(rig);
  const secret = await http.keyFor({ perSecond: 1, tenant: 'default' });
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? http : second).call('GET', '/v1/gate', { secret })),
  );
  const limited = answers.filter(({ status }) => status === 429);
  expect(limited.length).toBeGreaterThanOrEqual(10);
  expect(answers.some(({ status }) => status === 200)).toBe(true);
  expect(Number(limited[0]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect((await http.call('GET', '/v1/gate', { secret: http.operator })).status).toBe(200);
  await second.close();
});

it('counts each item of a batch in the rate of the key', async () => {
  const secret = await http.keyFor({ perSecond: 10 });
  const verifications = Array.from({ length: 1_000 }, () => ({}));
  expect((await http.call('POST', '/v1/verifications:batch', { json: { verifications }, secret })).status).toBe(200);
  const next = await http.call('GET', '/v1/verifications', { secret });
  expect(next).toMatchObject({ status: 429, json: { code: 'RATE_LIMITED' } });
  expect(Number(next.headers.get('retry-after'))).toBeGreaterThan(10); // 100 s for 1,000 items, less the time until now
});

describe('the audit log', () => {
  it('records who read and decided, and for what purpose, without a secret, key, link or path', async () => {
    const headers = { 'x-purpose': 'dispute 7' };
    const actor = http.secret.split('_')[2];
    const before = (await rig.audited()).length;
    await http.call('GET', `/v1/verifications/${id}`, { headers });
    await http.call('GET', `/v1/verifications/${id}/events`, { headers });
    const frame = await http.call('GET', `/v1/verifications/${id}/best-frame`, { headers });
    await http.call('POST', `/v1/verifications/${id}/resolve`, { headers, json: { choice: 'fail', why: 'x' } });
    const steer = { region: 'ap-bangkok', action: 'VideoLivenessCompare', steer: 'resume', why: 'x' };
    await http.call('POST', '/v1/gate', { secret: http.operator, headers, json: steer });
    // Entries about requests that were refused earlier are summed up, and written at some later time.
    const lines = (await rig.audited()).slice(before).filter(({ act }) => act !== 'login.refused');
    const common = {
      at: expect.any(String),
      actor,
      tenant: 'acme',
      purpose: 'dispute 7',
      requestId: expect.any(String),
    };
    expect(lines).toEqual([
      { ...common, act: 'timeline.read', on: id },
      { ...common, act: 'timeline.read', on: id },
      { ...common, act: 'frame.read', on: id },
      { ...common, act: 'held.resolve', on: id, what: 'fail' },
      {
        ...common,
        actor: http.operator.split('_')[2],
        tenant: 'default',
        act: 'gate.steer',
        on: 'ap-bangkok VideoLivenessCompare',
        what: 'resume',
      },
    ]);
    expect(lines[2]?.requestId).toBe(frame.headers.get('x-request-id'));
    // When many requests are refused at once, the audit log records only some of them, so the test repeats its request.
    const unknown = createToken('test');
    const last = async () => {
      await http.call('GET', '/v1/gate', { secret: unknown.secret });
      return (await rig.audited()).at(-1);
    };
    const refusal = {
      act: 'login.refused',
      actor: unknown.token.id,
      tenant: null,
      what: 'key invalid',
      address: '127.0.0.1',
    };
    await expect
      .poll(last, { timeout: 30_000 })
      .toEqual({ at: expect.any(String), requestId: expect.any(String), ...refusal });
    expect(JSON.stringify(await rig.audited())).not.toMatch(/bf_test_[0-9a-f]{12}_|"mine"|inputs|myqcloud/);
  });

  it('refuses a purpose that would break its line format', async () => {
    for (const purpose of ['x'.repeat(129), 'tab\there']) {
      const answer = await http.call('GET', `/v1/verifications/${id}`, { headers: { 'x-purpose': purpose } });
      expect(answer).toMatchObject({ status: 400, json: { field: 'X-Purpose' } });
    }
  });

  it('stops every audited act if it cannot be written, and nothing else', async () => {
    const mute = await openHttp(rig, { BESTFRAME_AUDIT: '/dev/full' });
    for (const [method, path, json] of [
      ['GET', `/v1/verifications/${id}/best-frame`],
      ['GET', `/v1/verifications/${id}`],
      ['GET', '/v1/verifications'],
      ['GET', `/v1/verifications/${id}/events`],
      ['DELETE', `/v1/verifications/${id}`],
      ['POST', '/v1/gate', { region: 'ap-singapore', action: 'VideoLivenessCompare', steer: 'pause', why: 'x' }],
    ] as const) {
      const answer = await mute.call(method, path, json === undefined ? {} : { json, secret: http.operator });
      expect(answer).toMatchObject({ status: 503, json: { code: 'AUDIT_UNAVAILABLE' } });
    }
    expect((await mute.call('GET', '/v1/costs')).status).toBe(200);
    expect((await mute.call('GET', '/v1/gate', { secret: null })).status).toBe(401);
    expect(await rig.client.get(id)).toMatchObject({ state: 'completed' });
    expect((await rig.client.gates()).filter(({ state }) => state === 'paused')).toEqual([]);
    await mute.close();
  });
});

describe('the listening address', () => {
  const outside = Object.values(networkInterfaces())
    .flat()
    .find((each) => each?.family === 'IPv4' && !each.internal)?.address;

  it('must be a loopback address as long as no key for this mode exists', async () => {
    const env = {
      ...rig.env,
      BESTFRAME_PREFIX: `{${rig.config.prefix.slice(1, -1)}-bare}`,
      BESTFRAME_API_HOST: '0.0.0.0',
    };
    const log = pino({ level: 'silent' });
    await expect(openApi(readConfig(env), log)).rejects.toMatchObject({
      code: 'INVALID_SETTINGS',
      field: 'BESTFRAME_API_HOST',
    });
    // This deployment has a key, so startup continues, but then fails because the address is not on this machine.
    await expect(rig.openApi({ BESTFRAME_API_HOST: '192.0.2.1' })).rejects.toMatchObject({
      field: 'BESTFRAME_API_PORT',
      message: expect.stringContaining('EADDRNOTAVAIL'),
    });
    const loopback = await openApi(readConfig({ ...env, BESTFRAME_API_HOST: '127.0.0.1' }), log);
    expect((await fetch(`${loopback.url}/v1/gate`)).status).toBe(401);
    await loopback.stop(0);
  });

  it('is 127.0.0.1 by default', async () => {
    expect(new URL(http.url).hostname).toBe('127.0.0.1');
    if (outside !== undefined) await expect(fetch(http.url.replace('127.0.0.1', outside))).rejects.toThrow();
  });
});
