/** Tests acts on many verifications with several processes of the site: each shows a run, and another one can continue it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { openDashboard } from '../../src/app/dashboard.ts';
import { hashPassword } from '../../src/domain/operations/operators.ts';
import { noteRun } from '../../src/redis/bulk-plans.ts';
import { BulkRuns } from '../../src/server/dashboard/bulk-runs.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { loggedIn, tokenIn } from '../support/site.ts';

const PASSWORD = 'ana-may-do-all';
type Site = Awaited<ReturnType<typeof openDashboard>>;

let rig: Rig;
let first: Site;
let second: Site;
/** Sessions are valid in each process. */
const cookies = { ana: '', petra: '' };

beforeAll(async () => {
  const hash = await hashPassword(PASSWORD);
  rig = await createRig({
    env: {
      BESTFRAME_DASHBOARD_PORT: '0',
      BESTFRAME_DASHBOARD_USERS: `ana=operator=${hash},petra=operator=${hash}`,
      BESTFRAME_QPS_DETECT: '200',
    },
    emulator: { qps: {} },
  });
  [first, second] = [await open(), await open()];
  cookies.ana = await loggedIn(first.url, 'ana', PASSWORD);
  cookies.petra = await loggedIn(first.url, 'petra', PASSWORD);
});
afterAll(async () => {
  await first?.stop(0);
  await second?.stop(0);
  await rig?.dispose();
});

function open(): Promise<Site> {
  const config = readConfig({ ...rig.env, BESTFRAME_AUDIT: join(rig.dir, 'audit.jsonl') });
  return openDashboard(config, pino({ level: 'silent' }));
}

async function text(site: Site, path: string, cookie = cookies.ana): Promise<string> {
  const answer = await fetch(new URL(path, site.url), { headers: { cookie, accept: 'text/html' } });
  return answer.text();
}

async function post(site: Site, path: string, fields: Record<string, string> = {}, cookie = cookies.ana) {
  const token = tokenIn(await text(site, '/sessions', cookie));
  const init = { method: 'POST', headers: { cookie, accept: 'text/html' }, redirect: 'manual' } as const;
  return fetch(new URL(path, site.url), { ...init, body: new URLSearchParams({ token, ...fields }) });
}

/** Enqueues verifications that wait, because no worker runs, and plans to cancel them. @returns their ids, and the plan's path. */
async function planToCancel(site: Site, name: string, count: number) {
  const requests = await Promise.all(Array.from({ length: count }, (_, index) => rig.request(`${name}-${index}`)));
  const ids = ((await rig.client.enqueueMany(requests)) as { id: string }[]).map(({ id }) => id);
  const selection = Object.fromEntries(ids.map((id) => [`id-${id}`, '1']));
  const planned = await post(site, '/bulk', { act: 'cancel', scope: 'selected', query: '', ...selection });
  return { ids, path: planned.headers.get('location') ?? '' };
}

async function cancelled(ids: readonly string[]): Promise<string[]> {
  const lines = (await readFile(join(rig.dir, 'audit.jsonl'), 'utf8')).trim().split('\n');
  return lines
    .map((line) => JSON.parse(line))
    .filter(({ act, on }) => act === 'cancel' && ids.includes(on))
    .map(({ on }) => on);
}

it('shows a run in each process, and one process stops and continues what another one started', async () => {
  const { ids, path } = await planToCancel(first, 'stopped', 8);
  expect(await text(second, path)).toMatch(/<dt>Will change<\/dt><dd>8<\/dd>/);
  expect((await post(first, `${path}/continue`)).status).toBe(409);
  expect((await post(first, `${path}/start`, { rate: '2', why: 'a mistake' })).status).toBe(303);
  await expect.poll(() => text(second, path)).toMatch(/Running:.*[1-7] \/ 8/s);
  expect((await post(second, `${path}/start`, { rate: '2', why: 'again' })).status).toBe(409);
  expect((await post(second, `${path}/continue`)).status).toBe(409);
  expect((await post(second, `${path}/stop`)).status).toBe(303);
  expect(await text(first, path)).toMatch(/Stopped:.*[1-7] \/ 8.*Go on/s);
  expect((await post(second, `${path}/continue`)).status).toBe(303);
  await expect.poll(() => text(first, path), { timeout: 20_000 }).toMatch(/Done:.*8 \/ 8/s);
  expect((await cancelled(ids)).sort()).toEqual([...ids].sort());
  for (const id of ids) expect((await rig.client.get(id))?.state).toBe('cancelled');
  expect((await post(second, `${path}/continue`)).status).toBe(409);
}, 60_000);

it('says that the process of a run has ended, and goes on in another one without repeating an act', async () => {
  const ending = await open();
  const { ids, path } = await planToCancel(ending, 'interrupted', 6);
  await post(ending, `${path}/start`, { rate: '2', why: 'a mistake' });
  await expect.poll(() => text(second, path)).toMatch(/Running:.*[1-5] \/ 6/s);
  await ending.stop(0);
  expect(await text(second, path)).toMatch(/Interrupted:.*[1-5] \/ 6.*has ended.*Go on/s);
  expect((await post(second, `${path}/continue`)).status).toBe(303);
  await expect.poll(() => text(second, path), { timeout: 20_000 }).toMatch(/Done:.*6 \/ 6/s);
  expect((await cancelled(ids)).sort()).toEqual([...ids].sort());
}, 60_000);

it('lets only the operator who made a plan run it, and keeps it within its tenant', async () => {
  const { path } = await planToCancel(first, 'owned', 1);
  for (const act of ['start', 'stop', 'continue'])
    expect((await post(first, `${path}/${act}`, { rate: '1', why: 'mine' }, cookies.petra)).status).toBe(404);
  await rig.permit('acme', 'borealis');
  const { id } = await rig.client.forTenant('acme').enqueue(await rig.request('of-acme'));
  const selected = { act: 'cancel', scope: 'selected', query: 'tenant=borealis', [`id-${id}`]: '1' };
  const planned = (await post(first, '/bulk', selected)).headers.get('location') ?? '';
  expect(await text(first, planned)).toMatch(/<dt>Will change<\/dt><dd>0<\/dd>/);
  expect(await text(first, '/bulk/no-such-plan')).toContain('There is nothing here');
});

it('does not repeat a retry whose process ended before it noted its progress', async () => {
  const worker = await rig.openWorker();
  const object = rig.client.idOf('retried');
  const refusal = { kind: 'error', action: 'DetectReflectLivenessAndCompare', code: 'InvalidParameterValue' } as const;
  await rig.control.fault({ ...refusal, object, times: null });
  const { id } = await rig.client.enqueue(await rig.request('retried'));
  const view = await rig.client.wait(id, { until: 'ended' });
  expect(view).toMatchObject({ state: 'failed' });
  await expect.poll(() => rig.redis.exists(rig.names.job('ap-singapore', id).lock)).toBe(0);
  const runs = new BulkRuns(rig.deployment, rig.client);
  const views = view === null ? [] : [view];
  const planId = await runs.plan(
    { act: 'retry', operator: 'ana', tenant: null, filter: 'all', cut: false, views },
    () => null,
  );
  const { plan } = (await runs.find(planId)) ?? {};
  if (plan === undefined) throw new Error('the plan is gone');
  // What a process leaves behind that ends between the act and its note.
  const startedAt = new Date().toISOString();
  await noteRun(rig.deployment, planId, {
    order: { why: 'the line is back', perSecond: 10, payAgain: false, startedAt },
    state: 'running',
  });
  await rig.client.retry({ ids: [id], by: 'ana', why: 'the line is back' });
  expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'failed', retries: 1 });
  expect((await runs.find(planId))?.run?.state).toBe('interrupted');
  expect(await runs.continue(plan, async () => undefined)).toBe(true);
  await expect.poll(async () => (await runs.find(planId))?.run).toMatchObject({ state: 'done', results: { ok: 1 } });
  expect(await rig.client.get(id)).toMatchObject({ state: 'failed', retries: 1 });
  await runs.close();
  await worker.stop(5_000);
}, 60_000);

it('goes on only after the act that was under way when the run was stopped', async () => {
  const requests = await Promise.all(Array.from({ length: 2 }, (_, index) => rig.request(`busy-${index}`)));
  const ids = ((await rig.client.enqueueMany(requests)) as { id: string }[]).map(({ id }) => id);
  const views = (await Promise.all(ids.map((id) => rig.client.get(id)))).filter((view) => view !== null);
  const [one, another] = [new BulkRuns(rig.deployment, rig.client), new BulkRuns(rig.deployment, rig.client)];
  const planId = await one.plan(
    { act: 'cancel', operator: 'ana', tenant: null, filter: 'all', cut: false, views },
    () => null,
  );
  const { plan } = (await one.find(planId)) ?? {};
  if (plan === undefined) throw new Error('the plan is gone');

  const acts: string[] = [];
  let finish: () => void = () => undefined;
  const acting = new Promise<void>((began) => {
    const audit = ({ on }: { on: string }) => {
      acts.push(on);
      began();
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    };
    void one.start(plan, { why: 'a mistake', perSecond: 10, payAgain: false }, audit);
  });
  await acting;
  await another.stop(plan);
  const goesOn = another.continue(plan, async ({ on }) => void acts.push(on));
  finish();
  expect(await goesOn).toBe(true);
  await expect.poll(async () => (await one.find(planId))?.run).toMatchObject({ state: 'done', results: { ok: 2 } });
  expect(acts.sort()).toEqual([...ids].sort());
  await Promise.all([one.close(), another.close()]);
});
