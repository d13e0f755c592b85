/** Tests the metrics: those of the client, in the text format, and at the dashboard's /metrics. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { openDashboard } from '../../src/app/dashboard.ts';
import { BestframeClient } from '../../src/client/redis/client.ts';
import { metricsText } from '../../src/server/api/metrics.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const PLACE = `{region="ap-singapore",action="${DETECT}"}`;

let rig: Rig;

beforeAll(async () => {
  const env = {
    BESTFRAME_QPS_DETECT: '200',
    BESTFRAME_BACKOFF_MS: 'batch=20,interactive=20',
    BESTFRAME_CALL_SECONDS: 'batch=1,interactive=1',
    BESTFRAME_DASHBOARD_USER: 'operator',
    BESTFRAME_DASHBOARD_PASSWORD: 'open-sesame',
    BESTFRAME_DASHBOARD_PORT: '0',
  };
  rig = await createRig({ env, emulator: { qps: {} } });
});
afterAll(() => rig.dispose());

it('counts waiting and held verifications, and gives the age of the oldest', async () => {
  const before = await rig.client.metrics();
  expect(before).toMatchObject({ live: 0, held: 0, oldestMs: null, outbox: 0 });
  const unused = new BestframeClient({ redis: rig.config.redis, prefix: `${rig.config.prefix}-unused` });
  expect(await unused.metrics()).toMatchObject({ live: 0, held: 0, oldestMs: null, outbox: 0, gates: [] });
  await unused.close();
  const { id } = await rig.client.enqueue(await rig.request('waits'));
  const waits = await rig.client.metrics();
  expect(waits).toMatchObject({ live: 1 });
  expect(waits.oldestMs).toBeGreaterThanOrEqual(0);
  expect(waits.queues).toContainEqual({ region: 'ap-singapore', waiting: 1, active: 0, delayed: 0 });
  await rig.client.cancel(id);

  const worker = await rig.openWorker();
  await rig.control.fault({ kind: 'error', action: DETECT, code: 'FailedOperation.BrandNew', times: 2 });
  const held = await rig.client.enqueue(await rig.request('held'));
  await rig.client.wait(held.id, { until: 'ended' });
  const found = await rig.client.metrics();
  expect(found).toMatchObject({ live: 1, held: 1, oldestMs: null });
  expect(found.counters.unknownCodes).toBe(before.counters.unknownCodes + 2);
  await rig.client.resolve(held.id, 'fail', { by: 'maria', why: 'test' });
  await worker.stop(5_000);
});

it('counts calls with an unknown outcome', async () => {
  const before = await rig.client.metrics();
  const worker = await rig.openWorker();
  await rig.control.fault({ kind: 'drop', action: DETECT });
  const { id } = await rig.client.enqueue(await rig.request('dropped'));
  expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed', possiblyPaidCalls: 1 });
  const { counters } = await rig.client.metrics();
  expect(counters.unknownOutcomes).toBe(before.counters.unknownOutcomes + 1);
  await worker.stop(5_000);
});

it('shows why and since when a gate is closed, and needs a login on the dashboard', async () => {
  await rig.client.steerGate({ region: 'ap-singapore', action: DETECT }, 'close', { by: 'maria', why: 'test' });
  const dashboard = await openDashboard(readConfig(rig.env), pino({ level: 'silent' }));
  try {
    const url = new URL('/metrics', dashboard.url);
    expect((await fetch(url)).status).toBe(401);
    const authorization = `Basic ${Buffer.from('operator:open-sesame').toString('base64')}`;
    const answer = await fetch(url, { headers: { authorization } });
    expect(answer.headers.get('content-type')).toContain('text/plain');
    const text = await answer.text();
    const { gates, counters } = await rig.client.metrics();
    const [gate] = gates;
    const since = Date.parse(gate?.since ?? '') / 1_000;
    expect(text).toContain(`bestframe_gate_open${PLACE} 0`);
    expect(text).toContain(`${PLACE.slice(0, -1)},code="CLOSED_BY_OPERATOR"} ${since}`);
    expect(text).toContain(`bestframe_unknown_outcomes_total ${counters.unknownOutcomes}`);
    await rig.client.steerGate({ region: 'ap-singapore', action: DETECT }, 'open', { by: 'maria', why: 'test' });
    const open = await (await fetch(url, { headers: { authorization } })).text();
    expect(open).toContain(`bestframe_gate_open${PLACE} 1`);
    expect(open).not.toContain('CLOSED_BY_OPERATOR');
  } finally {
    await dashboard.stop(0);
  }
});

it('has exactly the metrics of the deployment that docs/metrics.md lists', async () => {
  const metrics = await rig.client.metrics();
  const budgets = [{ period: 'day', unit: 'calls', limit: 5, spent: 1 }] as const;
  const text = await metricsText({ ...metrics, costs: { ...metrics.costs, budgets } });
  const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'metrics.md'), 'utf8');
  const [, section = ''] = /## The deployment\n(.*?)\n## /s.exec(page) ?? [];
  const promised = [...section.matchAll(/^\| `(bestframe_\w+)` \| /gm)].map(([, name]) => name);
  expect(promised.length).toBeGreaterThan(10);
  expect(names.sort()).toEqual(promised.sort());
});
