/** Tests the Bull dashboard: it needs a login, shows no personal data, and cannot move a job. */
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { openDashboard } from '../../src/app/dashboard.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { loggedIn } from '../support/site.ts';

const LOGIN = { BESTFRAME_DASHBOARD_USER: 'operator', BESTFRAME_DASHBOARD_PASSWORD: 'open-sesame' };
const CANARY = 'maria-lopez';

let rig: Rig;
let dashboard: Awaited<ReturnType<typeof openDashboard>>;
let headers: Record<string, string>;

beforeAll(async () => {
  rig = await createRig({ env: { ...LOGIN, BESTFRAME_DASHBOARD_PORT: '0', BESTFRAME_QPS_DETECT: '200' } });
  dashboard = await openDashboard(readConfig(rig.env), pino({ level: 'silent' }));
  const pair = Buffer.from('operator:open-sesame').toString('base64');
  headers = { authorization: `Basic ${pair}` };
  await rig.openWorker();
});
afterAll(async () => {
  await dashboard.stop(0);
  await rig.dispose();
});

async function page(path: string, init: RequestInit = {}) {
  return fetch(new URL(path, dashboard.url), { headers, ...init });
}

it.each([[{}], [{ authorization: `Basic ${Buffer.from('operator:guess').toString('base64')}` }]])(
  'needs a login: %o',
  async (wrong) => {
    for (const path of ['/', '/dashboard/api/queues', '/dashboard/static/js/main.js']) {
      const answer = await fetch(new URL(path, dashboard.url), { headers: wrong });
      expect(answer.status).toBe(401);
    }
  },
);

it('shows stage, decision and attempts, but no link, secret, path, key or name', async () => {
  const metadata = { customer: CANARY };
  const good = await rig.client.enqueue(
    await rig.request(`${CANARY}-1`, { card: 'match', first: { unreadable: 1 } }, { metadata }),
  );
  const bad = await rig.request(
    `${CANARY}-2`,
    { card: 'match', first: { unreadable: 9 } },
    { metadata, upload: 'create-upload-url' },
  );
  const { id } = await rig.client.enqueue(bad);
  await rig.client.wait(good.id, { until: 'ended' });
  await rig.client.wait(id, { until: 'ended' });

  const texts: string[] = [];
  for (const status of ['completed', 'delayed', 'latest']) {
    const answer = await page(`/dashboard/api/queues?activeQueue=verify-ap-singapore&status=${status}&page=1`);
    expect(answer.status).toBe(200);
    texts.push(await answer.text());
  }
  for (const job of [good.id, id]) {
    texts.push(await (await page(`/dashboard/api/queues/verify-ap-singapore/${job}`)).text());
    texts.push(await (await page(`/dashboard/api/queues/verify-ap-singapore/${job}/logs`)).text());
  }
  const shown = texts.join('\n');
  expect(shown).toContain(good.id);
  expect(shown).toMatch(/"stage":"download","decision":"match"/);
  expect(shown).toMatch(/"attempts":\{"upload":2,"md5":2,"detect":2,"download":1\}/);
  expect(shown).toContain('FailedOperation.DownLoadError');
  expect(shown).not.toMatch(new RegExp(CANARY));
  expect(shown).not.toMatch(/q-sign|myqcloud|inputs|-live\.gz|bestframe-emulator-secret|frames\//);
});

it('sends a strict content policy, and its page loads only local scripts', async () => {
  const answer = await page('/dashboard');
  const policy = answer.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/https?:|\*|unsafe-eval|script-src[^;]*unsafe-inline/);
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const scripts = [...(await answer.text()).matchAll(/<script[^>]*src="([^"]+)"/g)].map(([, src = '']) => src);
  expect(scripts.length).toBeGreaterThan(0);
  for (const src of scripts) expect((await page(`/dashboard/${src}`)).status).toBe(200);
});

it('answers everything but GET with 405, so that no job can bypass the journal', async () => {
  const cookie = await loggedIn(dashboard.url, 'operator', 'open-sesame');
  const { id } = await rig.client.enqueue(await rig.request('buttons'));
  await rig.client.wait(id, { until: 'ended' });
  const queue = '/dashboard/api/queues/verify-ap-singapore';
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    for (const path of [
      `${queue}/${id}/retry/completed`,
      `${queue}/${id}/clean`,
      `${queue}/${id}/promote`,
      `${queue}/pause`,
      `${queue}/empty`,
      `${queue}/add`,
      '/dashboard/api/anything',
    ]) {
      expect((await page(path, { method, headers: { cookie } })).status).toBe(405);
      // Basic authentication counts only for GET, because browsers add it to forms of other sites, too.
      expect((await page(path, { method })).status).toBe(401);
    }
  }
  expect(await rig.client.get(id)).toMatchObject({ state: 'completed' });
});

it('does not start without a login', async () => {
  const { BESTFRAME_DASHBOARD_PASSWORD: _none, ...env } = rig.env as Record<string, string>;
  await expect(openDashboard(readConfig(env), pino({ level: 'silent' }))).rejects.toMatchObject({
    code: 'INVALID_SETTINGS',
  });
});
