/**
 * For each alert of `deploy/prometheus/rules.yml`, breaks one thing in a running deployment and waits until the distribution's
 * Prometheus, which scrapes it, fires the alert. Then it runs a command that the alert's page names, and reads the cause in its
 * output. The alerts have no waiting time (`for`) here.
 */
import { mkdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openApi } from '../../src/app/api.ts';
import { readConfig } from '../../src/app/config.ts';
import { openMonitor, type ProcessMonitor } from '../../src/app/monitor.ts';
import { createProcessMetrics } from '../../src/app/process-metrics.ts';
import { openProbe } from '../../src/app/redis.ts';
import type { Running } from '../../src/app/running.ts';
import { openErase, openNotify, openVerify } from '../../src/app/workers.ts';
import { freePort } from '../../src/dev/free-port.ts';
import { startWorker } from '../../src/dev/worker-process.ts';
import { createToken } from '../../src/domain/operations/api-keys.ts';
import { COPY_WITHIN_MS } from '../../src/domain/operations/evidence.ts';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import { sampleVideo } from '../../src/emulator/samples.ts';
import { followUpsOf, runsOf } from '../../src/redis/outbox.ts';
import type { RedisProbe } from '../../src/redis/probe.ts';
import { readJournal } from '../../src/redis/read-records.ts';
import { cancel } from '../../src/redis/scripts/cancel.ts';
import { cli } from '../support/cli.ts';
import { alerts, PROMETHEUS, ROOT } from '../support/monitoring-files.ts';
import { type RunningPrometheus, startPrometheus } from '../support/prometheus.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { type Server, startServer } from '../support/redis-servers.ts';
import { createRig, HOME, type Rig } from '../support/rig.ts';
import { DIST } from '../support/world.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const VIDEO = 'VideoLivenessCompare';
const PLACE = { region: 'ap-singapore', action: DETECT } as const;
const SOON = { timeout: 60_000, interval: 250 };
const BUDGET = 60;
const home = join(HOME, `alerts-${process.pid}`);

let redis: Server;
let rig: Rig;
let receiver: Receiver;
let monitor: ProcessMonitor;
let probe: RedisProbe;
let verify: Running;
let api: Awaited<ReturnType<typeof openApi>>;
let prometheus: RunningPrometheus;
let slow: Promise<string>;
let restarted: Promise<readonly (number | null)[]>;
const running: Running[] = [];

beforeAll(async () => {
  redis = await startServer({ dir: join(home, 'redis') });
  receiver = await startReceiver(home);
  const env = {
    BESTFRAME_REDIS_URL: `redis://127.0.0.1:${redis.port}`,
    BESTFRAME_QPS_DETECT: '200',
    BESTFRAME_BACKOFF_MS: 'batch=20,interactive=20',
    BESTFRAME_CALL_SECONDS: 'batch=3,interactive=15',
    BESTFRAME_BREAKER: 'failures=6,verifications=3',
    BESTFRAME_BUDGET: `day=${BUDGET}calls`,
    BESTFRAME_WEBHOOK_ALLOW: 'localhost',
    NO_PROXY: 'localhost',
    BESTFRAME_MONITOR_PORT: '0',
  };
  rig = await createRig({ env, emulator: { qps: {} } });
  const log = pino({ level: 'silent' });
  const config = readConfig(rig.env);
  const { registry, observer } = createProcessMetrics(config.metricsTenants);
  probe = openProbe(config);
  monitor = await openMonitor(config, { registry, log, probe });
  api = await openApi(config, log, observer);
  verify = await openVerify(config, log, observer);
  const trusting = readConfig({ ...rig.env, BESTFRAME_CA_FILE: receiver.caFile });
  const notify = await openNotify(trusting, log, observer, { waitsMs: [1_500], circuit: { failures: 3 } });
  running.push(api, verify, notify, await openErase(config, log));
  monitor.started(running);
  const rules = join(home, 'rules.yml');
  const text = await readFile(join(PROMETHEUS, 'rules.yml'), 'utf8');
  await writeFile(rules, text.replaceAll(/^ +for: .*\n/gm, ''));
  prometheus = await startPrometheus({ dir: join(home, 'prometheus'), rules, flags: ['--web.enable-admin-api'] });
  await prometheus.scrape(String(monitor.url));
}, 120_000);
afterAll(async () => {
  await redis.admin.config('SET', 'maxmemory', '0');
  await prometheus.stop();
  await monitor.close();
  probe.close();
  await Promise.all(running.map((each) => each.stop(1_000)));
  await rig.dispose();
  await receiver.close();
  await redis.stop();
  await rm(home, { recursive: true, force: true });
});

async function firing(): Promise<string[]> {
  return (await prometheus.alerts())
    .filter(({ state }) => state === 'firing')
    .map(({ labels }) => labels.alertname ?? '');
}

/** Resolves when Prometheus has seen a series for which the expression has a result. */
async function seen(expr: string): Promise<void> {
  await expect.poll(() => prometheus.count(expr), SOON).toBeGreaterThan(0);
}

async function enqueue(key: string, more: Partial<VerificationRequest> = {}): Promise<string> {
  return (await rig.client.enqueue({ ...(await rig.request(key)), ...more })).id;
}

async function ended(...keys: string[]): Promise<void> {
  const ids = await Promise.all(keys.map((key) => enqueue(key)));
  await Promise.all(ids.map((id) => rig.client.wait(id, { until: 'ended', timeoutMs: 60_000 })));
}

async function videoEnded(key: string): Promise<string> {
  const path = await rig.file(`${key}.mp4`, sampleVideo({ card: 'match', nonce: key }));
  const { resources, ...rest } = await rig.request(key);
  const { id } = await rig.client.enqueue({
    ...rest,
    action: VIDEO,
    resources: { video: { from: 'file', path }, image: resources.image },
    liveness: { type: 'SILENT' },
  } as VerificationRequest);
  await rig.client.wait(id, { until: 'ended', timeoutMs: 60_000 });
  return id;
}

/** Lets a verification be as old as if it had waited for so long. */
async function age(id: string, ms: number): Promise<void> {
  await rig.redis.zadd(rig.names.live, Date.now() - ms, id);
}

/** Ends a verification as a producer does that dies before it has queued what follows. */
async function cancelAndDie(id: string): Promise<void> {
  const record = await readJournal(rig.deployment, id);
  if (record === null) throw new Error('the record is missing');
  const end = { followUps: followUpsOf(record, 'outside'), seen: runsOf(record), expiryMs: 60_000 };
  expect(await cancel(rig.deployment, record, end)).toMatchObject({ status: 'cancelled' });
}

/** Kills a process five times, each time after Prometheus has seen it. @returns its exit codes; null if a signal killed it. */
async function restartAgainAndAgain(): Promise<(number | null)[]> {
  const port = await freePort();
  const instance = `127.0.0.1:${port}`;
  const env = { ...rig.env, BESTFRAME_MONITOR_PORT: String(port) };
  await prometheus.scrape(String(monitor.url), `http://${instance}`);
  const codes: (number | null)[] = [];
  for (let start = 0; start < 5; start += 1) {
    const startedAt = Date.now() / 1_000;
    const worker = await startWorker('notify', { dir: `${DIST}/workers/`, env });
    await seen(`process_start_time_seconds{instance="${instance}"} > ${Math.floor(startedAt) - 1}`);
    worker.kill('SIGKILL');
    codes.push(await worker.exited);
  }
  await prometheus.scrape(String(monitor.url));
  return codes;
}

/** Runs what a page names: a command of the product or of Redis, a request to a monitor port, a search in a log, or a query. */
async function run(command: string, id: unknown): Promise<string> {
  const [program = '', ...args] = command.replace('<id>', String(id)).split(' ');
  switch (program) {
    case 'bestframe': {
      const { stdout, stderr } = await cli(args, rig.env);
      return stdout + stderr;
    }
    case 'grep':
      return (await readFile(join(rig.dir, 'audit.log'), 'utf8'))
        .split('\n')
        .filter((line) => line.includes(args[0] ?? ''))
        .join('\n');
    case 'redis-cli':
      return JSON.stringify(await redis.admin.call(...(args as [string, ...string[]])));
    case 'curl': {
      const url = args.at(-1)?.replace('http://<host>:9464', String(monitor.url)) ?? '';
      return fetch(url).then(
        (answer) => answer.text(),
        (error: Error) => String(error.cause),
      );
    }
    default:
      return JSON.stringify((await prometheus.query(command)).data);
  }
}

interface Break {
  readonly alert: string;
  readonly what: string;
  /** May return the id of an example. */
  breakIt?(): Promise<unknown>;
  /** Repeated until the alert fires. */
  again?(): Promise<unknown>;
  /** A command of the alert's page, and what it says about the cause. */
  readonly look: readonly [command: string, cause: RegExp];
}

/** Each breaks one thing, in an order in which none hides the next. */
const BREAKS: readonly Break[] = [
  {
    alert: 'BestframeUnknownCodes',
    what: 'Tencent answers a code that nobody knows',
    breakIt: async () => {
      await rig.control.fault({ kind: 'error', action: DETECT, code: 'FailedOperation.BrandNew', times: null });
      await ended('unknown');
    },
    look: ['bestframe held', /FailedOperation\.BrandNew/],
  },
  {
    alert: 'BestframeHeld',
    what: 'the verification with this code is held',
    look: ['bestframe held', /FailedOperation\.BrandNew/],
  },
  {
    alert: 'BestframeFailures',
    what: 'Tencent refuses the parameters',
    breakIt: async () => {
      await rig.control.clearFaults();
      await rig.control.fault({ kind: 'error', action: DETECT, code: 'InvalidParameterValue', times: null });
      await ended('refused-1');
      // A rate needs an increase between two scrapes, and the series is new.
      await seen('bestframe_ended_total{state="failed"}');
      await ended('refused-2');
    },
    look: ['bestframe list --state failed', /failed .*InvalidParameterValue/],
  },
  {
    alert: 'BestframeThrottled',
    what: 'Tencent throttles',
    breakIt: async () => {
      await rig.control.clearFaults();
      await rig.control.fault({ kind: 'error', action: DETECT, code: 'RequestLimitExceeded', times: 2 });
      await ended('throttled');
    },
    look: ['bestframe gate status', /DetectReflectLivenessAndCompare +open .*times slower/],
  },
  {
    alert: 'BestframeReplyShapes',
    what: 'Tencent renames a field',
    breakIt: async () => {
      await rig.control.fault({ kind: 'shape', action: DETECT, move: { BestFrameUrl: 'FrameUrl' } });
      await ended('renamed');
    },
    look: ['bestframe list --code REPLY_SHAPE', /completed .*REPLY_SHAPE/],
  },
  {
    alert: 'BestframeUnknownOutcomes',
    what: 'answers to paid calls are lost',
    breakIt: async () => {
      await rig.control.fault({ kind: 'drop', action: DETECT, times: 4 });
      const ids = await Promise.all(['1', '2', '3', '4'].map((key) => enqueue(`lost-${key}`, { lane: 'batch' })));
      await Promise.all(ids.map((id) => rig.client.wait(id, { until: 'ended', timeoutMs: 60_000 })));
    },
    look: ['bestframe costs --by region', /ap-singapore +\d+ +[4-9]/],
  },
  {
    alert: 'BestframeDeadNotifications',
    what: 'an endpoint answers that it is gone',
    breakIt: async () => {
      receiver.answer('/gone', 410);
      await rig.client.webhooks.add({ name: 'gone', url: receiver.url('/gone') });
      await enqueue('told-gone', { webhook: 'gone' });
    },
    look: ['bestframe webhooks dead', /gone +WEBHOOK_DISABLED/],
  },
  {
    alert: 'BestframeWebhooksFailing',
    what: 'an endpoint answers errors',
    breakIt: async () => {
      receiver.answer('/broken', 500);
      await rig.client.webhooks.add({ name: 'broken', url: receiver.url('/broken') });
      await enqueue('told-broken', { webhook: 'broken' });
    },
    look: ['bestframe webhooks list', /broken .*resting: HTTP_5XX/],
  },
  {
    alert: 'BestframeVendorSlow',
    what: 'FaceID takes nine seconds',
    breakIt: () => slow,
    look: ['bestframe support <id>', /VideoLivenessCompare +Success, \d?[89]\d{3} ms/],
  },
  {
    alert: 'BestframeLoginsRefused',
    what: 'somebody guesses API keys',
    breakIt: async () => {
      const guess = () =>
        fetch(`${api.url}/v1/gate`, { headers: { authorization: `Bearer ${createToken('test').secret}` } });
      await Promise.all(Array.from({ length: 120 }, guess));
    },
    look: ['grep login.refused <audit log>', /"address":"127\.0\.0\.1"/],
  },
  {
    alert: 'BestframeBudgetNearlySpent',
    what: 'many calls are paid',
    breakIt: async () => {
      const { budgets } = (await rig.client.metrics()).costs;
      const missing = Math.floor(0.8 * BUDGET) + 1 - (budgets[0]?.spent ?? 0);
      await ended(...Array.from({ length: missing }, (_, index) => `paid-${index}`));
    },
    look: ['bestframe status', /\d+ of the 60 calls of this day are spent/],
  },
  {
    alert: 'BestframeErasureLate',
    what: 'the permission to delete objects is withdrawn',
    breakIt: async () => {
      const code = 'AccessDenied';
      await rig.control.fault({
        kind: 'error',
        service: 'cos',
        action: 'DeleteObject',
        code,
        status: 403,
        times: null,
      });
      await ended('stays-1');
      await seen('bestframe_to_erase > 0');
      // The alert looks at half an hour, in which all was well until now.
      await fetch(prometheus.url('admin/tsdb/delete_series?match[]=bestframe_to_erase'), { method: 'POST' });
      await seen('bestframe_to_erase > 0');
      await ended('stays-2');
    },
    look: ['bestframe doctor', /delete.*AccessDenied/],
  },
  {
    alert: 'BestframeEvidenceLate',
    what: 'a verification ended two hours ago, and its evidence is not copied',
    breakIt: async () => {
      await rig.redis.zadd(rig.names.copies, Date.now() + COPY_WITHIN_MS - 2 * 3_600_000, 'v-not-copied');
    },
    look: ['bestframe status', /evidence of 1 verification is not copied, for up to 2 h/],
  },
  {
    alert: 'BestframeMachineFault',
    what: 'the folder for frames becomes a file',
    breakIt: async () => {
      await rig.control.clearFaults();
      await rename(rig.config.framesDir, `${rig.config.framesDir}-away`);
      await writeFile(rig.config.framesDir, 'no folder');
    },
    look: ['bestframe status', /out of service \(SINK_UNWRITABLE\)/],
  },
  {
    alert: 'BestframeDependencyDown',
    what: 'COS takes no object',
    breakIt: async () => {
      await rm(rig.config.framesDir);
      await rename(`${rig.config.framesDir}-away`, rig.config.framesDir);
      await rig.control.fault({ kind: 'status', service: 'cos', action: 'PutObject', status: 503, times: null });
      await Promise.all(['cos-1', 'cos-2', 'cos-3', 'cos-4'].map((key) => enqueue(key)));
    },
    look: ['bestframe gate status', /ap-singapore .*put.* down .*HTTP_5XX/i],
  },
  {
    alert: 'BestframeGateClosed',
    what: 'the account is in arrears',
    breakIt: async () => {
      await rig.control.clearFaults();
      await rig.control.settings({ accountError: 'ResourceUnavailable.InArrears' });
      await enqueue('arrears');
    },
    look: ['bestframe gate status', /DetectReflectLivenessAndCompare +closed .*InArrears/],
  },
  {
    alert: 'BestframeNoWorkers',
    what: 'the last worker stops while work waits',
    breakIt: async () => {
      await rig.control.settings({ accountError: null });
      await rig.client.steerGate(PLACE, 'open', { by: 'ana', why: 'paid' });
      await verify.stop(1_000);
      await enqueue('waiting', { lane: 'interactive' });
    },
    look: ['bestframe status', /in ap-singapore, and no worker serves it/],
  },
  {
    alert: 'BestframeInteractiveLate',
    what: 'a person waits for a minute, because no worker runs',
    breakIt: async () => age(await enqueue('person', { lane: 'interactive' }), 61_000),
    look: ['bestframe status', /in ap-singapore, and no worker serves it/],
  },
  {
    alert: 'BestframeBatchLate',
    what: 'a batch waits for four hours, because no worker runs',
    breakIt: async () => age(await enqueue('batch', { lane: 'batch' }), 4 * 3_600_000 + 1_000),
    look: ['bestframe status', /in ap-singapore, and no worker serves it/],
  },
  {
    alert: 'BestframeOutboxStuck',
    what: 'producers die before they queue what follows, and no worker does it for them',
    breakIt: async () => {
      for (let index = 0; index < 11; index += 1)
        await cancelAndDie(await enqueue(`died-${index}`, { webhook: 'broken' }));
    },
    look: ['bestframe status', /in ap-singapore, and no worker serves it/],
  },
  {
    alert: 'BestframeWorkerRestarts',
    what: 'a process is killed again and again',
    breakIt: async () => expect(await restarted).toEqual([null, null, null, null, null]),
    look: ['changes(process_start_time_seconds[30m])', /"instance":"127\.0\.0\.1:\d+".*"[4-9]"/],
  },
  {
    alert: 'BestframeEventLoopSlow',
    what: 'a process is busy',
    again: async () => {
      const end = performance.now() + 900;
      while (performance.now() < end);
    },
    look: ['rate(process_cpu_seconds_total[1m])', /"instance":"127\.0\.0\.1:\d+".*"0\.\d+"/],
  },
  {
    alert: 'BestframeRedisNotDurable',
    what: 'Redis cannot write its snapshot',
    breakIt: async () => {
      await mkdir(join(home, 'redis', 'dump.rdb'));
      await redis.admin.bgsave();
    },
    look: ['redis-cli info persistence', /rdb_last_bgsave_status:err/],
  },
  {
    alert: 'BestframeRedisEvicts',
    what: 'Redis may evict keys, and its memory is full',
    breakIt: async () => {
      await rmdir(join(home, 'redis', 'dump.rdb'));
      await redis.admin.bgsave();
      for (let index = 0; index < 20; index += 1)
        await redis.admin.set(`other-program:${index}`, 'x'.repeat(100_000), 'PX', 600_000 - index);
      await redis.admin.config('SET', 'maxmemory-policy', 'volatile-ttl');
      await redis.admin.config('SET', 'maxmemory', String((await usedMemory()) - 500_000));
      await redis.admin.set('other-program:last', 'x');
    },
    look: ['bestframe doctor', /volatile-ttl: Redis may delete keys/],
  },
  {
    alert: 'BestframeRedisMemoryHigh',
    what: 'Redis is nearly full',
    breakIt: async () => {
      await redis.admin.config('SET', 'maxmemory-policy', 'noeviction');
      await redis.admin.config('SET', 'maxmemory', String(Math.ceil((await usedMemory()) * 1.1)));
    },
    look: ['bestframe metrics', /^bestframe_redis_max_memory_bytes \d+/m],
  },
  {
    alert: 'BestframeRedisUnusable',
    what: 'Redis refuses writes',
    breakIt: () => redis.admin.config('SET', 'maxmemory', '1'),
    look: ['bestframe status', /Redis is out of memory and refuses writes/],
  },
  {
    alert: 'BestframeProcessNotReady',
    what: 'a process cannot write to Redis',
    look: ['curl http://<host>:9464/readyz', /Redis is out of memory and refuses writes/],
  },
  {
    alert: 'BestframeHttpErrors',
    what: 'the API cannot write to Redis',
    again: () => fetch(`${api.url}/v1/gate`, { headers: { authorization: `Bearer ${createToken('test').secret}` } }),
    look: ['bestframe status', /Redis is out of memory and refuses writes/],
  },
  {
    alert: 'BestframeProcessDown',
    what: 'a process is gone',
    breakIt: () => monitor.close(),
    look: ['curl -m 5 http://<host>:9464/livez', /ECONNREFUSED/],
  },
];

async function usedMemory(): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.admin.info('memory'))?.[1]);
}

it('every alert has a break', () => {
  expect(BREAKS.map(({ alert }) => alert).sort()).toEqual(
    alerts()
      .map(({ name }) => name)
      .sort(),
  );
});

it('no alert fires while all is well', { timeout: 120_000 }, async () => {
  await Promise.all([ended('well-1', 'well-2'), videoEnded('well-3')]);
  await seen('count_over_time(up[1m]) > 5');
  expect(await firing()).toEqual([]);
  // Two breaks that take long begin now, beside the others.
  await rig.control.settings({ latencyMs: { [VIDEO]: 8_500 } });
  slow = Promise.all([videoEnded('slow-1'), videoEnded('slow-2')]).then(([id]) => id);
  restarted = restartAgainAndAgain();
});

it.each(BREAKS)('$alert fires when $what, and its page leads to the cause', { timeout: 120_000 }, async (each) => {
  const { alert, breakIt, again, look } = each;
  const id = await breakIt?.();
  const fires = async () => {
    await again?.();
    return firing();
  };
  await expect.poll(fires, SOON).toContain(alert);
  const [command, cause] = look;
  expect(await run(command, id)).toMatch(cause);
  const page = alerts().find(({ name }) => name === alert)?.runbook ?? '';
  expect(await readFile(join(ROOT, page), 'utf8')).toContain(`\`${command}\``);
});
