/** Tests the pages of the operators' site beyond the first one: counts by minute, lists, acts on one and on many, and parts. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { openDashboard } from '../../src/app/dashboard.ts';
import type { Running } from '../../src/app/running.ts';
import { hashPassword } from '../../src/domain/operations/operators.ts';
import { sumPoint } from '../../src/domain/operations/series.ts';
import { VERSION } from '../../src/domain/version.ts';
import { MinuteReader } from '../../src/redis/series.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { loggedIn, tokenIn } from '../support/site.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const PASSWORD = 'ana-may-do-all';
const CANARY = 'maria-lopez';

let rig: Rig;
let worker: Running;
let site: Awaited<ReturnType<typeof openDashboard>>;
let cookie: string;
let viewer: string;
/** Ids of a match, a refusal, and one that failed. */
let match: string;
let spoof: string;
let failed: string;

beforeAll(async () => {
  const hash = await hashPassword(PASSWORD);
  rig = await createRig({
    env: {
      BESTFRAME_DASHBOARD_PORT: '0',
      BESTFRAME_DASHBOARD_USERS: `ana=operator=${hash},vera=viewer=${hash}`,
      BESTFRAME_QPS_DETECT: '200',
      BESTFRAME_UNKNOWN_OUTCOME: 'review',
      BESTFRAME_CALL_SECONDS: 'interactive=1,batch=1',
      BESTFRAME_PRICES: `${DETECT}=0.15`,
      BESTFRAME_CURRENCY: 'USD',
    },
    emulator: { qps: {} },
  });
  const config = readConfig({ ...rig.env, BESTFRAME_AUDIT: join(rig.dir, 'audit.jsonl') });
  site = await openDashboard(config, pino({ level: 'silent' }));
  cookie = await loggedIn(site.url, 'ana', PASSWORD);
  viewer = await loggedIn(site.url, 'vera', PASSWORD);
  worker = await rig.openWorker();
  const enqueue = async (key: string, card: 'match' | 'spoof', more = {}) => {
    const request = await rig.request(`${CANARY}-${key}`, { card }, more);
    const { id } = await rig.client.enqueue(request);
    await rig.client.wait(id, { until: 'ended' });
    return id;
  };
  match = await enqueue('1', 'match', { subject: CANARY });
  spoof = await enqueue('2', 'spoof', { subject: CANARY });
  const { id } = await rig.client.enqueue(
    await rig.request(`${CANARY}-3`, { card: 'match' }, { deadline: new Date(Date.now() + 1_500).toISOString() }),
  );
  failed = id;
  await rig.control.fault({ kind: 'drop', action: DETECT, object: id, times: null });
  await rig.client.wait(id, { until: 'ended', timeoutMs: 30_000 });
  await rig.control.clearFaults();
});
afterAll(async () => {
  await site?.stop(0);
  await rig?.dispose();
});

function get(path: string, as = cookie, headers: Record<string, string> = {}) {
  return fetch(new URL(path, site.url), {
    headers: { cookie: as, accept: 'text/html', ...headers },
    redirect: 'manual',
  });
}

async function text(path: string, as = cookie): Promise<string> {
  const answer = await get(path, as);
  expect([path, answer.status]).toEqual([path, 200]);
  return answer.text();
}

async function post(path: string, fields: Record<string, string>): Promise<Response> {
  const token = tokenIn(await text('/sessions'));
  const init = { method: 'POST', headers: { cookie, accept: 'text/html' }, redirect: 'manual' } as const;
  return fetch(new URL(path, site.url), { ...init, body: new URLSearchParams({ token, ...fields }) });
}

async function audited(): Promise<Record<string, string>[]> {
  return (await readFile(join(rig.dir, 'audit.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

async function createHeld(key: string): Promise<string> {
  await rig.control.fault({ kind: 'drop', action: DETECT, object: rig.client.idOf(key), times: null });
  const { id } = await rig.client.enqueue(await rig.request(key, { card: 'match' }, { lane: 'batch' }));
  await expect.poll(async () => (await rig.client.get(id))?.state).toBe('held');
  await rig.control.clearFaults();
  return id;
}

// One story: the first test counts everything from the start, and the pages show what the earlier tests have done.
describe('the site', { shuffle: false }, () => {
  it('counts by minute what was accepted, ended, called and paid, and the charts show it', async () => {
    const count = async () => sumPoint(await new MinuteReader(rig.deployment).read(10));
    await expect.poll(async () => (await count()).ends.not_live).toBe(1);
    const { accepted, ends, calls, waits, paidCalls, costs } = await count();
    expect({ accepted, match: ends.match, paidCalls, costs }).toEqual({
      accepted: 3,
      match: 1,
      paidCalls: expect.any(Number),
      costs: { USD: expect.any(Number) },
    });
    expect(calls).toBeGreaterThanOrEqual(2);
    expect(waits.interactive.count).toBe(2);
    const { id } = await rig.client.enqueue(
      await rig.request(
        'cancelled-by-caller',
        { card: 'match' },
        { deadline: new Date(Date.now() + 60_000).toISOString() },
      ),
    );
    await rig.client.cancel(id);
    await rig.client.wait(id, { until: 'ended' });
    await expect.poll(async () => (await count()).ends.cancelled + (await count()).ends.match).toBe(2);
    const page = await text('/');
    expect(page).toContain('aria-label="Ended per minute: at most');
    expect(page.match(/<svg viewBox="0 0 600 100"/g)?.length).toBeGreaterThanOrEqual(3);
    expect(await text('/?span=day')).toContain('Ended per 15 minutes');
  });

  it('says on the overview what needs a person, with the act beside it, in the reader’s language and zone', async () => {
    const id = await createHeld('needs-a-person');
    await rig.client.steerGate({ region: 'ap-singapore', action: 'VideoLivenessCompare' }, 'pause', {
      by: 'ana',
      why: 'contract',
    });
    const page = await text('/');
    expect(page).toMatch(/1 held, waiting for a decision.*href="\/held"/s);
    expect(page).toMatch(/Gate ap-singapore Video liveness is paused.*ana: contract.*value="resume"/s);
    expect(page).toContain('class="verdict attention"');
    expect(await text('/', viewer)).not.toContain('value="resume"');
    const zoned = await (await get('/', `${cookie}; bestframe-zone=Asia%2FTokyo`)).text();
    expect(zoned).toMatch(/title="[\d-]+ [\d:]+ UTC"><bdi>[\d-]+ [\d:]+<\/bdi> GMT\+9/);
    expect(await (await get('/', `${cookie}; bestframe-zone=Mars%2FBase`)).text()).toContain('data-zone="UTC"');
    const chinese = await (await get('/', cookie, { 'accept-language': 'zh' })).text();
    expect(chinese).toContain('需要人工处理');
    expect(chinese).not.toMatch(/>[^<]*(?:Needs a person|waiting for|Last hour)[^<]*</);
    await rig.client.steerGate({ region: 'ap-singapore', action: 'VideoLivenessCompare' }, 'resume', {
      by: 'ana',
      why: 'done',
    });
    const refused = await post('/bulk', { act: 'fail', scope: 'selected', query: '' });
    expect(refused.status).toBe(400);
    const planned = await post('/bulk', { act: 'resume', scope: 'filter', query: 'state=held' });
    const path = planned.headers.get('location') ?? '';
    expect(await text(path)).toMatch(/<dt>Will change<\/dt><dd>1<\/dd>.*Costs up to 0\.15 USD/s);
    expect((await post(`${path}/start`, { rate: '10', why: ' ' })).status).toBe(400);
    expect((await post(`${path}/start`, { rate: '10', why: 'the line is back', payAgain: '1' })).status).toBe(303);
    expect((await post(`${path}/start`, { rate: '10', why: 'again' })).status).toBe(409);
    const resolved = expect.objectContaining({ event: 'resolved', by: 'ana', why: 'the line is back' });
    await expect.poll(async () => (await rig.client.get(id))?.history).toContainEqual(resolved);
    await expect.poll(async () => text(path)).toMatch(/Done:.*1 \/ 1/s);
    expect(await audited()).toContainEqual(
      expect.objectContaining({
        act: 'held.resolve',
        on: id,
        what: 'bulk resume',
        purpose: 'the line is back',
        actor: 'ana',
      }),
    );
  });

  it('lists verifications by filter and page by page in both directions, with exact counts, and as CSV', async () => {
    const made = await Promise.all(
      Array.from({ length: 60 }, (_, index) => rig.request(`many-${index}`, { card: 'match' })),
    );
    const results = await rig.client.enqueueMany(made);
    for (const { id } of results as { id: string }[]) await rig.client.wait(id, { until: 'ended' });
    const idsOn = (page: string) => [...page.matchAll(/href="\/v\/(v\w{25})"/g)].map(([, id]) => id);
    const first = await text('/verifications?lane=batch');
    expect(idsOn(first)).toHaveLength(50);
    expect(first).toContain('1–50 · more than 50');
    const next = /rel="next" href="([^"]+)"/.exec(first)?.[1]?.replaceAll('&#38;', '&') ?? '';
    const second = await text(next);
    expect(second).toMatch(/51–\d+ · \d+ in all/);
    const back = /rel="prev" href="([^"]+)"/.exec(second)?.[1]?.replaceAll('&#38;', '&') ?? '';
    expect(idsOn(await text(back))).toEqual(idsOn(first));
    expect(new Set([...idsOn(first), ...idsOn(second)]).size).toBe(idsOn(first).length + idsOn(second).length);
    expect(idsOn(await text(`/verifications?decision=not_live`))).toEqual([spoof]);
    expect(idsOn(await text(`/verifications?subject=${CANARY}`)).sort()).toEqual([match, spoof].sort());
    expect(await text('/verifications')).toMatch(/1–50 · 6\d in all/);
    const answer = await get('/verifications.csv?decision=not_live');
    expect(answer.headers.get('content-disposition')).toMatch(/^attachment; filename="verifications-[\d-]+\.csv"$/);
    const [head, line, ...rest] = (await answer.text()).trim().split('\n');
    expect([head?.split(',').slice(0, 3), line?.split(',').slice(0, 3), rest]).toEqual([
      ['id', 'state', 'decision'],
      [spoof, 'completed', 'not_live'],
      [],
    ]);
    expect(await audited()).toContainEqual(expect.objectContaining({ act: 'export', what: 'csv: not_live' }));
    expect(first + second).not.toContain(CANARY);
    expect(JSON.stringify(await audited())).not.toContain(CANARY);
  });

  it('finds verifications by id, key and subject in one list, and another tenant’s stay invisible', async () => {
    await rig.permit('acme', 'borealis');
    const enqueue = async (tenant: string, key: string) => {
      const request = await rig.request(key, { card: 'match' }, { subject: `${CANARY}-shared` });
      return (await rig.client.forTenant(tenant).enqueue(request)).id;
    };
    const [acme, borealis] = [await enqueue('acme', 'order-7'), await enqueue('borealis', 'order-7')];
    const listed = async (query: string) =>
      [...(await text(`/verifications?${query}`)).matchAll(/href="\/v\/(v\w{25})"/g)].map(([, id]) => id);
    expect(await listed(`id=${acme}`)).toEqual([acme]);
    expect(await listed(`id=${acme}&tenant=acme`)).toEqual([acme]);
    expect(await listed(`id=${acme}&tenant=borealis`)).toEqual([]);
    expect((await listed('key=order-7')).sort()).toEqual([acme, borealis].sort());
    expect(await listed('key=order-7&tenant=borealis')).toEqual([borealis]);
    expect(await listed(`key=${CANARY}-1&tenant=acme`)).toEqual([]);
    expect(await listed(`id=${acme}&key=order-8`)).toEqual([]);
    expect(await listed(`subject=${CANARY}-shared&id=${borealis}`)).toEqual([borealis]);
    expect(await listed(`subject=${CANARY}-shared&tenant=acme&key=order-7`)).toEqual([acme]);
    expect(await listed(`key=order-7&region=ap-hongkong`)).toEqual([]);
    expect(await listed('id=v-no-such-id')).toEqual([]);
    expect((await get('/find?what=order-7')).headers.get('location')).toBe('/verifications?key=order-7');
    expect((await get(`/find?what=${acme}`)).headers.get('location')).toBe(`/v/${acme}`);
    const page = await text('/verifications?key=order-7&tenant=acme');
    expect(page).toContain('name="key" value="order-7"');
    expect(page).toMatch(/verifications\.csv\?[^"]*key=order-7/);
    expect(JSON.stringify(await audited())).not.toContain('order-7');
  });

  it('shows one verification as a picture, with what can be done, others about the subject, and no secret', async () => {
    const page = await text(`/v/${match}`);
    expect(page).toMatch(/<rect class="call"[^>]*>.*?<strong>billed 0\.15 USD<\/strong>/s);
    expect(page).toContain(`/v/${spoof}`);
    expect(page).toMatch(/<pre id="support"[^>]*>\{\n/);
    expect(page).not.toMatch(new RegExp(`${CANARY}|q-sign|myqcloud|inputs|frames/`));
    const ended = await text(`/v/${failed}`);
    expect(ended).toMatch(/<h3>Retry<\/h3>/);
    expect(await text(`/v/${failed}`, viewer)).not.toContain('<h3>Retry</h3>');
  });

  it('retries, cancels and erases one verification, each with a reason, and audits it', async () => {
    expect((await post(`/v/${failed}/retry`, { why: '' })).status).toBe(400);
    expect((await post(`/v/${spoof}/retry`, { why: 'again' })).headers.get('location')).toBe(
      `/v/${spoof}?notice=refused`,
    );
    expect((await post(`/v/${spoof}/erase`, { why: 'asked for', confirm: match })).status).toBe(400);
    expect((await post(`/v/${spoof}/erase`, { why: 'asked for', confirm: spoof })).status).toBe(303);
    expect((await rig.client.receipt(spoof))?.by).toBe('ana');
    expect((await get(`/v/${spoof}`)).status).toBe(404);
    await rig.client.steerGate({ region: 'ap-singapore', action: DETECT }, 'pause', { by: 'ana', why: 'test' });
    const { id } = await rig.client.enqueue(await rig.request('to-cancel', { card: 'match' }));
    expect((await post(`/v/${id}/cancel`, { why: 'a mistake' })).headers.get('location')).toBe(`/v/${id}?notice=done`);
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'cancelled' });
    await rig.client.steerGate({ region: 'ap-singapore', action: DETECT }, 'resume', { by: 'ana', why: 'test' });
    for (const [act, on] of [
      ['erase', spoof],
      ['cancel', id],
    ])
      expect(await audited()).toContainEqual(expect.objectContaining({ act, on, actor: 'ana' }));
  });

  it('erases many only after the number was typed, and leaves those under a legal hold', async () => {
    const ids = [];
    for (const key of ['erase-1', 'erase-2', 'erase-3']) {
      const { id } = await rig.client.enqueue(await rig.request(key, { card: 'match' }));
      await rig.client.wait(id, { until: 'ended' });
      ids.push(id);
    }
    const [held = '', ...others] = ids;
    await rig.client.legalHold(held, { by: 'ana', why: 'a court asks' });
    const planned = await post('/bulk', {
      act: 'erase',
      scope: 'selected',
      ...Object.fromEntries(ids.map((id) => [`id-${id}`, '1'])),
    });
    const path = planned.headers.get('location') ?? '';
    expect(await text(path)).toMatch(/is under a legal hold/);
    expect((await post(`${path}/start`, { rate: '50', why: 'asked for', confirm: '3' })).status).toBe(400);
    expect((await post(`${path}/start`, { rate: '50', why: 'asked for', confirm: '2' })).status).toBe(303);
    await expect.poll(async () => text(path)).toMatch(/Done:.*2 \/ 2/s);
    for (const id of others) expect(await rig.client.get(id)).toBeNull();
    expect(await rig.client.get(held)).not.toBeNull();
  });

  it('shows webhooks, workers, costs, the audit log and the checks', async () => {
    await rig.client.webhooks.add({ name: 'shop', url: 'https://shop.example/hooks' });
    const webhooks = await text('/webhooks');
    expect(webhooks).toMatch(/shop.*https:\/\/shop\.example\/hooks/s);
    expect((await post('/webhooks/shop/enable', { tenant: '' })).headers.get('location')).toBe('/webhooks?notice=done');
    expect((await post('/webhooks/redeliver/notify-nothing-ended', {})).status).toBe(404);
    // The first heartbeat is written before the worker has slots.
    await expect.poll(() => text('/workers')).toMatch(/data-name="Slots used">0 \/ 8</);
    const workers = await text('/workers');
    expect(workers).toMatch(/class="badge good">ready/);
    expect(workers).toMatch(new RegExp(`data-name="Last heartbeat"><time.*data-name="Version">${VERSION}<`, 's'));
    expect(await text('/costs?by=action')).toMatch(new RegExp(`${DETECT}.*\\d+\\.\\d\\d`, 's'));
    expect(await text('/costs?since=2026-99-99')).toContain('longer than 400 days');
    expect(await (await get('/costs.csv?by=region')).text()).toMatch(/^region,paid_calls/);
    const audit = await text('/audit?act=erase&check=1');
    expect(audit).toMatch(/The chain is intact/);
    expect(audit).toContain('asked for');
    expect(audit).not.toContain('<code>login</code>');
    expect((await get('/audit', viewer)).status).toBe(403);
    expect((await post('/doctor', {})).status).toBe(303);
    expect(await text('/doctor')).toMatch(/<code>redis[\w.]*<\/code>/);
  }, 60_000);

  it('tells readers that something changed, and asks them to look again', async () => {
    const answer = await get('/live?for=5');
    expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const { id } = await rig.client.enqueue(await rig.request('live', { card: 'match' }));
    await rig.client.wait(id, { until: 'ended' });
    expect(await answer.text()).toContain('event: change');
    const before = (await audited()).length;
    await get('/', cookie, { 'x-bestframe-live': '1' });
    await get('/', cookie, { 'x-bestframe-live': '1' });
    expect((await audited()).length - before).toBeLessThanOrEqual(1);
  });

  it('the counts of a worker’s last seconds arrive when it stops', async () => {
    const before = sumPoint(await new MinuteReader(rig.deployment).read(10)).ends.match;
    const { id } = await rig.client.enqueue(await rig.request('last', { card: 'match' }));
    await rig.client.wait(id, { until: 'ended' });
    await worker.stop(5_000);
    expect(sumPoint(await new MinuteReader(rig.deployment).read(10)).ends.match).toBeGreaterThan(before);
  });
});
