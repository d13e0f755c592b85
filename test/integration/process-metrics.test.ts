/** Tests what processes measure about real work: the pipeline, the calls to the vendor, webhooks and HTTP. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApi } from '../../src/app/api.ts';
import { readConfig } from '../../src/app/config.ts';
import { openDashboard } from '../../src/app/dashboard.ts';
import { createProcessMetrics, type ProcessMetrics } from '../../src/app/process-metrics.ts';
import type { Running } from '../../src/app/running.ts';
import { openNotify, openVerify } from '../../src/app/workers.ts';
import { writeMetrics } from '../../src/app/write-metrics.ts';
import { readOldest } from '../../src/redis/oldest.ts';
import { openVerifyQueue } from '../../src/redis/verify-queue.ts';
import { metricsText } from '../../src/server/api/metrics.ts';
import { promtool } from '../support/prometheus.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const BATCH = 'region="ap-singapore",lane="batch"';

let rig: Rig;
let metrics: ProcessMetrics;
const running: Running[] = [];

beforeAll(async () => {
  const env = {
    BESTFRAME_QPS_DETECT: '200',
    BESTFRAME_BACKOFF_MS: 'batch=20,interactive=20',
    BESTFRAME_DASHBOARD_USER: 'operator',
    BESTFRAME_DASHBOARD_PASSWORD: 'open-sesame',
    BESTFRAME_DASHBOARD_PORT: '0',
    BESTFRAME_METRICS_TENANTS: 'acme',
    BESTFRAME_PRICES: `${DETECT}=0.15`,
    BESTFRAME_CURRENCY: 'USD',
    BESTFRAME_WEBHOOKS: 'backend=https://localhost:1/hook',
    BESTFRAME_WEBHOOK_SECRETS: `backend=whsec_${Buffer.alloc(32, 1).toString('base64')}`,
    BESTFRAME_WEBHOOK_ALLOW: 'localhost',
    NO_PROXY: 'localhost',
  };
  rig = await createRig({ env, emulator: { qps: {} } });
  const log = pino({ level: 'silent' });
  const config = readConfig(rig.env);
  metrics = createProcessMetrics(config.metricsTenants);
  running.push(await openVerify(config, log, metrics.observer), await openNotify(config, log, metrics.observer));
});
afterAll(async () => {
  await Promise.all(running.map((each) => each.stop(1_000)));
  await rig.dispose();
});

async function ownText(): Promise<string> {
  return (await writeMetrics([metrics.registry], '')).text;
}

/** @returns the value of a series; 0 if there is none. */
async function seriesValue(series: string): Promise<number> {
  const line = (await ownText()).split('\n').find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? 0);
}

// One story: the first test counts from zero.
describe('in this order', { shuffle: false }, () => {
  it('measures a verification from its acceptance to its frame', async () => {
    const { id } = await rig.client.enqueue({ ...(await rig.request('measured')), lane: 'batch' });
    const view = await rig.client.wait(id, { until: 'ended' });
    expect(view).toMatchObject({ decision: 'match', frame: 'stored' });
    await expect.poll(() => seriesValue(`bestframe_ended_total{${BATCH},state="completed",decision="match"}`)).toBe(1);
    for (const name of ['queue_wait', 'time_to_decision', 'time_to_frame'])
      expect(await seriesValue(`bestframe_${name}_seconds_count{${BATCH}}`)).toBe(1);
    for (const stage of ['upload', 'md5', 'detect', 'download'])
      expect(await seriesValue(`bestframe_stage_seconds_count{stage="${stage}",result="ok"}`)).toBe(1);
    expect(await seriesValue(`bestframe_paid_calls_total{region="ap-singapore",action="${DETECT}",billed="yes"}`)).toBe(
      1,
    );
    expect(await seriesValue('bestframe_cost_total{region="ap-singapore",billed="yes",currency="USD"}')).toBe(0.15);
    const call = `bestframe_vendor_call_seconds_count{region="ap-singapore",action="${DETECT}",result="ok"}`;
    expect(await seriesValue(call)).toBe(1);
    expect(await seriesValue('bestframe_end_reasons_total{state="completed",class="none",code="none"}')).toBe(1);
    expect(await seriesValue('bestframe_bytes_total{direction="uploaded"}')).toBeGreaterThan(1_000);
    expect(await seriesValue('bestframe_bytes_total{direction="downloaded"}')).toBeGreaterThan(1_000);
  });

  it('counts retries, rewinds, preflight catches and classes of answers', async () => {
    await rig.control.fault({ kind: 'error', action: DETECT, code: 'InternalError', times: 1 });
    const retried = await rig.client.enqueue(await rig.request('retried'));
    await rig.client.wait(retried.id, { until: 'ended' });
    expect(await seriesValue('bestframe_retries_total{stage="detect",class="transient"}')).toBe(1);
    const failed = `bestframe_vendor_call_seconds_count{region="ap-singapore",action="${DETECT}",result="transient"}`;
    expect(await seriesValue(failed)).toBe(1);

    const queue = openVerifyQueue(rig.deployment, 'ap-singapore');
    await queue.pause(); // the client checks files, so one is removed between its check and the worker's
    const caught = await rig.client.enqueue(await rig.request('removed'));
    await rm(join(rig.dir, 'inputs', 'removed-photo.jpg'));
    await queue.resume();
    await queue.close();
    expect(await rig.client.wait(caught.id, { until: 'ended' })).toMatchObject({ state: 'failed' });
    expect(await seriesValue('bestframe_preflight_catches_total{stage="upload",code="SOURCE_MISSING"}')).toBe(1);

    await rig.control.fault({ kind: 'error', action: DETECT, code: 'FailedOperation.DownLoadError', times: 1 });
    const rewound = await rig.client.enqueue(await rig.request('rewound'));
    await rig.client.wait(rewound.id, { until: 'ended' });
    expect(await seriesValue('bestframe_rewinds_total{stage="detect",code="FailedOperation.DownLoadError"}')).toBe(1);
  });

  it('counts tenants that are listed, and no others', async () => {
    await rig.permit('acme', 'other');
    for (const tenant of ['acme', 'other']) {
      const { id } = await rig.client.forTenant(tenant).enqueue(await rig.request(`of-${tenant}`));
      await rig.client.wait(id, { until: 'ended' });
    }
    const series = 'bestframe_tenant_ended_total{tenant="acme",state="completed",decision="match"}';
    await expect.poll(() => seriesValue(series)).toBe(1);
    expect(await ownText()).not.toContain('tenant="other"');
  });

  it('measures tries to deliver notifications', async () => {
    await rig.client.enqueue({ ...(await rig.request('notified')), webhook: 'backend' });
    await expect
      .poll(() => seriesValue('bestframe_webhook_delivery_seconds_count{result="failed"}'))
      .toBeGreaterThan(0);
  });

  it('measures requests by route, without their paths', async () => {
    const log = pino({ level: 'silent' });
    const api = await openApi(readConfig(rig.env), log, metrics.observer);
    const site = await openDashboard(readConfig(rig.env), log, metrics.observer);
    try {
      await fetch(`${api.url}/v1/verifications/tom-miller`);
      await fetch(`${api.url}/tom-miller`);
      await fetch(new URL('/login', site.url));
      const labels = 'service="api",method="GET",route="/v1/verifications/:id",status="4xx"';
      await expect.poll(() => seriesValue(`bestframe_http_request_seconds_count{${labels}}`)).toBe(1);
      const none = 'service="api",method="GET",route="none",status="4xx"';
      await expect.poll(() => seriesValue(`bestframe_http_request_seconds_count{${none}}`)).toBe(1);
      const login = 'service="site",method="GET",route="/login",status="2xx"';
      await expect.poll(() => seriesValue(`bestframe_http_request_seconds_count{${login}}`)).toBe(1);
      expect(await ownText()).not.toContain('tom-miller');
    } finally {
      await api.stop(0);
      await site.stop(0);
    }
  });

  it('shows the age of the oldest verification of each region and lane', async () => {
    await Promise.all(running.splice(0).map((each) => each.stop(1_000)));
    const { id } = await rig.client.enqueue({ ...(await rig.request('oldest')), lane: 'interactive' });
    const { oldest } = await rig.client.metrics();
    expect(oldest).toEqual([{ region: 'ap-singapore', lane: 'interactive', ageMs: expect.any(Number) }]);
    await rig.redis.zadd(rig.names.live, Date.now() - 90_000, id);
    // Behind a long backlog of the other lane, the verification is not among the oldest of all.
    const place = { oldest: [], held: new Set<string>(), now: Date.now() };
    expect(await readOldest(rig.deployment, ['ap-singapore'], place)).toMatchObject([{ lane: 'interactive' }]);
    expect(await readOldest(rig.deployment, ['ap-singapore'], { ...place, held: new Set([id]) })).toEqual([]);
    const text = await metricsText(await rig.client.metrics());
    const age = /bestframe_oldest_seconds\{region="ap-singapore",lane="interactive"\} (\S+)/.exec(text)?.[1];
    expect(Number(age)).toBeGreaterThanOrEqual(90);
    expect(text).toContain('bestframe_oldest_seconds{region="ap-singapore",lane="batch"} 0');
    expect(text).toContain('bestframe_oldest_seconds{region="ap-hongkong",lane="batch"} 0');
  });

  it('passes promtool check metrics', async () => {
    const text = `${await ownText()}\n${await metricsText(await rig.client.metrics())}`;
    expect(await promtool(['check', 'metrics'], text)).toEqual({ code: 0, output: '' });
  });
});
