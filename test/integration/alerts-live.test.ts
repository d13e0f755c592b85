/**
 * Breaks a running deployment, one thing for each kind of alert, and waits until the distribution's Prometheus, which scrapes it,
 * fires the alert. The alerts are those of `deploy/prometheus/rules.yml` without their waiting times (`for`).
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openApi } from '../../src/app/api.ts';
import { readConfig } from '../../src/app/config.ts';
import { openMonitor, type ProcessMonitor } from '../../src/app/monitor.ts';
import { createProcessMetrics } from '../../src/app/process-metrics.ts';
import { openProbe } from '../../src/app/redis.ts';
import type { Running } from '../../src/app/running.ts';
import { openVerify } from '../../src/app/workers.ts';
import { freePort } from '../../src/dev/free-port.ts';
import { startTethered, type TetheredProcess } from '../../src/dev/tethered-process.ts';
import type { RedisProbe } from '../../src/redis/probe.ts';
import { PROMETHEUS } from '../support/monitoring-files.ts';
import { prometheus } from '../support/promtool.ts';
import { type Server, startServer } from '../support/redis-servers.ts';
import { createRig, HOME, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const SOON = { timeout: 60_000, interval: 250 };
const home = join(HOME, `alerts-${process.pid}`);

let redis: Server;
let rig: Rig;
let monitor: ProcessMonitor;
let probe: RedisProbe;
let worker: Running;
let api: Awaited<ReturnType<typeof openApi>>;
let server: TetheredProcess;
let url: string;

beforeAll(async () => {
  redis = await startServer({ dir: join(home, 'redis') });
  const env = {
    BESTFRAME_REDIS_URL: `redis://127.0.0.1:${redis.port}`,
    BESTFRAME_QPS_DETECT: '200',
    BESTFRAME_BACKOFF_MS: 'batch=20,interactive=20',
    BESTFRAME_BREAKER: 'failures=2,verifications=2',
    BESTFRAME_MONITOR_PORT: '0',
  };
  rig = await createRig({ env, emulator: { qps: {} } });
  const log = pino({ level: 'silent' });
  const config = readConfig(rig.env);
  const { registry, observer } = createProcessMetrics(config.metricsTenants);
  probe = openProbe(config);
  monitor = await openMonitor(config, { registry, log, probe });
  api = await openApi(config, log, observer);
  worker = await openVerify(config, log, observer);
  monitor.started([api, worker]);
  ({ server, url } = await startPrometheus(String(monitor.url)));
}, 120_000);
afterAll(async () => {
  await redis.admin.config('SET', 'maxmemory', '0');
  await server.stop();
  await monitor.close();
  probe.close();
  await Promise.all([api, worker].map((each) => each.stop(1_000)));
  await rig.dispose();
  await redis.stop();
  await rm(home, { recursive: true, force: true });
});

async function startPrometheus(target: string): Promise<{ server: TetheredProcess; url: string }> {
  const dir = join(home, 'prometheus');
  await mkdir(dir, { recursive: true });
  const rules = await readFile(join(PROMETHEUS, 'rules.yml'), 'utf8');
  await writeFile(join(dir, 'rules.yml'), rules.replaceAll(/^ +for: .*\n/gm, ''));
  const file = join(dir, 'prometheus.yml');
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [join(dir, 'rules.yml')],
    scrape_configs: [{ job_name: 'bestframe', static_configs: [{ targets: [new URL(target).host] }] }],
  };
  await writeFile(file, JSON.stringify(config)); // JSON is YAML
  const { path, env } = await prometheus();
  const port = await freePort();
  const args = [`--config.file=${file}`, `--storage.tsdb.path=${dir}/data`, `--web.listen-address=127.0.0.1:${port}`];
  return { server: startTethered(path, args, { dir, env }), url: `http://127.0.0.1:${port}` };
}

async function ask<T>(path: string): Promise<T> {
  return ((await (await fetch(`${url}/api/v1/${path}`)).json()) as { data: T }).data;
}

async function firing(): Promise<string[]> {
  const { alerts } = await ask<{ alerts: { labels: { alertname: string }; state: string }[] }>('alerts').catch(() => ({
    alerts: [],
  }));
  return alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels.alertname);
}

/** Enqueues verifications. @returns their ids */
async function enqueue(...keys: string[]): Promise<string[]> {
  const requests = await Promise.all(keys.map((key) => rig.request(key)));
  return (await rig.client.enqueueMany(requests)).map((result) => (result.status === 'refused' ? '' : result.id));
}

async function ended(...keys: string[]): Promise<void> {
  for (const id of await enqueue(...keys)) await rig.client.wait(id, { until: 'ended', timeoutMs: 60_000 });
}

/** Each breaks one thing, in an order in which none hides the next. */
const BREAKS: readonly [alert: string, what: string, breakIt: () => Promise<unknown>][] = [
  [
    'BestframeUnknownCodes',
    'Tencent answers a code that nobody knows',
    async () => {
      await rig.control.fault({ kind: 'error', action: DETECT, code: 'FailedOperation.BrandNew', times: null });
      await ended('unknown');
    },
  ],
  [
    'BestframeFailures',
    'Tencent refuses the parameters',
    async () => {
      await rig.control.clearFaults();
      await rig.control.fault({ kind: 'error', action: DETECT, code: 'InvalidParameterValue', times: null });
      await ended('refused-1');
      // A rate needs an increase between two scrapes, and the series is new.
      const seen = async () =>
        (await ask<{ result: unknown[] }>('query?query=bestframe_ended_total{state="failed"}')).result;
      await expect.poll(async () => (await seen()).length, SOON).toBeGreaterThan(0);
      await ended('refused-2');
    },
  ],
  [
    'BestframeThrottled',
    'Tencent throttles',
    async () => {
      await rig.control.clearFaults();
      await rig.control.fault({ kind: 'error', action: DETECT, code: 'RequestLimitExceeded', times: 2 });
      await ended('throttled');
    },
  ],
  [
    'BestframeDependencyDown',
    'COS takes no object',
    async () => {
      await rig.control.clearFaults();
      await rig.control.fault({ kind: 'status', service: 'cos', action: 'PutObject', status: 503, times: null });
      await enqueue('cos-1', 'cos-2', 'cos-3', 'cos-4');
    },
  ],
  [
    'BestframeGateClosed',
    'the account is in arrears',
    async () => {
      await rig.control.clearFaults();
      await rig.control.settings({ accountError: 'ResourceUnavailable.InArrears' });
      await enqueue('arrears');
    },
  ],
  [
    'BestframeNoWorkers',
    'the last worker stops while work waits',
    async () => {
      await worker.stop(1_000);
      await enqueue('waiting');
    },
  ],
  [
    'BestframeRedisMemoryHigh',
    'Redis is nearly full',
    async () => {
      const [, used = ''] = /^used_memory:(\d+)/m.exec(await redis.admin.info('memory')) ?? [];
      await redis.admin.config('SET', 'maxmemory', String(Math.ceil(Number(used) * 1.1)));
    },
  ],
  ['BestframeRedisUnusable', 'Redis refuses writes', async () => redis.admin.config('SET', 'maxmemory', '1')],
  ['BestframeProcessNotReady', 'a process cannot write to Redis', async () => undefined],
  ['BestframeProcessDown', 'a process is gone', async () => monitor.close()],
];

it('no alert fires while all is well', { timeout: 120_000 }, async () => {
  await ended('well-1', 'well-2');
  const count = async () => (await ask<{ result: unknown[] }>('query?query=count_over_time(up[1m])>5')).result.length;
  await expect.poll(() => count().catch(() => 0), SOON).toBeGreaterThan(0);
  expect(await firing()).toEqual([]);
});

it.each(BREAKS)('%s fires when %s', { timeout: 120_000 }, async (alert, _what, breakIt) => {
  await breakIt();
  await expect.poll(firing, SOON).toContain(alert);
});
