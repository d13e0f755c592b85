/** Tests requests in unusual spellings: no spelling of a path or field dodges a rule of the site or breaks a page. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { openDashboard } from '../../src/app/dashboard.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { loggedIn, tokenIn } from '../support/site.ts';

const LOGIN = { BESTFRAME_DASHBOARD_USER: 'ana', BESTFRAME_DASHBOARD_PASSWORD: 'ana-may-do-all' };

let rig: Rig;
let site: Awaited<ReturnType<typeof openDashboard>>;
let cookie: string;

beforeAll(async () => {
  rig = await createRig({ env: { ...LOGIN, BESTFRAME_DASHBOARD_PORT: '0' } });
  site = await openDashboard(readConfig(rig.env), pino({ level: 'silent' }));
  cookie = await loggedIn(site.url, 'ana', LOGIN.BESTFRAME_DASHBOARD_PASSWORD);
});
afterAll(async () => {
  await site.stop(0);
  await rig.dispose();
});

/** Sends a request whose target `fetch` would change. @returns the head and the body of the answer. */
async function send(method: string, target: string, headers: Record<string, string> = {}): Promise<string> {
  const socket = connect(Number(new URL(site.url).port), '127.0.0.1');
  let received = '';
  socket.setEncoding('utf8').on('data', (text) => {
    received += text;
  });
  const lines = Object.entries({ host: 'x', connection: 'close', ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  socket.write(`${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  await once(socket, 'close');
  return received;
}

const statusOf = (answer: string) => Number(answer.split(' ')[1]);
const page = (path: string, accept = 'text/html') =>
  fetch(new URL(path, site.url), { headers: { cookie, accept }, redirect: 'manual' });

describe.each([
  '/dashboard/api/queues',
  '/%64ashboard/api/queues',
  '/dashboar%44/api/queues',
  'http://evil.example/dashboard/api/queues',
  '/dashboard/%61pi/queues',
])('the Bull dashboard as %s', (target) => {
  it('needs a login, has its policy, and cannot be changed', async () => {
    expect(statusOf(await send('GET', target))).toBe(401);
    expect(statusOf(await send('POST', target))).toBe(401);
    const read = await send('GET', target, { cookie });
    const found = !target.includes('%44'); // "D" is another letter
    expect(statusOf(read)).toBe(found ? 200 : 404);
    if (found) expect(read).toMatch(/content-security-policy: [^\r]*script-src 'self'/);
    expect(statusOf(await send('POST', target, { cookie, 'content-length': '0' }))).toBe(found ? 405 : 404);
  });
});

it('a page of jobs has at most 100, however many the query asks for', async () => {
  const requests = await Promise.all(Array.from({ length: 130 }, (_, index) => rig.request(`job-${index}`)));
  await rig.client.enqueueMany(requests);
  for (const count of [
    '100000',
    '1e5',
    '0x186A0',
    '%31%30%30%30%30%30',
    '5&jobsPerPage=100000',
    '100000&jobsPerPage=100000',
  ]) {
    const path = `/dashboard/api/queues?activeQueue=verify-ap-singapore&status=latest&page=1&jobsPerPage=${count}`;
    const answer = await page(path, 'application/json');
    const { queues = [] } = (await answer.json()) as { queues?: { name: string; jobs: unknown[] }[] };
    expect(queues.find(({ name }) => name === 'verify-ap-singapore')?.jobs.length ?? 0).toBeLessThanOrEqual(100);
    if (count === '100000') expect(queues[0]?.jobs).toHaveLength(100);
  }
});

it('no field of a query or a form breaks a page', async () => {
  const { id } = await rig.client.enqueue(await rig.request('fields'));
  for (const query of [
    'notice=__proto__',
    'notice=constructor',
    'notice=done&notice=x',
    'notice[]=done',
    '__proto__=x',
    'frame=1&frame=2',
    '%',
    '&&=',
    'notice=%00',
  ]) {
    for (const path of ['/', `/v/${id}`, '/sessions', '/login']) {
      const answer = await page(`${path}?${query}`);
      expect([path, query, answer.status]).toEqual([path, query, 200]);
    }
  }
  expect((await page(`/find?what=x&what=${id}`)).headers.get('location')).toBe(`/v/${id}`);
  expect((await page('/find?what[]=x')).status).toBe(404);
  expect((await page('/language/__proto__')).status).toBe(303);
  const token = tokenIn(await (await page('/')).text());
  for (const fields of [
    `token=${token}&why=a&why=b&steer=__proto__`,
    `token=${token}&token=x`,
    '__proto__[token]=x',
    'why',
  ]) {
    const answer = await fetch(new URL('/gate/ap-singapore/VideoLivenessCompare', site.url), {
      method: 'POST',
      body: fields,
      headers: { cookie, 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect([403, 404]).toContain(answer.status);
  }
});

it('a login leads to a page of this site only', async () => {
  for (const to of ['/\t/evil.example', '/\n/evil.example', '/.//evil.example', '//evil.example', '/\\evil.example']) {
    const body = new URLSearchParams({ name: 'ana', password: LOGIN.BESTFRAME_DASHBOARD_PASSWORD, to });
    const answer = await fetch(new URL('/login', site.url), { method: 'POST', body, redirect: 'manual' });
    expect([to, answer.headers.get('location')]).toEqual([to, '/']);
  }
});

it('every error is a page for a browser, and JSON for a program', async () => {
  for (const [path, status] of [
    ['/nowhere', 404],
    ['/dashboard/api/nowhere', 404],
    ['/%zz', 400],
    ['/v/%', 400],
    ['/find?what=nothing', 404],
  ] as const) {
    const html = await page(path);
    expect(html.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect([path, html.status, html.headers.get('content-type')]).toEqual([path, status, 'text/html; charset=utf-8']);
    expect(await html.text()).toContain('<h1>');
    const json = await page(path, 'application/json');
    expect([path, json.status]).toEqual([path, status]);
    expect(Object.keys((await json.json()) as object)).toEqual(['error']);
  }
});
