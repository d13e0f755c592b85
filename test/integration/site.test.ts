/** Tests the operators' site: logins, roles, forms, the audit log, and what no page may show. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { openDashboard } from '../../src/app/dashboard.ts';
import { explain } from '../../src/domain/errors/index.ts';
import { hashPassword } from '../../src/domain/operations/operators.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { loggedIn, tokenIn } from '../support/site.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const CANARY = 'maria-lopez';
const PASSWORDS = { ana: 'ana-may-do-all', vera: 'vera-only-looks' };

let rig: Rig;
let site: Awaited<ReturnType<typeof openDashboard>>;
let audit: string;
const cookies = { ana: '', vera: '' };

beforeAll(async () => {
  const hashes = { ana: await hashPassword(PASSWORDS.ana), vera: await hashPassword(PASSWORDS.vera) };
  rig = await createRig({
    env: {
      BESTFRAME_DASHBOARD_PORT: '0',
      BESTFRAME_DASHBOARD_USERS: `ana=operator+frames=${hashes.ana},vera=viewer=${hashes.vera},petra=operator`,
      BESTFRAME_QPS_DETECT: '200',
      BESTFRAME_UNKNOWN_OUTCOME: 'review',
      BESTFRAME_CALL_SECONDS: 'interactive=1,batch=1',
    },
    emulator: { qps: {} },
  });
  audit = join(rig.dir, 'audit.jsonl');
  site = await open();
  cookies.ana = await loggedIn(site.url, 'ana', PASSWORDS.ana);
  cookies.vera = await loggedIn(site.url, 'vera', PASSWORDS.vera);
  await rig.openWorker();
});
afterEach(() => rig.control.clearFaults());
afterAll(async () => {
  await site.stop(0);
  await rig.dispose();
});

function open(settings: Record<string, string> = {}) {
  return openDashboard(readConfig({ ...rig.env, BESTFRAME_AUDIT: audit, ...settings }), pino({ level: 'silent' }));
}

function get(path: string, cookie = cookies.ana, headers: Record<string, string> = {}) {
  return fetch(new URL(path, site.url), { headers: { cookie, accept: 'text/html', ...headers }, redirect: 'manual' });
}

async function text(path: string, cookie = cookies.ana): Promise<string> {
  const answer = await get(path, cookie);
  expect(answer.status).toBe(200);
  return answer.text();
}

function post(path: string, fields: Record<string, string>, cookie = cookies.ana) {
  const init = { method: 'POST', headers: { cookie }, body: new URLSearchParams(fields), redirect: 'manual' } as const;
  return fetch(new URL(path, site.url), init);
}

async function audited(): Promise<{ act: string; actor: string | null; on?: string; purpose?: string }[]> {
  return (await readFile(audit, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

async function createHeld(key: string): Promise<string> {
  await rig.control.fault({ kind: 'drop', action: DETECT, object: rig.client.idOf(key), times: null });
  const { id } = await rig.client.enqueue(await rig.request(key, { card: 'match' }, { lane: 'batch' }));
  await expect.poll(async () => (await rig.client.get(id))?.state, { timeout: 20_000 }).toBe('held');
  await rig.control.clearFaults();
  return id;
}

describe('a login', () => {
  it('is required for a page, and then redirects to it, but only within this site', async () => {
    const asked = await get('/v/vany', '');
    expect([asked.status, asked.headers.get('location')]).toEqual([303, '/login?to=%2Fv%2Fvany']);
    const redirected = await post('/login', { name: 'ana', password: PASSWORDS.ana, to: '/v/vany' }, '');
    expect(redirected.headers.get('location')).toBe('/v/vany');
    for (const to of ['https://evil.example', '//evil.example', '/\\evil.example']) {
      const elsewhere = await post('/login', { name: 'ana', password: PASSWORDS.ana, to }, '');
      expect(elsewhere.headers.get('location')).toBe('/');
    }
  });

  it('sets a cookie that scripts and other sites cannot use, and a forged cookie is refused', async () => {
    const body = new URLSearchParams({ name: 'vera', password: PASSWORDS.vera });
    const answer = await fetch(new URL('/login', site.url), { method: 'POST', body, redirect: 'manual' });
    expect(answer.headers.getSetCookie()[0]).toMatch(/HttpOnly.*SameSite=Strict/);
    const [name, value = ''] = cookies.vera.split('=');
    const [, until, signature] = value.split('.');
    const asAna = `${name}=${Buffer.from('ana').toString('base64url')}.${until}.${signature}`;
    for (const forged of [asAna, `${name}=x.${Date.now() * 2}.y`, `${cookies.vera}x`]) {
      expect((await get('/', forged)).status).toBe(303);
    }
  });

  it('is refused and audited for a wrong password, and blocked after ten failures', async () => {
    const tries = Array.from({ length: 12 }, () => post('/login', { name: 'petra', password: 'guess' }, ''));
    const answers = await Promise.all(tries);
    const first = answers.find(({ status }) => status === 401);
    expect(await first?.text()).toContain('Wrong name or password');
    expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThan(0);
    expect((await audited()).map(({ act }) => act)).toContain('login.refused');
  });

  it('is taken from a proxy header only with the secret of the proxy', async () => {
    const secret = 'a-secret-that-is-long-enough-for-a-proxy';
    const behind = await open({ BESTFRAME_DASHBOARD_IDENTITY_SECRET: secret });
    const asked = async (headers: Record<string, string>, url = behind.url) =>
      (await fetch(url, { headers: { accept: 'text/html', ...headers }, redirect: 'manual' })).status;
    const petra = { 'x-forwarded-user': 'petra' };
    expect(await asked({ ...petra, 'x-bestframe-proxy-secret': secret })).toBe(200);
    expect(await asked({ 'x-forwarded-user': 'nobody', 'x-bestframe-proxy-secret': secret })).toBe(303);
    expect(await asked({ ...petra, 'x-bestframe-proxy-secret': `${secret}x` })).toBe(303);
    expect(await asked(petra)).toBe(303);
    expect(await asked({ ...petra, 'x-bestframe-proxy-secret': secret }, site.url)).toBe(303); // it has no identity proxy
    await behind.stop(0);
  });

  it('needs an operator: without one, the site does not start', async () => {
    await expect(open({ BESTFRAME_DASHBOARD_USERS: '' })).rejects.toMatchObject({ code: 'INVALID_SETTINGS' });
    await expect(open({ BESTFRAME_DASHBOARD_USER: 'x' })).rejects.toMatchObject({ code: 'INVALID_SETTINGS' });
  });
});

describe('a page', () => {
  it('shows a verdict and its numbers, and finds a verification by id and by key', async () => {
    const { id } = await rig.client.enqueue(await rig.request(`${CANARY}-1`, { card: 'match' }));
    await rig.client.wait(id, { until: 'ended' });
    const page = await text('/');
    expect(page).toMatch(/class="verdict (idle|working)"/);
    expect(page).toContain('TEST');
    expect(page).toContain(`/v/${id}`);
    for (const what of [id, `${CANARY}-1`]) {
      expect((await get(`/find?what=${what}`)).headers.get('location')).toBe(`/v/${id}`);
    }
    expect((await get('/find?what=nothing')).status).toBe(404);
  });

  it('shows the timeline of a verification, and never a key, metadata, path or link', async () => {
    const metadata = { customer: CANARY };
    const made = await rig.request(`${CANARY}-2`, { card: 'match', first: { unreadable: 1 } }, { metadata });
    const { id } = await rig.client.enqueue(made);
    const view = await rig.client.wait(id, { until: 'ended' });
    const page = await text(`/v/${id}`, cookies.vera);
    for (const requestId of view?.requestIds ?? []) expect(page).toContain(requestId);
    expect(page).toContain('FailedOperation.DownLoadError');
    const all = page + (await text('/', cookies.vera));
    expect(all).not.toMatch(new RegExp(`${CANARY}|q-sign|myqcloud|inputs|frames/`));
    expect(await audited()).toContainEqual(expect.objectContaining({ act: 'timeline.read', actor: 'vera', on: id }));
  });

  it('says why a verification waits although it is ready to run', async () => {
    const gate = { region: 'ap-singapore', action: 'DetectReflectLivenessAndCompare' } as const;
    await rig.client.steerGate(gate, 'pause', { by: 'ana', why: 'maintenance' });
    const { id } = await rig.client.enqueue(await rig.request('paused', { card: 'match' }));
    expect(await text(`/v/${id}`)).toContain('<dt>Paused by</dt><dd>an operator</dd>');
    await rig.client.steerGate(gate, 'resume', { by: 'ana', why: 'done' });
    await rig.client.wait(id, { until: 'ended' });
    expect(await text(`/v/${id}`)).not.toContain('Paused by');
  });

  it('shows a frame only with the role for frames, and audits each view', async () => {
    const { id } = await rig.client.enqueue(await rig.request('frame', { card: 'match' }));
    await rig.client.wait(id, { until: 'ended' });
    expect(await text(`/v/${id}?frame=1`, cookies.vera)).not.toContain('<img');
    expect((await get(`/v/${id}/frame`, cookies.vera)).status).toBe(403);
    expect(await text(`/v/${id}?frame=1`)).toContain(`<img class="frame" src="/v/${id}/frame"`);
    const frame = await get(`/v/${id}/frame`);
    expect(frame.headers.get('content-type')).toBe('image/jpeg');
    expect(Buffer.from(await frame.arrayBuffer()).subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]));
    const looks = (await audited()).filter(({ act }) => act === 'frame.read');
    expect(looks).toEqual([expect.objectContaining({ actor: 'ana', on: id })]);
  });

  it('runs no script but its own file, and loads nothing from outside', async () => {
    const answer = await get('/');
    expect(answer.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src/,
    );
    const page = await answer.text();
    expect(page.match(/<script[^>]*>/g)).toEqual([
      expect.stringMatching(/^<script src="\/site\.js\?v=[\w-]+" defer>$/),
    ]);
    expect(page).not.toMatch(/style="|https?:|\son\w+="/);
    for (const path of ['/style.css', '/site.js']) {
      const file = await get(path, '');
      expect(file.headers.get('cache-control')).toMatch(/immutable/);
      expect(await file.text()).not.toMatch(/https?:\/\/|\beval\b|innerHTML =/);
    }
  });

  it('is in Chinese if the browser prefers it, or if the reader chose it', async () => {
    expect(await (await get('/', cookies.ana, { 'accept-language': 'zh-CN,zh;q=0.9' })).text()).toContain('概览');
    const chosen = await get('/language/zh');
    const [remembered] = (chosen.headers.getSetCookie()[0] ?? '').split(';');
    const cookie = `${cookies.ana}; ${remembered}`;
    expect(await text('/', cookie)).toContain('概览');
    const { id } = await rig.client.enqueue(await rig.request('chinese', { card: 'spoof' }));
    const { reason } = (await rig.client.wait(id, { until: 'ended' })) ?? {};
    const title = explain(reason?.code ?? '', 'zh')?.title ?? '';
    expect(title).not.toBe(reason?.title);
    expect(await text(`/v/${id}`, cookie)).toContain(title);
  });

  it('escapes the text of an operator', async () => {
    const why = '<b onclick="x">because</b>';
    const fields = { token: tokenIn(await text('/')), steer: 'pause', why };
    expect((await post(`/gate/ap-singapore/${DETECT}`, fields)).status).toBe(303);
    const page = await text('/');
    expect(page).toContain('&#60;b onclick=&#34;x&#34;&#62;because');
    expect(page).not.toContain('<b onclick');
    await post(`/gate/ap-singapore/${DETECT}`, { ...fields, steer: 'resume', why: 'looked at' });
  });
});

describe('a form', () => {
  it('resolves a held verification, with a role and a reason, and is audited first', async () => {
    const id = await createHeld('held');
    expect(await text('/')).toContain(`/v/${id}`);
    const token = tokenIn(await text(`/v/${id}`));
    const fields = { token, choice: 'retry', why: 'the line was cut' };
    expect((await post(`/v/${id}/decide`, { ...fields, why: ' ' })).status).toBe(400);
    const refused = await post(`/v/${id}/decide`, fields);
    expect(await text(refused.headers.get('location') ?? '')).toContain('may already have been paid');
    const done = await post(`/v/${id}/decide`, { ...fields, payAgain: '1' });
    expect(done.headers.get('location')).toBe(`/v/${id}?notice=done`);
    const view = await rig.client.wait(id, { until: 'ended' });
    expect(view).toMatchObject({ state: 'completed', decision: 'match' });
    expect(view?.history).toContainEqual(expect.objectContaining({ event: 'resolved', by: 'ana', why: fields.why }));
    expect(await audited()).toContainEqual(
      expect.objectContaining({ act: 'held.resolve', actor: 'ana', on: id, what: 'retry', purpose: fields.why }),
    );
  });

  it('does nothing without its token, with the token of another operator, or without the role', async () => {
    const page = await text('/', cookies.vera);
    const fields = { steer: 'pause', why: 'just because' };
    const path = `/gate/ap-singapore/${DETECT}`;
    const gates = await rig.client.gates();
    expect((await post(path, fields)).status).toBe(403);
    expect((await post(path, { ...fields, token: tokenIn(page) })).status).toBe(403);
    expect((await post(path, { ...fields, token: tokenIn(page) }, cookies.vera)).status).toBe(403);
    expect((await post(path, { ...fields, token: tokenIn(page) }, '')).status).toBe(401);
    expect(gates.filter(({ state }) => state !== 'open')).toEqual([]);
    expect(await rig.client.gates()).toEqual(gates);
  });

  it('does nothing if it cannot be audited', async () => {
    const blind = await open({ BESTFRAME_AUDIT: '/dev/full' });
    const body = new URLSearchParams({ name: 'vera', password: PASSWORDS.vera });
    const answer = await fetch(new URL('/login', blind.url), { method: 'POST', body, redirect: 'manual' });
    expect(answer.status).toBe(500);
    expect(answer.headers.getSetCookie()).toEqual([]);
    await blind.stop(0);
  });
});
