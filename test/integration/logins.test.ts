/** Tests failed logins: one limit for every way in, over all processes, with an exact count of what was refused. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { openDashboard } from '../../src/app/dashboard.ts';
import { LoginLimiter } from '../../src/client/redis/login-limiter.ts';
import { createToken } from '../../src/domain/operations/api-keys.ts';
import { DEFAULT_LOGIN_LIMITS } from '../../src/domain/operations/login-limits.ts';
import { hashPassword } from '../../src/domain/operations/operators.ts';
import { type Http, openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { loggedIn } from '../support/site.ts';

const PASSWORD = 'ana-may-do-all';

let rig: Rig;
let site: Awaited<ReturnType<typeof openDashboard>>;
let other: Awaited<ReturnType<typeof openDashboard>>;
let http: Http;

beforeAll(async () => {
  const users = `ana=operator=${await hashPassword(PASSWORD)},vera=viewer`;
  rig = await createRig({ env: { BESTFRAME_DASHBOARD_PORT: '0', BESTFRAME_DASHBOARD_USERS: users } });
  site = await open();
  other = await open();
  http = await openHttp(rig, { BESTFRAME_LOGIN_FAILURES: 'address=30' });
});
beforeEach(async () => {
  const keys = await rig.redis.keys(`${rig.config.prefix}:tries:*`);
  if (keys.length > 0) await rig.redis.del(...keys);
});
afterAll(async () => {
  await http.close();
  await site.stop(0);
  await other.stop(0);
  await rig.dispose();
});

function open(settings: Record<string, string> = {}) {
  return openDashboard(readConfig({ ...rig.env, ...settings }), pino({ level: 'silent' }));
}

function basic(name: string, password: string, url = site.url) {
  const authorization = `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
  return fetch(new URL('/metrics', url), { headers: { authorization } });
}

function form(name: string, password: string, url = site.url) {
  const body = new URLSearchParams({ name, password });
  return fetch(new URL('/login', url), { method: 'POST', body, redirect: 'manual' });
}

const refusals = async () => (await rig.client.metrics()).counters.loginsRefused;

it('100 wrong passwords by Basic authentication: ten are checked, and all are counted', async () => {
  const before = await refusals();
  const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => basic('ana', `wrong-${index}`)));
  expect(answers.filter(({ status }) => status === 401)).toHaveLength(10);
  const limited = answers.filter(({ status }) => status === 429);
  expect(limited).toHaveLength(90);
  expect(Number(limited[0]?.headers.get('retry-after'))).toBeGreaterThan(200);
  expect((await refusals()) - before).toBe(100);
  expect((await basic('ana', PASSWORD)).status).toBe(429); // else the limit would not limit guesses
  expect((await form('ana', PASSWORD)).status).toBe(429);
  expect(await (await form('ana', PASSWORD)).text()).toContain('Too many attempts');
});

it('counts failures only: right passwords are never refused for their number', async () => {
  for (let index = 0; index < 12; index += 1) await loggedIn(site.url, 'ana', PASSWORD);
  const answers = await Promise.all(Array.from({ length: 12 }, () => basic('ana', PASSWORD)));
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
});

it('has one limit over all processes and ways, and a name that nobody has is limited like any other', async () => {
  for (const name of ['ana', 'nobody']) {
    const tries = Array.from({ length: 14 }, (_, index) => (index % 2 === 0 ? site : other).url);
    const answers = await Promise.all(tries.map((url, index) => (index < 7 ? form : basic)(name, 'guess', url)));
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(10);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(4);
  }
});

it('does not check a password where no login is needed', async () => {
  const before = await refusals();
  const authorization = `Basic ${Buffer.from('ana:guess').toString('base64')}`;
  expect((await fetch(new URL('/style.css', site.url), { headers: { authorization } })).status).toBe(200);
  expect(await refusals()).toBe(before);
});

it('limits and counts wrong API keys, and never refuses a right one because of them', async () => {
  const before = await refusals();
  const answers = await Promise.all(
    Array.from({ length: 40 }, () => http.call('GET', '/v1/gate', { secret: createToken('test').secret })),
  );
  expect(answers.filter(({ status }) => status === 401)).toHaveLength(30);
  const limited = answers.filter(({ status }) => status === 429);
  expect(limited).toHaveLength(10);
  expect(Number(limited[0]?.headers.get('retry-after'))).toBeGreaterThan(200);
  expect((await http.call('GET', '/v1/verifications?key=none')).status).toBe(200);
  expect((await refusals()) - before).toBe(40);
});

it('writes the address and the reason to the audit log, and neither name nor password', async () => {
  await form('hunter2-in-the-wrong-field', 'guess');
  const lines = async () => {
    await Promise.all(Array.from({ length: 40 }, () => form('ana', 'guess'))); // more than a second of the log has lines for
    return readFile(join(rig.dir, 'audit.log'), 'utf8');
  };
  await expect.poll(lines, { timeout: 30_000 }).toMatch(/"what":"form wrong"/);
  await expect.poll(lines, { timeout: 30_000 }).toMatch(/"what":"\w+ limited","count":\d+/);
  const log = await lines();
  expect(log).toContain('"address":"127.0.0.1"');
  expect(log).not.toMatch(/hunter2|guess/);
  expect((await rig.redis.keys('*')).join()).not.toContain('hunter2');
});

it('users in a file log in, and a user who is taken out is logged out at once', async () => {
  const path = join(rig.dir, 'users');
  const hash = await hashPassword(PASSWORD);
  await writeFile(path, `fred=viewer=${hash}\n`);
  const filed = await open({ BESTFRAME_DASHBOARD_USERS: '', BESTFRAME_DASHBOARD_USERS_FILE: path });
  const cookie = await loggedIn(filed.url, 'fred', PASSWORD);
  const visit = () => fetch(filed.url, { headers: { cookie, accept: 'text/html' }, redirect: 'manual' });
  expect((await visit()).status).toBe(200);
  await writeFile(path, `gina=viewer=${hash}\n`);
  expect((await visit()).status).toBe(303);
  await loggedIn(filed.url, 'gina', PASSWORD);
  await filed.stop(0);
});

it('counts refusals of a process that has not asked Redis before', async () => {
  const counted = async () => Number(await rig.redis.hget(rig.names.counters, 'loginsRefused'));
  const before = await counted();
  const limiter = new LoginLimiter(rig.config.redis, DEFAULT_LOGIN_LIMITS, rig.config.prefix);
  await Promise.all([limiter.countRefusal(), limiter.countRefusal()]);
  expect(await counted()).toBe(before + 2);
  await limiter.close();
});
