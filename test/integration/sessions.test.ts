/** Tests the sessions of the operators' site: where they are stored, when they end, and who sees and ends them. */
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { openDashboard } from '../../src/app/dashboard.ts';
import { SiteSessions } from '../../src/client/redis/site-sessions.ts';
import { hashPassword } from '../../src/domain/operations/operators.ts';
import { useSession } from '../../src/redis/session-store.ts';
import { allText } from '../support/leftovers.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { loggedIn, tokenIn } from '../support/site.ts';

const PASSWORDS = { ana: 'ana-may-do-all', vera: 'vera-only-looks' };
const HOUR_MS = 3_600_000;

let rig: Rig;
let site: Awaited<ReturnType<typeof openDashboard>>;
let other: Awaited<ReturnType<typeof openDashboard>>;
let store: SiteSessions;

beforeAll(async () => {
  const hashes = { ana: await hashPassword(PASSWORDS.ana), vera: await hashPassword(PASSWORDS.vera) };
  const users = `ana=operator=${hashes.ana},vera=viewer=${hashes.vera}`;
  rig = await createRig({ env: { BESTFRAME_DASHBOARD_PORT: '0', BESTFRAME_DASHBOARD_USERS: users } });
  site = await open();
  other = await open();
  store = new SiteSessions(rig.config.redis, rig.config.prefix);
});
afterAll(async () => {
  await store.close();
  await site.stop(0);
  await other.stop(0);
  await rig.dispose();
});

function open(settings: Record<string, string> = {}) {
  return openDashboard(readConfig({ ...rig.env, ...settings }), pino({ level: 'silent' }));
}

function get(path: string, cookie: string, url = site.url) {
  return fetch(new URL(path, url), { headers: { cookie, accept: 'text/html' }, redirect: 'manual' });
}

function post(path: string, cookie: string, fields: Record<string, string>) {
  const body = new URLSearchParams(fields);
  return fetch(new URL(path, site.url), { method: 'POST', headers: { cookie }, body, redirect: 'manual' });
}

async function idOf(operator: string): Promise<string> {
  const [newest] = (await store.list()).filter((each) => each.operator === operator).reverse();
  return newest?.id ?? '';
}

it('a session is valid in every process, and Redis holds nothing that could be used as its cookie', async () => {
  const cookie = await loggedIn(site.url, 'ana', PASSWORDS.ana);
  expect((await get('/', cookie)).status).toBe(200);
  expect((await get('/', cookie, other.url)).status).toBe(200);
  const secret = cookie.split('=')[1] ?? '';
  expect(secret).toMatch(/^[\w-]{43}$/);
  const text = await allText(rig.redis, rig.config.prefix);
  expect(text).not.toContain(secret);
  expect(text).not.toContain('site-secret');
  expect(tokenIn(await (await get('/', cookie)).text())).not.toBe(secret);
});

it('logging out ends the session, not only its cookie', async () => {
  const cookie = await loggedIn(site.url, 'ana', PASSWORDS.ana);
  const page = await (await get('/', cookie)).text();
  expect((await post('/logout', cookie, { token: tokenIn(page) })).headers.get('location')).toBe('/login');
  expect((await get('/', cookie)).status).toBe(303);
  expect((await get('/', cookie, other.url)).status).toBe(303);
});

it('each session has its own form token, and a login replaces the session that the browser had', async () => {
  const first = await loggedIn(site.url, 'ana', PASSWORDS.ana);
  const second = await loggedIn(site.url, 'ana', PASSWORDS.ana);
  const token = tokenIn(await (await get('/', first)).text());
  expect((await post('/logout', second, { token })).status).toBe(403);
  expect((await get('/', second)).status).toBe(200);
  await post('/login', second, { name: 'ana', password: PASSWORDS.ana });
  expect((await get('/', second)).status).toBe(303);
  expect((await get('/', first)).status).toBe(200);
});

it('refuses a login that a form of another site sends', async () => {
  const body = new URLSearchParams({ name: 'ana', password: PASSWORDS.ana });
  const headers = { 'sec-fetch-site': 'cross-site' };
  const answer = await fetch(new URL('/login', site.url), { method: 'POST', body, headers, redirect: 'manual' });
  expect([answer.status, answer.headers.getSetCookie()]).toEqual([403, []]);
});

it('an idle session ends early, a used one at its absolute end, by the clock of Redis', async () => {
  const limits = { lifeMs: 8 * HOUR_MS, idleMs: HOUR_MS };
  const { session, secret } = await store.start({ operator: 'vera', way: 'password', address: '192.0.2.7' }, limits);
  const key = rig.names.session(session.id);
  expect(await rig.redis.pttl(key)).toBeLessThanOrEqual(HOUR_MS);
  await rig.redis.pexpire(key, 60_000);
  expect(await store.use(secret, limits)).toMatchObject({ id: session.id, operator: 'vera', address: '192.0.2.7' });
  expect(await rig.redis.pttl(key)).toBeGreaterThan(60_000);
  await rig.redis.hset(key, 'endsAt', Date.now() + 30_000);
  await store.use(secret, limits);
  expect(await rig.redis.pttl(key)).toBeLessThanOrEqual(30_000);
  await rig.redis.hset(key, 'endsAt', Date.now() - 1);
  expect(await store.use(secret, limits)).toBeNull();
  expect(await store.list()).not.toContainEqual(expect.objectContaining({ id: session.id }));
});

it('a request that is under way does not bring an ended session back', async () => {
  const { session, secret } = await store.start(
    { operator: 'vera', way: 'password', address: '192.0.2.7' },
    { lifeMs: HOUR_MS, idleMs: HOUR_MS },
  );
  expect(await store.end(session.id)).toBe(true);
  expect(await useSession(rig.deployment, session.id, { idleMs: HOUR_MS })).toBeNull();
  expect(await rig.redis.exists(rig.names.session(session.id))).toBe(0);
  expect(await store.use(secret, { lifeMs: HOUR_MS, idleMs: HOUR_MS })).toBeNull();
  expect(await store.end(session.id)).toBe(false);
});

it('the page lists the sessions: an operator ends any of them, a viewer only their own', async () => {
  await rig.redis.del(rig.names.sessions);
  const ana = await loggedIn(site.url, 'ana', PASSWORDS.ana);
  const vera = await loggedIn(other.url, 'vera', PASSWORDS.vera);
  const [anaId, veraId] = [await idOf('ana'), await idOf('vera')];
  const seen = await (await get('/sessions', vera)).text();
  expect(seen).toContain(`/sessions/${veraId}/end`);
  expect(seen).not.toContain(anaId);
  expect((await post(`/sessions/${anaId}/end`, vera, { token: tokenIn(seen) })).status).toBe(404);
  const all = await (await get('/sessions', ana)).text();
  expect(all).toContain(`/sessions/${anaId}/end`);
  expect(all).toContain('127.0.0.1');
  expect((await post(`/sessions/${veraId}/end`, ana, { token: tokenIn(all) })).status).toBe(303);
  expect((await get('/', vera)).status).toBe(303);
  expect(await rig.audited()).toContainEqual(
    expect.objectContaining({ act: 'session.end', actor: 'ana', on: veraId, what: 'vera' }),
  );
  expect((await post(`/sessions/${anaId}/end`, ana, { token: tokenIn(all) })).status).toBe(303);
  expect((await get('/', ana)).status).toBe(303);
});

it('a session ends for an operator who is not listed any more', async () => {
  const cookie = await loggedIn(site.url, 'vera', PASSWORDS.vera);
  const without = await open({ BESTFRAME_DASHBOARD_USERS: `ana=operator=${await hashPassword(PASSWORDS.ana)}` });
  expect((await get('/', cookie, without.url)).status).toBe(303);
  await without.stop(0);
});

it('a login by Basic authentication starts no session, and its pages have no forms', async () => {
  await rig.redis.del(rig.names.sessions);
  const authorization = `Basic ${Buffer.from(`ana:${PASSWORDS.ana}`).toString('base64')}`;
  const page = await (await fetch(site.url, { headers: { authorization, accept: 'text/html' } })).text();
  expect(page).toContain('ana');
  expect(page).not.toContain('name="token" value="');
  expect(await store.list()).toEqual([]);
});
