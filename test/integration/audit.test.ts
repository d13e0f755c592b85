/**
 * Tests that every route of the HTTP API, every method of the Redis client and every page of the site that shows or changes something
 * writes its act to the audit log first, and does nothing if the log cannot be written.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { openDashboard } from '../../src/app/dashboard.ts';
import { namespaceOf } from '../../src/app/namespace.ts';
import { BestframeClient } from '../../src/client/redis/client.ts';
import { createToken } from '../../src/domain/operations/api-keys.ts';
import { type Act, type AuditEntry, lineHash, parseLine } from '../../src/domain/operations/audit.ts';
import { checkAudit } from '../../src/domain/operations/audit-report.ts';
import { hashPassword } from '../../src/domain/operations/operators.ts';
import { type Http, openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { finishedSession } from '../support/sessions.ts';
import { loggedIn } from '../support/site.ts';

const GATE = { region: 'ap-bangkok', action: 'VideoLivenessCompare' } as const;
const HOOK = { url: 'https://receiver.example/hook' };
const SESSION = { key: 'session-of-maria', action: 'ApplyLivenessToken', region: 'ap-singapore' } as const;
const ASKED = { by: 'officer', why: 'asked by letter' };
const CANARY = 'maria-lopez';

let rig: Rig;
let http: Http;
let mute: Http;
let id: string;
/** A session with a medium. */
let seen: string;
let body: object;

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_QPS_DETECT: '200' }, emulator: { qps: {} } });
  await rig.openWorker();
  http = await openHttp(rig);
  mute = await openHttp(rig, { BESTFRAME_AUDIT: '/dev/full' });
  await rig.permit('acme');
  body = await rig.request(CANARY, { card: 'match' }, { subject: `${CANARY}-subject` });
  ({ id } = await rig.client.forTenant('acme').enqueue(body as never));
  await rig.client.wait(id, { until: 'ended', timeoutMs: 50_000 });
  await rig.client.forTenant('acme').startSession(SESSION);
  seen = await finishedSession(rig, rig.client.forTenant('acme'));
});
afterAll(async () => {
  await http.close();
  await mute.close();
  await rig.dispose();
});

type Call = readonly [
  method: string,
  path: string,
  options?: { json?: unknown; headers?: Record<string, string>; secret?: string },
];

/** For each operation of the API: the acts of a call, and the call. `[]`: the call is not audited, because it concerns no person. */
const ROUTES: Readonly<Record<string, readonly [readonly Act[], () => Call]>> = {
  'get /v1/verifications': [['verifications.list'], () => ['GET', `/v1/verifications?key=${CANARY}`]],
  'get /v1/verifications/{id}': [['timeline.read'], () => ['GET', `/v1/verifications/${id}`]],
  'get /v1/verifications/{id}/events': [['timeline.read'], () => ['GET', `/v1/verifications/${id}/events`]],
  'get /v1/verifications/{id}/best-frame': [['frame.read'], () => ['GET', `/v1/verifications/${id}/best-frame`]],
  'head /v1/verifications/{id}/best-frame': [['frame.head'], () => ['HEAD', `/v1/verifications/${id}/best-frame`]],
  'get /v1/verifications/{id}/media/{name}': [
    ['frame.read'],
    () => ['GET', `/v1/verifications/${seen}/media/liveVideo`],
  ],
  'head /v1/verifications/{id}/media/{name}': [
    ['frame.head'],
    () => ['HEAD', `/v1/verifications/${seen}/media/liveVideo`],
  ],
  'post /v1/verifications': [['verification.resubmit'], () => ['POST', '/v1/verifications', { json: body }]],
  'post /v1/verifications:batch': [
    ['verification.resubmit'],
    () => ['POST', '/v1/verifications:batch', { json: { verifications: [{ lane: 'interactive', ...body }] } }],
  ],
  'post /v1/verifications/{id}/cancel': [['cancel'], () => ['POST', `/v1/verifications/${id}/cancel`]],
  'post /v1/verifications/{id}/resolve': [
    ['held.resolve'],
    () => ['POST', `/v1/verifications/${id}/resolve`, { json: { choice: 'fail', why: 'x' } }],
  ],
  'post /v1/retries': [
    ['verifications.list'],
    () => ['POST', '/v1/retries', { json: { ids: [id], why: 'x', dryRun: true } }],
  ],
  'get /v1/gate': [[], () => ['GET', '/v1/gate']],
  'post /v1/gate': [
    ['gate.steer'],
    () => ['POST', '/v1/gate', { json: { ...GATE, steer: 'resume', why: 'x' }, secret: http.operator }],
  ],
  'get /v1/costs': [[], () => ['GET', '/v1/costs']],
  'get /metrics': [[], () => ['GET', '/metrics']],
  'get /healthz': [[], () => ['GET', '/healthz']],
  'get /readyz': [[], () => ['GET', '/readyz']],
  'post /v1/sequences': [[], () => ['POST', '/v1/sequences', { json: {} }]],
  'post /v1/sessions': [['verification.resubmit'], () => ['POST', '/v1/sessions?wait=0', { json: SESSION }]],
  'post /v1/sessions/{id}/finished': [[], () => ['POST', `/v1/sessions/${id}/finished`]],
  'get /v1/webhook-endpoints': [['webhook.list'], () => ['GET', '/v1/webhook-endpoints']],
  'put /v1/webhook-endpoints/{name}': [['webhook.change'], () => ['PUT', '/v1/webhook-endpoints/shop', { json: HOOK }]],
  'post /v1/webhook-endpoints/{name}/rotate': [
    ['webhook.change'],
    () => ['POST', '/v1/webhook-endpoints/shop/rotate', { json: {} }],
  ],
  'post /v1/webhook-endpoints/{name}/settle': [['webhook.change'], () => ['POST', '/v1/webhook-endpoints/shop/settle']],
  'post /v1/webhook-endpoints/{name}/enable': [['webhook.change'], () => ['POST', '/v1/webhook-endpoints/shop/enable']],
  'post /v1/webhook-endpoints/{name}/test': [['webhook.change'], () => ['POST', '/v1/webhook-endpoints/unknown/test']],
  'delete /v1/webhook-endpoints/{name}': [['webhook.change'], () => ['DELETE', '/v1/webhook-endpoints/shop']],
  'get /v1/dead-notifications': [['webhook.list'], () => ['GET', '/v1/dead-notifications']],
  'post /v1/dead-notifications/{id}/redeliver': [
    ['webhook.change'],
    () => ['POST', '/v1/dead-notifications/notify-none/redeliver'],
  ],
  'post /v1/verifications/{id}/acknowledge': [
    ['frame.acknowledge'],
    () => ['POST', `/v1/verifications/${id}/acknowledge`],
  ],
  'delete /v1/verifications/{id}': [['erase'], () => ['DELETE', `/v1/verifications/${id}`]],
  'get /v1/verifications/{id}/receipt': [['receipt.read'], () => ['GET', `/v1/verifications/${id}/receipt`]],
};

// In the order of the table, also when tests are shuffled: the verification is erased at the end.
describe('the HTTP API', { shuffle: false }, () => {
  it('has an entry above for every route', () => {
    const routes = Object.entries(http.document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(Object.keys(ROUTES).sort()).toEqual(routes.sort());
  });

  it.each(Object.entries(ROUTES))('%s', async (_route, [acts, callOf]) => {
    const [method, path, options = {}] = callOf();
    const signal = { headers: { ...options.headers, 'x-purpose': 'dispute 7' } };
    if (acts.length > 0 && method !== 'HEAD') {
      // The receipt exists only after the erasure; until then the route answers 404 without an audited look.
      const refused = await mute.call(method, path, { ...options, ...signal });
      expect(refused).toMatchObject({ status: 503, json: { code: 'AUDIT_UNAVAILABLE' } });
    }
    const before = (await rig.audited()).length;
    await http.call(method, path, { ...options, ...signal });
    const lines = (await rig.audited()).slice(before);
    expect(lines.map(({ act }) => act)).toEqual(acts);
    const tenant = options.secret === undefined ? 'acme' : 'default';
    for (const line of lines)
      expect(line).toMatchObject({ tenant, purpose: 'dispute 7', requestId: expect.any(String) });
  });

  it('audits a picture that the caller has already (304), and a refused API key', async () => {
    const asked = await rig.request('second', { card: 'match' });
    const { id: second } = await rig.client.forTenant('acme').enqueue(asked);
    await rig.client.wait(second, { until: 'ended', timeoutMs: 50_000 });
    const path = `/v1/verifications/${second}/best-frame`;
    const etag = (await http.call('GET', path)).headers.get('etag') ?? '';
    expect((await http.call('GET', path, { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await rig.audited()).at(-1)).toMatchObject({ act: 'frame.head', on: second });
    const { secret, token } = createToken('test');
    const flood = Array.from({ length: 50 }, () => http.call('GET', '/v1/gate', { secret }));
    await Promise.all(flood);
    const count = async () => {
      const lines = (await rig.audited()).filter(({ act, what }) => act === 'login.refused' && what === 'key invalid');
      return lines.reduce((sum, line) => sum + (line.count ?? 1), 0);
    };
    await expect.poll(count, { timeout: 10_000 }).toBe(50);
    expect((await rig.audited()).find(({ act }) => act === 'login.refused')).toMatchObject({ actor: token.id });
  });

  it('writes a chain that is intact and names no key, subject, link or path', async () => {
    const text = await readFile(join(rig.dir, 'audit.log'), 'utf8');
    const lines = text.trimEnd().split('\n');
    for (const [index, line] of lines.slice(1).entries())
      expect(parseLine(line)?.prev).toBe(lineHash(lines[index] ?? ''));
    const read = async function* () {
      for (const [index, line] of lines.entries()) yield { at: `${index}`, text: line };
    };
    expect(await checkAudit({ read, olderGone: false, stopped: false })).toMatchObject({ intact: true, chains: 1 });
    expect(text).not.toMatch(new RegExp(`${CANARY}|inputs|myqcloud|receiver\\.example|bf_test_`));
  });
});

describe('the Redis client', () => {
  const CALLS: readonly (readonly [
    string,
    readonly Act[],
    (client: BestframeClient, some: string) => Promise<unknown>,
  ])[] = [
    ['get', ['timeline.read'], (client, some) => client.get(some)],
    ['getByKey', ['timeline.read'], (client) => client.getByKey('library')],
    ['support', ['timeline.read'], (client, some) => client.support(some)],
    ['wait', ['timeline.read'], (client, some) => client.wait(some)],
    ['list', ['verifications.list'], (client) => client.list()],
    ['page', ['verifications.list'], (client) => client.page()],
    ['held', ['verifications.list'], (client) => client.held()],
    ['bySubject', ['verifications.list'], (client) => client.bySubject(CANARY)],
    ['endedBefore', ['verifications.list'], (client) => client.endedBefore(Date.now())],
    ['cancel', ['cancel'], (client, some) => client.cancel(some)],
    ['resolve', ['held.resolve'], (client, some) => client.resolve(some, 'fail', ASKED)],
    ['retry of a completed one', [], (client, some) => client.retry({ ids: [some], ...ASKED })],
    ['steerGate', ['gate.steer'], (client) => client.steerGate(GATE, 'resume', ASKED)],
    ['webhooks.add', ['webhook.change'], (client) => client.webhooks.add({ name: 'lib', ...HOOK })],
    ['webhooks.rotate', ['webhook.change'], (client) => client.webhooks.rotate('lib')],
    ['webhooks.settle', ['webhook.change'], (client) => client.webhooks.settle('lib')],
    ['webhooks.enable', ['webhook.change'], (client) => client.webhooks.enable('lib')],
    ['webhooks.test', ['webhook.change'], (client) => client.webhooks.test('lib', 1)],
    ['webhooks.list', ['webhook.list'], (client) => client.webhooks.list()],
    ['webhooks.deadLetters', ['webhook.list'], (client) => client.webhooks.deadLetters()],
    ['webhooks.redeliver', ['webhook.change'], (client) => client.webhooks.redeliver('notify-none')],
    ['webhooks.remove', ['webhook.change'], (client) => client.webhooks.remove('lib')],
    ['acknowledge', ['frame.acknowledge'], (client, some) => client.acknowledge(some)],
    ['legalHold', ['legal-hold.change'], (client, some) => client.legalHold(some, ASKED)],
    ['liftLegalHold', ['legal-hold.change'], (client, some) => client.liftLegalHold(some, ASKED)],
    ['erase', ['erase'], (client, some) => client.erase(some, ASKED)],
    ['receipt', ['receipt.read'], (client, some) => client.receipt(some)],
  ];

  it('writes an act before each call if it has an audit log, and does nothing if the log cannot be written', async () => {
    const log = join(rig.dir, 'client-audit.log');
    const { redis, prefix } = rig.config;
    const namespace = namespaceOf(rig.config);
    const options = { redis, prefix, namespace, mode: 'test', actor: 'shop-backend', tenant: 'acme' } as const;
    const client = new BestframeClient({ ...options, audit: log });
    const blind = new BestframeClient({ ...options, audit: '/dev/full' });
    const asked = await rig.request('library', { card: 'match' });
    const { id: some } = await client.enqueue(asked);
    await rig.client.wait(some, { until: 'ended', timeoutMs: 50_000 });
    expect(await client.enqueue(asked)).toMatchObject({ status: 'same' });
    const expected: Act[] = ['verification.resubmit'];
    for (const [name, acts, call] of CALLS) {
      if (acts.length > 0) await expect(call(blind, some), name).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
      await call(client, some);
      expected.push(...acts);
    }
    await client.close();
    await blind.close();
    const lines = (await readFile(log, 'utf8')).trimEnd().split('\n');
    const entries = lines.map((line) => JSON.parse(line) as AuditEntry);
    expect(entries.map(({ act }) => act)).toEqual([...expected, 'audit.close']);
    expect(entries[1]).toMatchObject({ actor: 'shop-backend', tenant: 'acme', on: some });
    expect(entries.find(({ act }) => act === 'erase')).toMatchObject({ actor: 'officer', purpose: 'asked by letter' });
  });
});

describe("the operators' site", () => {
  it('audits overview, search, logout, the Bull dashboard once a minute, and each wrong password', async () => {
    const log = join(rig.dir, 'site-audit.log');
    const users = `ana=operator+frames=${await hashPassword('ana-may-do-all')}`;
    const settings = {
      BESTFRAME_DASHBOARD_PORT: '0',
      BESTFRAME_DASHBOARD_USERS: users,
      BESTFRAME_AUDIT: log,
      BESTFRAME_LOGIN_FAILURES: 'address=1000',
    };
    const site = await openDashboard(readConfig({ ...rig.env, ...settings }), pino({ level: 'silent' }));
    const cookie = await loggedIn(site.url, 'ana', 'ana-may-do-all');
    const get = (path: string, headers: Record<string, string> = { cookie }) =>
      fetch(new URL(path, site.url), { headers, redirect: 'manual' });
    const token = /name="token" value="([^"]+)"/.exec(await (await get('/')).text())?.[1] ?? '';
    await get(`/find?what=${CANARY}`);
    expect((await get('/dashboard')).status).toBe(200);
    expect((await get('/dashboard/api/queues')).status).toBe(200);
    expect((await get('/', { authorization: `Basic ${btoa('ana:guess')}` })).status).toBe(401);
    const form = new URLSearchParams({ token });
    await fetch(new URL('/logout', site.url), { method: 'POST', body: form, headers: { cookie }, redirect: 'manual' });
    await site.stop(0);
    const text = await readFile(log, 'utf8');
    const entries = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditEntry);
    expect(entries.map(({ act, actor, what }) => [act, actor, what])).toEqual([
      ['login', 'ana', 'password'],
      ['verifications.list', 'ana', 'overview'],
      ['verifications.list', 'ana', 'one key or id'],
      ['verifications.list', 'ana', 'Bull dashboard'],
      ['login.refused', null, 'basic wrong'],
      ['session.end', 'ana', 'logout'],
      ['audit.close', null, undefined],
    ]);
    expect(text).not.toContain(CANARY);
  });
});
