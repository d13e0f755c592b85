/** Who may do what over HTTP, and that it is written down: keys, scopes, tenants, rates, modes, addresses, the audit log. */
import { networkInterfaces } from 'node:os';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApi } from '../../src/compose-api.ts';
import { readConfig } from '../../src/config.ts';
import { makeToken, SCOPES, type Scope } from '../../src/domain/api-keys.ts';
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

/** Each route that needs a key, and the scope that opens it. */
const ROUTES: readonly (readonly [method: string, path: string, scope: Scope])[] = [
  ['POST', '/v1/verifications', 'submit'],
  ['POST', '/v1/verifications:batch', 'submit'],
  ['POST', '/v1/verifications/ID/cancel', 'submit'],
  ['GET', '/v1/verifications', 'read'],
  ['GET', '/v1/verifications/ID', 'read'],
  ['GET', '/v1/verifications/ID/events', 'read'],
  ['GET', '/v1/verifications/ID/best-frame', 'frames'],
  ['HEAD', '/v1/verifications/ID/best-frame', 'frames'],
  ['POST', '/v1/verifications/ID/acknowledge', 'frames'],
  ['POST', '/v1/verifications/ID/resolve', 'operate'],
  ['GET', '/v1/gate', 'operate'],
  ['POST', '/v1/gate', 'operate'],
  ['POST', '/v1/sequences', 'submit'],
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
  path.replace('notifications/{id}', 'notifications/notify-v1-erased').replace('{id}', 'ID').replace('{name}', 'shop');

it('no route of the document is missing here', () => {
  const described = Object.entries(http.document.paths).flatMap(([path, verbs]) =>
    Object.keys(verbs).map((verb) => `${verb.toUpperCase()} ${filled(path)}`),
  );
  const open = ['GET /healthz', 'GET /readyz'];
  expect([...ROUTES.map(([method, path]) => `${method} ${path}`), ...open].sort()).toEqual(described.sort());
});

describe.each(ROUTES)('%s %s', (method, path, scope) => {
  const call = (secret: string | null) => http.call(method, path.replace('ID', id), { secret });

  it(`needs a key that is good, with ${scope}`, async () => {
    expect((await call(null)).status).toBe(401);
    expect((await call('bf_test_nonsense')).status).toBe(401);
    expect((await call(makeToken('test').secret)).status).toBe(401);
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

describe("a stranger's key", () => {
  it.each(ROUTES.filter(([, path]) => path.includes('ID')))('%s %s finds nothing', async (method, path) => {
    const secret = await http.keyFor({ tenant: 'globex' });
    const json = path.endsWith('resolve') ? { json: { choice: 'fail', why: 'mine now' } } : {};
    const answer = await http.call(method, path.replace('ID', id), { secret, ...json });
    expect(answer.status).toBe(404);
    expect(answer.bytes.toString()).not.toContain('mine"');
    expect(await rig.client.get(id)).toMatchObject({ state: 'completed', frame: 'stored', tenant: 'acme' });
  });

  it('lists nothing of others, and its own under the same key is another one', async () => {
    const secret = await http.keyFor({ tenant: 'globex' });
    expect((await http.call('GET', '/v1/verifications', { secret })).json.verifications).toEqual([]);
    expect((await http.call('GET', '/v1/verifications?key=mine', { secret })).json.verifications).toEqual([]);
    const own = await http.call('POST', '/v1/verifications?wait=30', { secret, json: await rig.request('mine') });
    expect(own.json).toMatchObject({ tenant: 'globex', enqueued: 'new' });
    expect(own.json.id).not.toBe(id);
  });
});

it('a login is refused in one word less than what is wrong, and asks for a bearer', async () => {
  const unknown = await http.call('GET', '/v1/gate', { secret: makeToken('test').secret });
  const malformed = await http.call('GET', '/v1/gate', { secret: 'x' });
  expect(unknown.json).toEqual({ ...malformed.json, requestId: unknown.json.requestId });
  expect(unknown.headers.get('www-authenticate')).toMatch(/^Bearer/);
  for (const authorization of ['Basic eDp5', 'Bearer', 'Bearer ', `Bearer ${http.secret} x`, http.secret]) {
    const answer = await http.call('GET', '/v1/gate', { secret: null, headers: { authorization } });
    expect(answer.status).toBe(401);
  }
});

it('a key has its rate, over all processes, and says when to come again', async () => {
  const second = await openHttp(rig);
  const secret = await http.keyFor({ perSecond: 1 });
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? http : second).call('GET', '/v1/gate', { secret })),
  );
  const limited = answers.filter(({ status }) => status === 429);
  expect(limited.length).toBeGreaterThanOrEqual(10);
  expect(answers.some(({ status }) => status === 200)).toBe(true);
  expect(Number(limited[0]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect((await http.call('GET', '/v1/gate')).status).toBe(200);
  await second.close();
});

describe('the audit log', () => {
  it('has who looked, decided and erased, what for, and no picture, key, link or path', async () => {
    const headers = { 'x-purpose': 'dispute 7' };
    const actor = http.secret.split('_')[2];
    const before = (await rig.audited()).length;
    await http.call('GET', `/v1/verifications/${id}`, { headers });
    await http.call('GET', `/v1/verifications/${id}/events`, { headers });
    const frame = await http.call('GET', `/v1/verifications/${id}/best-frame`, { headers });
    await http.call('POST', `/v1/verifications/${id}/resolve`, { headers, json: { choice: 'fail', why: 'x' } });
    const steer = { region: 'ap-bangkok', action: 'VideoLivenessCompare', steer: 'resume', why: 'x' };
    await http.call('POST', '/v1/gate', { headers, json: steer });
    const lines = (await rig.audited()).slice(before);
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
      { ...common, act: 'gate.steer', on: 'ap-bangkok VideoLivenessCompare', what: 'resume' },
    ]);
    expect(lines[2]?.requestId).toBe(frame.headers.get('x-request-id'));
    // In a flood of refusals not each is written.
    const unknown = makeToken('test');
    const last = async () => {
      await http.call('GET', '/v1/gate', { secret: unknown.secret });
      return (await rig.audited()).at(-1);
    };
    const refusal = { act: 'login.refused', actor: unknown.token.id, tenant: null, what: 'not valid' };
    await expect
      .poll(last, { timeout: 30_000 })
      .toEqual({ at: expect.any(String), requestId: expect.any(String), ...refusal });
    expect(JSON.stringify(await rig.audited())).not.toMatch(/bf_test_[0-9a-f]{12}_|"mine"|inputs|myqcloud/);
  });

  it('refuses a purpose that would break its lines', async () => {
    for (const purpose of ['x'.repeat(129), 'tab\there']) {
      const answer = await http.call('GET', `/v1/verifications/${id}`, { headers: { 'x-purpose': purpose } });
      expect(answer).toMatchObject({ status: 400, json: { field: 'X-Purpose' } });
    }
  });

  it('that cannot be written: what should be in it is not done; the rest goes on', async () => {
    const mute = await openHttp(rig, { BESTFRAME_AUDIT: '/dev/full' });
    for (const [method, path, json] of [
      ['GET', `/v1/verifications/${id}/best-frame`],
      ['GET', `/v1/verifications/${id}`],
      ['GET', `/v1/verifications/${id}/events`],
      ['DELETE', `/v1/verifications/${id}`],
      ['POST', '/v1/gate', { region: 'ap-singapore', action: 'VideoLivenessCompare', steer: 'pause', why: 'x' }],
    ] as const) {
      const answer = await mute.call(method, path, json === undefined ? {} : { json });
      expect(answer).toMatchObject({ status: 503, json: { code: 'AUDIT_UNAVAILABLE' } });
    }
    expect((await mute.call('GET', '/v1/verifications')).status).toBe(200);
    expect((await mute.call('GET', '/v1/gate', { secret: null })).status).toBe(401);
    expect(await rig.client.get(id)).toMatchObject({ state: 'completed' });
    expect((await rig.client.gates()).filter(({ state }) => state === 'paused')).toEqual([]);
    await mute.close();
  });
});

describe('where it listens', () => {
  const outside = Object.values(networkInterfaces())
    .flat()
    .find((each) => each?.family === 'IPv4' && !each.internal)?.address;

  it('refuses an address that others reach while no key opens this mode', async () => {
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
    // There is a key in this one: it goes on, to an address that is not this machine's.
    await expect(rig.openApi({ BESTFRAME_API_HOST: '192.0.2.1' })).rejects.toMatchObject({
      field: 'BESTFRAME_API_PORT',
      message: expect.stringContaining('EADDRNOTAVAIL'),
    });
    const loopback = await openApi(readConfig({ ...env, BESTFRAME_API_HOST: '127.0.0.1' }), log);
    expect((await fetch(`${loopback.url}/v1/gate`)).status).toBe(401);
    await loopback.stop(0);
  });

  it('is 127.0.0.1 unless told otherwise', async () => {
    expect(new URL(http.url).hostname).toBe('127.0.0.1');
    if (outside !== undefined) await expect(fetch(http.url.replace('127.0.0.1', outside))).rejects.toThrow();
  });
});
