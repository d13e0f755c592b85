/** The operators' site: who sees what, what a form may do, what is audited, and what is on no page. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openDashboardFor } from '../../src/compose.ts';
import { readConfig } from '../../src/config.ts';
import { hashPassword } from '../../src/domain/operators.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { loggedIn, tokenIn } from '../support/site.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const CANARY = 'maria-lopez';
const PASSWORDS = { ana: 'ana-may-do-all', vera: 'vera-only-looks' };

let rig: Rig;
let site: Awaited<ReturnType<typeof openDashboardFor>>;
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
  return openDashboardFor(readConfig({ ...rig.env, BESTFRAME_AUDIT: audit, ...settings }), pino({ level: 'silent' }));
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

async function held(key: string): Promise<string> {
  await rig.control.fault({ kind: 'drop', action: DETECT, object: rig.client.idOf(key), times: null });
  const { id } = await rig.client.enqueue(await rig.request(key, { card: 'match' }, { lane: 'batch' }));
  await expect.poll(async () => (await rig.client.get(id))?.state, { timeout: 20_000 }).toBe('held');
  await rig.control.clearFaults();
  return id;
}

describe('who', () => {
  it('is asked by a page, and leads on to where one wanted to go, on this site only', async () => {
    const asked = await get('/v/vany', '');
    expect([asked.status, asked.headers.get('location')]).toEqual([303, '/login?to=%2Fv%2Fvany']);
    const there = await post('/login', { name: 'ana', password: PASSWORDS.ana, to: '/v/vany' }, '');
    expect(there.headers.get('location')).toBe('/v/vany');
    for (const to of ['https://evil.example', '//evil.example', '/\\evil.example']) {
      const elsewhere = await post('/login', { name: 'ana', password: PASSWORDS.ana, to }, '');
      expect(elsewhere.headers.get('location')).toBe('/');
    }
  });

  it('has a cookie that no script reads and no other site sends; a changed one is nobody’s', async () => {
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

  it('with a wrong password is refused in words, audited, and after ten tries told to wait', async () => {
    const tries = Array.from({ length: 12 }, () => post('/login', { name: 'ana', password: 'guess' }, ''));
    const answers = await Promise.all(tries);
    const first = answers.find(({ status }) => status === 401);
    expect(await first?.text()).toContain('Wrong name or password');
    expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThan(0);
    expect((await audited()).map(({ act }) => act)).toContain('login.refused');
  });

  it('a proxy says, if it is one of those that may', async () => {
    const behind = await open({ BESTFRAME_DASHBOARD_PROXIES: '127.0.0.1', BESTFRAME_AUDIT: 'stderr' });
    const asked = (url: string, user: string) =>
      fetch(url, { headers: { 'x-forwarded-user': user, accept: 'text/html' }, redirect: 'manual' });
    expect((await asked(behind.url, 'petra')).status).toBe(200);
    expect((await asked(behind.url, 'nobody')).status).toBe(303);
    expect((await asked(site.url, 'petra')).status).toBe(303); // this one knows no proxy
    await behind.stop(0);
  });

  it('without a login of anybody does not start', async () => {
    await expect(open({ BESTFRAME_DASHBOARD_USERS: '' })).rejects.toMatchObject({ code: 'INVALID_SETTINGS' });
    await expect(open({ BESTFRAME_DASHBOARD_USER: 'x' })).rejects.toMatchObject({ code: 'INVALID_SETTINGS' });
  });
});

describe('a page', () => {
  it('has a verdict, its numbers, and the way to one verification by id and by key', async () => {
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

  it('of one verification tells what happened when; no key, metadata, path or link is on any', async () => {
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

  it('shows a frame to who may see frames, and says so in the audit log', async () => {
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

  it('runs no script and loads nothing from outside', async () => {
    const answer = await get('/');
    expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'self'; img-src/);
    expect(await answer.text()).not.toMatch(/<script|style="|https?:/);
  });

  it('is in Chinese for whoever reads that, and stays so when told', async () => {
    expect(await (await get('/', cookies.ana, { 'accept-language': 'zh-CN,zh;q=0.9' })).text()).toContain('概览');
    const chosen = await get('/language/zh');
    const [remembered] = (chosen.headers.getSetCookie()[0] ?? '').split(';');
    expect(await text('/', `${cookies.ana}; ${remembered}`)).toContain('概览');
  });

  it('escapes what an operator has written', async () => {
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
  it('resolves a held verification, by an operator, with a reason; audited before it is done', async () => {
    const id = await held('held');
    expect(await text('/')).toContain(`/v/${id}`);
    const token = tokenIn(await text(`/v/${id}`));
    const fields = { token, choice: 'retry', why: 'the line was cut' };
    expect((await post(`/v/${id}/decide`, { ...fields, why: ' ' })).status).toBe(400);
    const refused = await post(`/v/${id}/decide`, fields);
    expect(await text(refused.headers.get('location') ?? '')).toContain('may already have been paid');
    const done = await post(`/v/${id}/decide`, { ...fields, payAgain: '1' });
    expect(done.headers.get('location')).toBe(`/v/${id}?said=done`);
    const view = await rig.client.wait(id, { until: 'ended' });
    expect(view).toMatchObject({ state: 'completed', decision: 'match' });
    expect(view?.history).toContainEqual(expect.objectContaining({ event: 'resolved', by: 'ana', why: fields.why }));
    expect(await audited()).toContainEqual(
      expect.objectContaining({ act: 'held.resolve', actor: 'ana', on: id, what: 'retry', purpose: fields.why }),
    );
  });

  it('without its token, of somebody else, or by whom it is not permitted, does nothing', async () => {
    const page = await text('/', cookies.vera);
    const fields = { steer: 'pause', why: 'just because' };
    const path = `/gate/ap-singapore/${DETECT}`;
    expect((await post(path, fields)).status).toBe(403);
    expect((await post(path, { ...fields, token: tokenIn(page) })).status).toBe(403);
    expect((await post(path, { ...fields, token: tokenIn(page) }, cookies.vera)).status).toBe(403);
    expect((await post(path, { ...fields, token: tokenIn(page) }, '')).status).toBe(401);
    expect(await rig.client.gates()).toEqual([expect.objectContaining({ state: 'open' })]);
  });

  it('does nothing that cannot be audited', async () => {
    const blind = await open({ BESTFRAME_AUDIT: '/dev/full' });
    const body = new URLSearchParams({ name: 'ana', password: PASSWORDS.ana });
    const answer = await fetch(new URL('/login', blind.url), { method: 'POST', body, redirect: 'manual' });
    expect(answer.status).toBe(500);
    expect(answer.headers.getSetCookie()).toEqual([]);
    await blind.stop(0);
  });
});
