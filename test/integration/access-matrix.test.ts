/**
 * Tries every route with every kind of access. The routes come from the servers' own route tables, so a new route is tried without a
 * change here. What must happen follows from the rules in `expectedOfApi` and `expectedOfSite`, which share no code with the servers.
 */
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiKeys } from '../../src/client/redis/api-keys.ts';
import { LoginLimiter } from '../../src/client/redis/login-limiter.ts';
import { SiteSessions } from '../../src/client/redis/site-sessions.ts';
import { createToken, SCOPES, type Scope } from '../../src/domain/operations/api-keys.ts';
import { hashPassword, type Operator } from '../../src/domain/operations/operators.ts';
import { formTokenOf } from '../../src/domain/operations/sessions.ts';
import { openEraseQueue } from '../../src/redis/erase-queue.ts';
import { openNotifyQueue } from '../../src/redis/notify-queue.ts';
import { openVerifyQueue } from '../../src/redis/verify-queue.ts';
import { DEFAULT_STREAM_LIMITS } from '../../src/server/api/event-streams.ts';
import type { Api } from '../../src/server/api/route-tools.ts';
import { buildApi } from '../../src/server/api/server.ts';
import { buildSite } from '../../src/server/dashboard/site.ts';
import type { Route } from '../../src/server/route-table.ts';
import { createRig, type Rig } from '../support/rig.ts';

const CANARY = 'maria-lopez';
const PASSWORD = 'matrix-may-do-all';
const PROXY_SECRET = randomBytes(32).toString('hex');
const LIMITS = { lifeMs: 3_600_000, idleMs: 3_600_000 };
const ROOMY = { pair: 100_000, address: 100_000, user: 100_000 };
const EDGE = { basePath: '', trustedProxies: [] };
const audit = { write: async () => undefined, close: async () => undefined };
const sink = { open: async () => null };

let rig: Rig;
let api: Api;
let site: Awaited<ReturnType<typeof buildSite>>;
let keys: ApiKeys;
let sessions: SiteSessions;
let operators: Operator[];
/** An ended verification of tenant `acme`. */
let victim: string;
const cleanups: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  rig = await createRig();
  const { redis, prefix } = rig.config;
  keys = new ApiKeys(redis, prefix);
  sessions = new SiteSessions(redis, prefix);
  const limiter = new LoginLimiter(redis, ROOMY, prefix);
  const password = await hashPassword(PASSWORD);
  operators = [
    { name: 'vera', roles: [], password },
    { name: 'oscar', roles: ['operator'], password },
    { name: 'fred', roles: ['frames'], password },
    { name: 'ana', roles: ['operator', 'frames'], password },
  ];
  const { client, deployment } = rig;
  const shared = { client, keys, audit, limiter, sink, mode: 'test', edge: EDGE, limits: {} } as const;
  api = await buildApi({
    redisTrouble: async () => null,
    ...{ ...shared, staging: null, sequences: null, streamLimits: DEFAULT_STREAM_LIMITS },
    log: pino({ level: 'silent' }),
  });
  const verify = openVerifyQueue(deployment, 'ap-singapore');
  const [erase, notify] = [openEraseQueue(deployment), openNotifyQueue(deployment)];
  site = await buildSite({
    ...{ ...shared, deployment, queues: { verify: new Map([['ap-singapore', verify]]), erase, notify } },
    ...{ operators: () => operators, sessionStore: sessions, sessionLimits: LIMITS },
    identityProxy: { header: 'x-forwarded-user', secret: PROXY_SECRET },
  });
  cleanups.push(
    () => api.close(),
    () => site.close(),
    () => keys.close(),
    () => sessions.close(),
  );
  cleanups.push(
    () => limiter.close(),
    () => verify.close(),
    () => erase.close(),
    () => notify.close(),
  );
  await rig.permit('acme', 'globex');
  victim = await endedVerification(`${CANARY}-victim`);
});
afterAll(async () => {
  for (const cleanup of cleanups) await cleanup();
  await rig.dispose();
});

/** @returns the id of a cancelled verification of tenant `acme`. */
async function endedVerification(key: string): Promise<string> {
  const client = rig.client.forTenant('acme');
  const { id } = await client.enqueue(await rig.request(key, undefined, { metadata: { customer: CANARY } }));
  await client.cancel(id);
  return id;
}

const TENANTS = ['acme', 'globex', 'default'] as const;
/** Routes about the deployment, which a key of a tenant must not use. */
const OF_DEPLOYMENT = ['/v1/gate', '/metrics'];
const KEY_STATES = ['live', 'revoked', 'expired', 'other mode', 'wrong secret', 'unknown'] as const;

interface ApiKeyCase {
  readonly tenant: (typeof TENANTS)[number];
  readonly scope: Scope;
  readonly state: (typeof KEY_STATES)[number];
  readonly secret: string;
}

async function createKeys(): Promise<ApiKeyCase[]> {
  const cases = TENANTS.flatMap((tenant) =>
    SCOPES.flatMap((scope) => KEY_STATES.map((state) => ({ tenant, scope, state }))),
  );
  return Promise.all(cases.map(async (each) => ({ ...each, secret: await secretFor(each) })));
}

async function secretFor({ tenant, scope, state }: Omit<ApiKeyCase, 'secret'>): Promise<string> {
  if (state === 'unknown') return createToken('test').secret;
  const mode = state === 'other mode' ? 'live' : 'test';
  const made = { tenant, scopes: [scope], mode, perSecond: 100_000, name: 'matrix', lifeMs: null } as const;
  const { key, secret } = await keys.create(made);
  if (state === 'revoked') await keys.revoke(key.id);
  if (state === 'expired') await rig.redis.hset(rig.names.apiKey(key.id), 'expiresAt', Date.now() - 1);
  return state === 'wrong secret' ? `${secret.slice(0, -43)}${randomBytes(32).toString('base64url')}` : secret;
}

/** The status that a request must get; `allowed`: anything that is no refusal. */
function expectedOfApi(
  { url, config }: Route,
  { tenant, scope, state }: Omit<ApiKeyCase, 'secret'>,
): number | 'allowed' {
  if (state === 'other mode') return 403;
  if (state !== 'live') return 401;
  if (scope !== config.scope) return 403;
  if (tenant !== 'default' && OF_DEPLOYMENT.includes(url)) return 403;
  return tenant !== 'acme' && url.startsWith('/v1/verifications/:id') ? 404 : 'allowed';
}

it('HTTP API: every route × scope × tenant × state of the key', async () => {
  const routes = api.routeTable.filter(({ config }) => config.scope !== undefined);
  const open = api.routeTable.filter(({ config, url }) => config.scope === undefined && !url.startsWith('/docs'));
  expect(open.map(({ url }) => url).sort()).toEqual(['/healthz', '/openapi.json', '/readyz']);
  expect(routes.length).toBeGreaterThan(25);
  const before = JSON.stringify(await rig.client.get(victim));
  const cases = await createKeys();
  const wrong: string[] = [];
  let cells = 0;
  for (const route of routes) {
    await Promise.all(
      cases.map(async (each) => {
        const expected = expectedOfApi(route, each);
        const isOwn = expected === 'allowed' && route.url.includes(':id');
        const id = isOwn ? await endedVerification(`own-${randomBytes(6).toString('hex')}`) : victim;
        const { statusCode, body } = await callApi(route, id, each.secret);
        const isRight =
          expected === 'allowed' ? ![401, 403].includes(statusCode) && statusCode < 500 : statusCode === expected;
        const isQuiet = expected === 'allowed' || !body.includes(CANARY);
        if (!isRight || !isQuiet) wrong.push(`${nameOf(route, { ...each })}: ${statusCode}, not ${expected}`);
      }),
    );
    if ((await callApi(route, victim, null)).statusCode !== 401) wrong.push(`${nameOf(route, {})} without a key`);
    cells += cases.length + 1;
  }
  expect(wrong).toEqual([]);
  expect(JSON.stringify(await rig.client.get(victim))).toBe(before);
  expect(cells).toBeGreaterThan(1_500);
}, 300_000);

function nameOf({ method, url }: Route, { secret: _secret, ...each }: Readonly<Record<string, unknown>>): string {
  return [method, url, ...Object.values(each)].join(' ');
}

function callApi({ method, url }: Route, id: string, secret: string | null) {
  const body = method === 'POST' || method === 'PUT' ? { payload: { choice: 'fail', why: 'matrix' } } : {};
  return api.inject({
    method: method as 'GET',
    url: url
      .replace('::', ':')
      .replace(':id', url.includes('dead-notifications') ? `notify-${id}-ended` : id)
      .replace(':name', url.includes('/media/') ? 'liveVideo' : 'shop'),
    headers: secret === null ? {} : { authorization: `Bearer ${secret}` },
    ...body,
  });
}

const WAYS = [
  'session',
  'ended session',
  'forged cookie',
  'proxy',
  'proxy with a wrong secret',
  'basic',
  'nothing',
] as const;
const FORM_TOKENS = ['own', 'of another session', 'none'] as const;

interface SiteCase {
  readonly operator: Operator;
  readonly way: (typeof WAYS)[number];
  readonly token: (typeof FORM_TOKENS)[number];
}

function expectedOfSite({ method, url, config }: Route, { operator, way, token }: SiteCase): number | 'allowed' {
  const { access } = config;
  const reads = method === 'GET' || method === 'HEAD';
  if (access === 'public') return 'allowed';
  const isKnown = way === 'session' || way === 'proxy' || (way === 'basic' && reads);
  if (!isKnown) return 401;
  if ((access === 'operator' || access === 'frames') && !operator.roles.includes(access)) return 403;
  if (url === '/dashboard/api/redis/stats') return reads ? 403 : 405; // bull-board itself hides what it knows about Redis
  if (reads) return 'allowed';
  if (url.startsWith('/dashboard')) return 405;
  return way === 'session' && token === 'own' ? 'allowed' : 403;
}

it('site: every route × role × way to log in × form token', async () => {
  const routes = site.routeTable.filter(({ method }) => method !== 'OPTIONS');
  const publicUrls = new Set(routes.filter(({ config }) => config.access === 'public').map(({ url }) => url));
  expect([...publicUrls].sort()).toEqual(['/language/:language', '/login', '/site.js', '/style.css']);
  expect(routes.filter(({ method, url }) => method === 'POST' && !url.startsWith('/dashboard')).length).toBeGreaterThan(
    4,
  );
  const before = JSON.stringify(await rig.client.get(victim));
  const wrong: string[] = [];
  let cells = 0;
  for (const route of routes) {
    const reads = route.method === 'GET' || route.method === 'HEAD';
    const tokens = reads || route.url.startsWith('/dashboard') ? (['none'] as const) : FORM_TOKENS;
    const cases = operators
      .flatMap((operator) => WAYS.flatMap((way) => tokens.map((token) => ({ operator, way, token }))))
      .filter((each) => each.way !== 'basic' || isWorthAPassword(route, each));
    await Promise.all(
      cases.map(async (each) => {
        const expected = expectedOfSite(route, each);
        const { statusCode } = await callSite(route, each);
        const isWrongLogin = statusCode === 401 && route.url === '/login';
        const isRefused = [401, 403, 405].includes(statusCode) && !isWrongLogin;
        const isRight = expected === 'allowed' ? !isRefused && statusCode < 500 : statusCode === expected;
        const name = nameOf(route, { ...each, operator: each.operator.name });
        if (!isRight) wrong.push(`${name}: ${statusCode}, not ${expected}`);
      }),
    );
    cells += cases.length;
  }
  expect(wrong).toEqual([]);
  expect(JSON.stringify(await rig.client.get(victim))).toBe(before);
  expect(cells).toBeGreaterThan(1_000);
}, 300_000);

/**
 * A password check is slow on purpose. So a password is tried by every operator where something is read, by one operator where something is
 * done, which a password alone never permits, and not on the routes of the Bull dashboard, which share one rule.
 */
function isWorthAPassword({ method, url }: Route, { operator, token }: SiteCase): boolean {
  if (url.startsWith('/dashboard')) return false;
  return method === 'GET' || (operator.roles.length === 2 && token === 'own');
}

async function callSite({ method, url }: Route, { operator, way, token }: SiteCase) {
  const { name } = operator;
  const started = { operator: name, way: 'password', address: '192.0.2.7' } as const;
  const { session, secret } = await sessions.start(started, LIMITS);
  if (way === 'ended session') await sessions.end(session.id);
  const cookie = way === 'forged cookie' ? randomBytes(32).toString('base64url') : secret;
  const headers: Record<string, string> = {
    ...(way.includes('session') || way.includes('cookie') ? { cookie: `bestframe=${cookie}` } : {}),
    ...(way === 'proxy' ? { 'x-forwarded-user': name, 'x-bestframe-proxy-secret': PROXY_SECRET } : {}),
    ...(way === 'proxy with a wrong secret' ? { 'x-forwarded-user': name, 'x-bestframe-proxy-secret': 'x' } : {}),
    ...(way === 'basic' ? { authorization: `Basic ${Buffer.from(`${name}:${PASSWORD}`).toString('base64')}` } : {}),
  };
  const tokens = { own: formTokenOf(secret), 'of another session': formTokenOf('another'), none: '' };
  const isForm = method !== 'GET' && method !== 'HEAD' && !url.startsWith('/dashboard');
  const fields = new URLSearchParams({ token: tokens[token], why: 'matrix', choice: 'fail', steer: 'resume' });
  const target = url
    .replace(':id', victim)
    .replace(':region', 'ap-singapore')
    .replace(':action', 'VideoLivenessCompare')
    .replace(':language', 'zh')
    .replace(/^\/live$/, '/live?for=0')
    .replace(/:\w+|\*/g, 'x');
  return site.inject({
    method: method as 'GET',
    url: target,
    headers: isForm ? { ...headers, 'content-type': 'application/x-www-form-urlencoded' } : headers,
    ...(isForm ? { payload: fields.toString() } : {}),
  });
}
