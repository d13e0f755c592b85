/** Runs the site and the API behind nginx and Caddy, with the files of `deploy/proxies`: TLS, a base path, and single sign-on. */
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import { Agent, fetch, type RequestInit } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { openDashboard } from '../../src/app/dashboard.ts';
import { SETTINGS } from '../../src/app/settings.ts';
import { BestframeHttpClient } from '../../src/client/http/index.ts';
import { hashPassword } from '../../src/domain/operations/operators.ts';
import { startCaddy } from '../support/caddy.ts';
import { type Http, openHttp } from '../support/http.ts';
import { startNginx, type TlsProxy } from '../support/nginx.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { tokenIn } from '../support/site.ts';

const PASSWORD = 'ana-may-do-all';
const SECRET = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef';
const OPS = '/faces/ops';
const API = '/faces/api';

let rig: Rig;
let site: Awaited<ReturnType<typeof openDashboard>>;
let sso: Awaited<ReturnType<typeof openDashboard>>;
let http: Http;
const proxies: Partial<Record<'nginx' | 'Caddy' | 'sign-on', TlsProxy>> = {};
let oauth: Server;
const agents = new Map<TlsProxy, Agent>();
/** The person whom the company's identity provider has logged in. */
let person: string | null = null;

const hostOf = (url: string) => new URL(url).host;

beforeAll(async () => {
  rig = await createRig({
    env: {
      BESTFRAME_DASHBOARD_PORT: '0',
      BESTFRAME_DASHBOARD_USERS: `ana=operator=${await hashPassword(PASSWORD)},petra=operator`,
      BESTFRAME_TRUSTED_PROXIES: '127.0.0.1',
    },
  });
  site = await open({ BESTFRAME_BASE_PATH: OPS });
  sso = await open({ BESTFRAME_DASHBOARD_IDENTITY_SECRET: SECRET });
  http = await openHttp(rig, { BESTFRAME_BASE_PATH: API });
  oauth = createServer((_request, response) => {
    if (person === null) response.writeHead(401).end();
    else response.writeHead(202, { 'x-auth-request-user': person }).end();
  }).listen(0, '127.0.0.1');
  await once(oauth, 'listening');
  const services = { '127.0.0.1:8080': hostOf(http.url), '127.0.0.1:3000': hostOf(site.url) };
  proxies.nginx = await startNginx(join(rig.dir, 'nginx'), 'nginx.conf', services);
  proxies.Caddy = await startCaddy(join(rig.dir, 'caddy'), services);
  proxies['sign-on'] = await startNginx(join(rig.dir, 'nginx-sso'), 'nginx-sso.conf', {
    '127.0.0.1:4180': `127.0.0.1:${(oauth.address() as AddressInfo).port}`,
    '127.0.0.1:3000': hostOf(sso.url),
    'replace-me-by-64-hexadecimal-digits': SECRET,
  });
  for (const proxy of Object.values(proxies)) agents.set(proxy, new Agent({ connect: { ca: proxy.ca } }));
}, 600_000); // the first run may have to download nginx and Caddy
afterAll(async () => {
  for (const agent of agents.values()) await agent.destroy();
  for (const proxy of Object.values(proxies)) await proxy.stop();
  oauth?.close();
  await http?.close();
  await site?.stop(0);
  await sso?.stop(0);
  await rig?.dispose();
});

function open(settings: Record<string, string> = {}) {
  return openDashboard(readConfig({ ...rig.env, ...settings }), pino({ level: 'silent' }));
}

/** Requests through one of the proxies. */
function through(name: keyof typeof proxies) {
  const get = (path: string, init: RequestInit = {}) => {
    const proxy = proxies[name];
    const dispatcher = proxy === undefined ? undefined : agents.get(proxy);
    if (proxy === undefined || dispatcher === undefined) throw new Error(`${name} is not open`);
    return fetch(`${proxy.url}${path}`, { redirect: 'manual', dispatcher, ...init });
  };
  const page = (path: string, cookie = '') => get(path, { headers: { accept: 'text/html', cookie } });
  const logIn = (headers: Record<string, string> = {}) => {
    const body = new URLSearchParams({ name: 'ana', password: PASSWORD, to: '/sessions' });
    return get(`${OPS}/login`, { method: 'POST', body, headers });
  };
  return { get, page, logIn };
}

describe.each(['nginx', 'Caddy'] as const)('the site under a path of %s as a TLS proxy', (name) => {
  const { get, page, logIn } = through(name);

  it('logs in, and every link, form and redirect stays under the path', async () => {
    const asked = await page(`${OPS}/sessions`);
    expect([asked.status, asked.headers.get('location')]).toEqual([303, `${OPS}/login?to=%2Fsessions`]);
    const form = await (await page(`${OPS}/login?to=%2Fsessions`)).text();
    expect(form).toContain(`action="${OPS}/login"`);
    expect((await get(`${OPS}/style.css`)).headers.get('content-type')).toContain('text/css');
    const answer = await logIn();
    expect([answer.status, answer.headers.get('location')]).toEqual([303, `${OPS}/sessions`]);
    const [cookie = ''] = answer.headers.getSetCookie();
    expect(cookie).toMatch(/Path=\/faces\/ops; HttpOnly; Secure; SameSite=Strict/);
    const mine = cookie.split(';')[0] ?? '';
    const { id } = await rig.client.enqueue(await rig.request(`proxied-${name}`));
    for (const path of ['/', `/v/${id}`, '/sessions', '/nowhere']) {
      const text = await (await page(`${OPS}${path}`, mine)).text();
      const links = [...text.matchAll(/ (?:href|action|src)="([^"]*)"/g)].map(([, link = '']) => link);
      expect(links.length).toBeGreaterThan(5);
      expect(links.filter((link) => !/^(#|data:|\/faces\/ops\/)/.test(link))).toEqual([]);
    }
    const token = tokenIn(await (await page(`${OPS}/`, mine)).text());
    const found = await page(`${OPS}/find?what=${id}`, mine);
    expect(found.headers.get('location')).toBe(`${OPS}/v/${id}`);
    const language = await get(`${OPS}/language/zh`, {
      headers: { referer: `${proxies[name]?.url}${OPS}/sessions`, cookie: mine },
    });
    expect(language.headers.get('location')).toBe('/faces/ops/sessions');
    const headers = { cookie: mine };
    const out = await get(`${OPS}/logout`, { method: 'POST', headers, body: new URLSearchParams({ token }) });
    expect(out.headers.get('location')).toBe(`${OPS}/login`);
    expect(out.headers.getSetCookie()[0]).toContain('Path=/faces/ops');
  });

  it('serves the Bull dashboard with its scripts and data', async () => {
    const cookie = (await logIn()).headers.getSetCookie()[0]?.split(';')[0] ?? '';
    const text = await (await page(`${OPS}/dashboard`, cookie)).text();
    expect(text).toContain(`<base href="${OPS}/dashboard/"`);
    const [, script = ''] = /<script[^>]*src="([^"]+)"/.exec(text) ?? [];
    expect((await page(`${OPS}/dashboard/${script}`, cookie)).status).toBe(200);
    expect((await page(`${OPS}/dashboard/api/queues`, cookie)).status).toBe(200);
  });

  it('knows the real address of the client and the TLS of the proxy, and believes neither from anybody else', async () => {
    const answer = await logIn({ 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'http' });
    expect(answer.headers.get('strict-transport-security')).toBe('max-age=31536000');
    expect(answer.headers.getSetCookie()[0]).toContain('Secure');
    expect((await rig.audited()).at(-1)).toMatchObject({ act: 'login', actor: 'ana', address: '127.0.0.1' });
    const direct = (headers: Record<string, string>, url = site.url) =>
      fetch(new URL('/login', url), {
        method: 'POST',
        body: new URLSearchParams({ name: 'ana', password: PASSWORD }),
        headers,
        redirect: 'manual',
      });
    // 127.0.0.1 is the trusted proxy, so its word counts.
    await direct({ 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' });
    expect((await rig.audited()).at(-1)).toMatchObject({ act: 'login', address: '203.0.113.9' });
    const trusting = await open({ BESTFRAME_TRUSTED_PROXIES: '192.0.2.1' });
    const plain = await direct({ 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' }, trusting.url);
    expect((await rig.audited()).at(-1)).toMatchObject({ act: 'login', address: '127.0.0.1' });
    expect(plain.headers.get('strict-transport-security')).toBeNull();
    expect(plain.headers.getSetCookie()[0]).not.toContain('Secure');
    await trusting.stop(0);
  });

  it('does not let a client name itself', async () => {
    const headers = { accept: 'text/html', 'x-forwarded-user': 'ana', 'x-bestframe-proxy-secret': SECRET };
    expect((await get(`${OPS}/`, { headers })).status).toBe(303);
  });

  it('accepts a path that the proxy has removed', async () => {
    const answer = await fetch(new URL('/', site.url), { headers: { accept: 'text/html' }, redirect: 'manual' });
    expect(answer.headers.get('location')).toBe(`${OPS}/login?to=%2F`);
  });
});

describe.each(['nginx', 'Caddy'] as const)('the API under a path of %s as a TLS proxy', (name) => {
  const { get } = through(name);
  const headers = () => ({ authorization: `Bearer ${http.secret}`, 'content-type': 'application/json' });

  it('names its own places under the path', async () => {
    const body = JSON.stringify(await rig.request(`located-${name}`));
    const answer = await get(`${API}/v1/verifications`, { method: 'POST', headers: headers(), body });
    expect(answer.status).toBe(202);
    const location = answer.headers.get('location') ?? '';
    expect(location).toMatch(/^\/faces\/api\/v1\/verifications\/v/);
    expect((await get(location, { headers: headers() })).status).toBe(200);
    expect(await (await get(`${API}/openapi.json`)).json()).toMatchObject({ servers: [{ url: API }] });
  });

  it('serves its readable document', async () => {
    const text = await (await get(`${API}/docs`)).text();
    const links = [...text.matchAll(/ (?:href|src)="([^"]+\.(?:js|css))"/g)].map(([, link = '']) => link);
    expect(links.length).toBeGreaterThan(2);
    for (const link of links) {
      const path = new URL(link, `https://localhost${API}/docs`).pathname;
      expect([path, (await get(path)).status]).toEqual([path, 200]);
    }
  });

  it('is reached by the HTTP client through the path', async () => {
    const client = new BestframeHttpClient({ url: `${http.url}${API}`, key: http.secret });
    const { id } = await client.enqueue(await rig.request(`by-client-${name}`));
    expect(await client.get(id)).toMatchObject({ id });
    await client.close();
  });
});

describe('single sign-on', () => {
  const { get } = through('sign-on');

  it('logs in the person whom the identity provider names, with a session of their own', async () => {
    const ask = (path: string, cookie = '') => get(path, { headers: { accept: 'text/html', cookie } });
    person = null;
    expect((await ask('/')).status).toBe(401);
    person = 'petra';
    const answer = await ask('/');
    expect(answer.status).toBe(200);
    const cookie = answer.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    expect(cookie).toMatch(/^bestframe=/);
    expect(await rig.audited()).toContainEqual(
      expect.objectContaining({ act: 'login', actor: 'petra', what: 'proxy' }),
    );
    const token = tokenIn(await answer.text());
    const fields = new URLSearchParams({ token, steer: 'pause', why: 'maintenance' });
    const steered = await get('/gate/ap-singapore/VideoLivenessCompare', {
      method: 'POST',
      headers: { cookie },
      body: fields,
    });
    expect(steered.status).toBe(303);
    expect((await ask('/', cookie)).headers.getSetCookie()).toEqual([]); // the session continues
    person = 'ana';
    const switched = await ask('/sessions', cookie);
    expect(await switched.text()).toContain('ana');
    expect((await fetch(sso.url, { headers: { accept: 'text/html', cookie }, redirect: 'manual' })).status).toBe(303);
    const anas = switched.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    expect((await ask('/', anas)).status).toBe(200);
    const around = await fetch(sso.url, { headers: { accept: 'text/html', cookie: anas }, redirect: 'manual' });
    expect(around.status).toBe(303); // the proxy does not vouch for this request
    person = 'stranger';
    expect((await ask('/', anas)).status).toBe(303);
    expect((await ask('/')).headers.get('location')).toBe('/login?to=%2F');
  });
});

it('the examples name settings that exist', () => {
  const folder = join(import.meta.dirname, '..', '..', 'deploy', 'proxies');
  const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  expect(texts.length).toBeGreaterThan(3);
  const named = texts.flatMap((text) => text.match(/BESTFRAME_[A-Z_]+/g) ?? []);
  expect(named.length).toBeGreaterThan(8);
  expect(named.filter((name) => !(name in SETTINGS))).toEqual([]);
});
