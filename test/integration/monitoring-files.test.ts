/**
 * Tests the alerts and dashboards of `deploy` with the distribution's Prometheus, which scrapes a deployment that works: every
 * metric exists, and every query is answered.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openApi } from '../../src/app/api.ts';
import { readConfig } from '../../src/app/config.ts';
import { openMonitor, type ProcessMonitor } from '../../src/app/monitor.ts';
import { createProcessMetrics } from '../../src/app/process-metrics.ts';
import { openProbe } from '../../src/app/redis.ts';
import type { Running } from '../../src/app/running.ts';
import { openNotify, openVerify } from '../../src/app/workers.ts';
import type { RedisProbe } from '../../src/redis/probe.ts';
import { alerts, dashboards, PROMETHEUS } from '../support/monitoring-files.ts';
import { promtool, type RunningPrometheus, startPrometheus } from '../support/prometheus.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const SOON = { timeout: 30_000, interval: 250 };
/** Panels that are empty as long as nothing fails. */
const ONLY_TROUBLE = [
  'bestframe-overview.json: Paid calls saved by the preflight, per hour',
  'bestframe-overview.json: Why verifications fail, per hour',
  'bestframe-tenants.json: Share of failed verifications',
  'bestframe-vendor.json: Changes of breakers, per hour',
];
/** Prometheus itself makes this one. */
const OF_PROMETHEUS = ['up'];

let rig: Rig;
let monitor: ProcessMonitor;
let probe: RedisProbe;
let prometheus: RunningPrometheus;
const running: Running[] = [];

beforeAll(async () => {
  const env = {
    BESTFRAME_QPS_DETECT: '200',
    BESTFRAME_BACKOFF_MS: 'batch=20,interactive=20',
    BESTFRAME_METRICS_TENANTS: 'acme',
    BESTFRAME_PRICES: `${DETECT}=0.15`,
    BESTFRAME_CURRENCY: 'USD',
    BESTFRAME_BUDGET: 'day=500calls',
    BESTFRAME_MONITOR_PORT: '0',
    BESTFRAME_WEBHOOKS: 'backend=https://localhost:1/hook',
    BESTFRAME_WEBHOOK_SECRETS: `backend=whsec_${Buffer.alloc(32, 1).toString('base64')}`,
    BESTFRAME_WEBHOOK_ALLOW: 'localhost',
    NO_PROXY: 'localhost',
  };
  rig = await createRig({ env, emulator: { qps: {} } });
  const log = pino({ level: 'silent' });
  const config = readConfig(rig.env);
  const { registry, observer } = createProcessMetrics(config.metricsTenants);
  probe = openProbe(config);
  monitor = await openMonitor(config, { registry, log, probe });
  const api = await openApi(config, log, observer);
  running.push(api, await openVerify(config, log, observer), await openNotify(config, log, observer));
  monitor.started(running);
  prometheus = await startPrometheus({ dir: join(rig.dir, 'prometheus'), rules: join(PROMETHEUS, 'rules.yml') });
  await prometheus.scrape(String(monitor.url));
  await rig.permit('acme');
  const client = rig.client.forTenant('acme');
  await rig.control.fault({ kind: 'error', action: DETECT, code: 'InternalError', times: 1 });
  await rig.control.fault({ kind: 'error', action: DETECT, code: 'FailedOperation.DownLoadError', times: 1 });
  for (const key of ['one', 'two', 'three']) {
    const { id } = await client.enqueue(await rig.request(key));
    await client.wait(id, { until: 'ended' });
  }
  await rig.client.enqueue({ ...(await rig.request('notified')), webhook: 'backend' });
  await fetch(`${api.url}/v1/verifications`);
});
afterAll(async () => {
  await prometheus.stop();
  await monitor.close();
  probe.close();
  await Promise.all(running.map((each) => each.stop(1_000)));
  await rig.dispose();
});

/** Fills in what Grafana fills in. */
function filledIn(expr: string): string {
  return expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$(?:region|tenant)/g, '.*');
}

const queries = () =>
  dashboards().flatMap(({ file, panels }) =>
    panels.flatMap(({ title, targets }) =>
      targets.map(({ expr }) => ({ where: `${file}: ${title}`, expr: filledIn(expr) })),
    ),
  );

it('each metric of an alert or a dashboard exists in a scrape', async () => {
  const text = await (await fetch(`${monitor.url}/metrics`)).text();
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)/gm)];
  const scraped = types.flatMap(([, name = '', type]) =>
    type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name],
  );
  const exprs = [...alerts(), ...queries()].map(({ expr }) => expr);
  const named = exprs.flatMap((expr) => expr.match(/\b(?:bestframe|nodejs|process)_\w+|\bup\b/g) ?? []);
  expect(new Set(named).size).toBeGreaterThan(40);
  expect([...new Set(named)].filter((name) => !scraped.includes(name) && !OF_PROMETHEUS.includes(name))).toEqual([]);
});

it('what a process serves passes promtool check metrics, but for the names that prom-client chose', async () => {
  const text = await (await fetch(`${monitor.url}/metrics`)).text();
  const { output } = await promtool(['check', 'metrics'], text);
  expect(output.split('\n').filter((line) => line.startsWith('bestframe_') || line.startsWith('error'))).toEqual([]);
});

it('promtool accepts the rules and the scrape configuration, and each alert passes its cases', async () => {
  const rules = await promtool(['check', 'rules', join(PROMETHEUS, 'rules.yml')]);
  expect(rules.output).toContain(`SUCCESS: ${alerts().length} rules found`);
  const config = await promtool(['check', 'config', join(PROMETHEUS, 'prometheus.yml')]);
  expect(config).toMatchObject({ code: 0 });
  const tested = await promtool(['test', 'rules', join(PROMETHEUS, 'rules.test.yml')]);
  expect(tested).toMatchObject({ code: 0, output: expect.stringContaining('SUCCESS') });
});

it('a case fails if its alert is changed', async () => {
  const dir = join(rig.dir, 'changed');
  await mkdir(dir);
  const rules = await readFile(join(PROMETHEUS, 'rules.yml'), 'utf8');
  await writeFile(join(dir, 'rules.yml'), rules.replace('max(bestframe_held) > 0', 'max(bestframe_held) > 5'));
  await writeFile(join(dir, 'rules.test.yml'), await readFile(join(PROMETHEUS, 'rules.test.yml'), 'utf8'));
  const tested = await promtool(['test', 'rules', join(dir, 'rules.test.yml')]);
  expect(tested).toMatchObject({ code: 1, output: expect.stringContaining('BestframeHeld') });
});

it('Prometheus scrapes the process, answers every query of the dashboards, and no alert fires', async () => {
  await expect.poll(() => prometheus.count('up == 1'), SOON).toBe(1);
  await expect.poll(() => prometheus.count('rate(bestframe_ended_total[1m]) >= 0'), SOON).toBeGreaterThan(0);
  for (const name of ['webhook_delivery', 'http_request', 'vendor_call'])
    await expect.poll(() => prometheus.count(`rate(bestframe_${name}_seconds_count[1m])`), SOON).toBeGreaterThan(0);
  const answers = await Promise.all(
    queries().map(async ({ where, expr }) => ({ where, expr, ...(await prometheus.query(expr)) })),
  );
  expect(answers.filter(({ status }) => status !== 'success')).toEqual([]);
  const empty = answers.filter(({ data }) => data?.result.length === 0);
  expect(empty.map(({ where }) => where).sort()).toEqual(ONLY_TROUBLE);
  expect((await prometheus.alerts()).filter(({ state }) => state === 'firing')).toEqual([]);
});

it('a closed gate raises its alert, which goes when the gate is open', async () => {
  const place = { region: 'ap-singapore', action: DETECT } as const;
  const raised = async () =>
    (await prometheus.alerts()).filter(({ labels }) => labels.alertname === 'BestframeGateClosed');
  await rig.client.steerGate(place, 'close', { by: 'maria', why: 'test' });
  await expect
    .poll(raised, SOON)
    .toMatchObject([{ labels: place, annotations: { runbook: 'docs/operations/gate-closed.md' } }]);
  await rig.client.steerGate(place, 'open', { by: 'maria', why: 'test' });
  await expect.poll(raised, SOON).toEqual([]);
});
