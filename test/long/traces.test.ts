/** Tests the spans that the processes of a deployment export to a collector, and what no span may contain. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiKeys } from '../../src/client/redis/api-keys.ts';
import { startWorker, type WorkerProcess, type WorkerRole } from '../../src/dev/worker-process.ts';
import { SPAN_FACTS } from '../../src/domain/operations/tracing.ts';
import { startPrometheus } from '../support/prometheus.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { createWorld, DIST, ROOT, type TestWorld } from '../support/world.ts';

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, string | number>>;
}
interface ExportedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: readonly Attribute[];
  readonly status: { readonly code?: number; readonly message?: string };
}
interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly ExportedSpan[] }[];
  }[];
}
type Exemplars = readonly { readonly exemplars: readonly { readonly labels: { readonly trace_id: string } }[] }[];
type Span = ExportedSpan & { readonly service: string; readonly facts: Readonly<Record<string, string | number>> };

const run = promisify(execFile);
const SOON = { timeout: 30_000 };
const STAGES = ['upload', 'md5', 'detect', 'download'];
const DETECT = 'DetectReflectLivenessAndCompare';

let world: TestWorld;
let receiver: Receiver;
let collector: Server;
let apiUrl = '';
let key = '';
let env: Record<string, string>;
/** What the collector received, as JSON and as protobuf. */
const bodies: string[] = [];
const binaries: string[] = [];
const lines: Record<string, unknown>[] = [];
const started: WorkerProcess[] = [];

beforeAll(async () => {
  world = await createWorld({ workers: 0, settings: { BESTFRAME_WEBHOOK_ALLOW: 'localhost' } });
  receiver = await startReceiver(world.dir);
  collector = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request.setEncoding('utf8')) body += piece;
    (request.headers['content-type'] === 'application/json' ? bodies : binaries).push(body);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const { port } = collector.address() as AddressInfo;
  env = {
    ...world.env,
    BESTFRAME_LOG: 'json',
    BESTFRAME_API_PORT: '0',
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  };
  const keys = new ApiKeys(world.config.redis, world.config.prefix);
  const scopes = ['submit', 'read'] as const;
  const created = { tenant: 'default', name: 'shop', scopes, mode: 'test', perSecond: 100, lifeMs: null } as const;
  key = (await keys.create(created)).secret;
  await keys.close();
  await world.client.webhooks.add({ name: 'shop', url: receiver.url('/shop?token=hush') });
});
afterAll(async () => {
  await stopAll();
  await world.dispose();
  await receiver.close();
  collector.close();
});

async function start(role: WorkerRole, more: Record<string, string> = {}): Promise<WorkerProcess> {
  const onLog = (line: string) => lines.push(JSON.parse(line));
  const worker = await startWorker(role, { dir: join(DIST, 'workers/'), env: { ...env, ...more }, onLog });
  started.push(worker);
  return worker;
}

/** Spans are also exported at the end of a process, so a test that has stopped all processes has seen all spans. */
async function stopAll(): Promise<void> {
  await Promise.all(started.splice(0).map((worker) => worker.stop(10_000)));
}

function valuesOf(attributes: readonly Attribute[]): Record<string, string | number> {
  return Object.fromEntries(attributes.map(({ key: name, value }) => [name, Object.values(value)[0] ?? '']));
}

function spans(): Span[] {
  const exported = bodies.flatMap((body) => (JSON.parse(body) as Export).resourceSpans);
  return exported.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap((scope) =>
      scope.spans.map((span) => ({
        ...span,
        service: String(valuesOf(resource.attributes)['service.name']),
        facts: valuesOf(span.attributes),
      })),
    ),
  );
}

/** Each span as `service: name`, below its parent. Fails if a span has no parent in the trace, apart from the first one. */
function treeOf(traceId: string): Record<string, string[]> {
  const all = spans().filter((span) => span.traceId === traceId);
  const nameOf = ({ service, name }: Span) => `${service}: ${name}`;
  const tree: Record<string, string[]> = {};
  for (const span of all) {
    const parent = all.find(({ spanId }) => spanId === span.parentSpanId);
    if (parent === undefined && span.parentSpanId !== undefined) throw new Error(`${nameOf(span)} has no parent`);
    const above = parent === undefined ? 'none' : nameOf(parent);
    tree[above] = [...new Set([...(tree[above] ?? []), nameOf(span)])].sort();
  }
  return tree;
}

async function runOne(name: string): Promise<void> {
  const { id } = await world.client.enqueue(await world.request(name));
  expect(await world.client.wait(id, { until: 'ended', timeoutMs: 30_000 })).toMatchObject({ state: 'completed' });
}

async function md5Of(path: string): Promise<string> {
  return createHash('md5')
    .update(await readFile(path))
    .digest('hex');
}

it('a bucket of a histogram leads to an exported trace: Prometheus stores its id as an exemplar', async () => {
  const prometheus = await startPrometheus({
    dir: join(world.dir, 'prometheus'),
    flags: ['--enable-feature=exemplar-storage'],
  });
  try {
    await start('verify', { BESTFRAME_MONITOR_PORT: '0' });
    await prometheus.scrape(String(lines.find(({ event }) => event === 'monitor_ready')?.address));
    await runOne('exemplar');
    const traceIds = async () => {
      const query = `query=${encodeURIComponent('bestframe_vendor_call_seconds_bucket')}&start=0&end=${Date.now() / 1_000}`;
      const { data = [] } = await prometheus.ask<Exemplars>(`query_exemplars?${query}`);
      return data.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.trace_id));
    };
    await expect.poll(() => traceIds().catch(() => []), SOON).toHaveLength(1);
    const [traceId] = await traceIds();
    // A counter has the same name in both formats.
    await expect.poll(() => prometheus.count('bestframe_ended_total'), SOON).toBe(1);
    await stopAll();
    expect(spans().map((span) => span.traceId)).toContain(traceId);
  } finally {
    await prometheus.stop();
  }
});

it('producer, API, verify worker and notify worker export one connected trace, and none contains a secret', async () => {
  await start('notify', { BESTFRAME_CA_FILE: receiver.caFile, NO_PROXY: 'localhost' });
  await start('api');
  const gone = await world.request('gone', { card: 'match' }, { webhook: 'shop' });
  const failing = await world.client.enqueue(gone);
  await rm((gone.resources.image as { path: string }).path);
  await start('verify', { NODE_EXTRA_CA_CERTS: world.emulator.caFile });
  apiUrl = String(lines.find(({ event, address }) => event === 'ready' && address !== undefined)?.address);
  const overHttp = await world.request('over-http', { card: 'match' }, { webhook: 'shop' });
  const overRedis = await world.request('over-redis', { card: 'match' }, { webhook: 'shop' });
  const { redisUrl: redis, config } = world;
  const task = { api: apiUrl, key, redis, prefix: config.prefix, namespace: config.namespace, overHttp, overRedis };
  const { stdout } = await run(process.execPath, [join(ROOT, 'test', 'support', 'traced-producer.mjs')], {
    env: { PATH: process.env.PATH, ...env, TASK: JSON.stringify(task) },
  });
  const ids = JSON.parse(stdout) as { overHttp: string; overRedis: string };
  const told = await Promise.all(
    [ids.overHttp, ids.overRedis, failing.id].map((id) =>
      receiver.waitFor(({ data, type }) => data.id === id && /completed|failed/.test(type)),
    ),
  );
  await stopAll();

  const views = await Promise.all([ids.overHttp, ids.overRedis].map((id) => world.client.get(id)));
  const [httpTrace = '', redisTrace = ''] = views.map((view) => view?.traceId ?? '');
  const below = {
    'bestframe-verify: bestframe attempt': STAGES.map((stage) => `bestframe-verify: ${stage}`).sort(),
    'bestframe-verify: detect': [`bestframe-verify: ${DETECT}`],
  };
  const afterEnqueue = ['bestframe-notify: bestframe notify', 'bestframe-verify: bestframe attempt'];
  expect(treeOf(httpTrace)).toEqual({
    none: ['shop: checkout'],
    'shop: checkout': ['bestframe-api: bestframe enqueue'],
    'bestframe-api: bestframe enqueue': afterEnqueue,
    ...below,
  });
  expect(treeOf(redisTrace)).toEqual({
    none: ['shop: checkout'],
    'shop: checkout': ['shop: bestframe enqueue'],
    'shop: bestframe enqueue': afterEnqueue,
    ...below,
  });

  const call = spans().find(({ traceId, name }) => traceId === httpTrace && name === DETECT);
  expect(views[0]?.requestIds).toContain(call?.facts[SPAN_FACTS.requestId]);
  const deliveries = spans().filter(({ name }) => name === 'bestframe notify');
  expect(deliveries.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`)).toEqual(
    expect.arrayContaining(told.map(({ headers }) => headers.traceparent)),
  );
  const logged = lines.filter(({ id, event }) => id === ids.overHttp && event !== 'draining');
  expect(logged.length).toBeGreaterThan(5);
  expect(logged.filter(({ traceId }) => traceId !== httpTrace)).toEqual([]);
  const failed = spans().find(({ name, status }) => name === 'upload' && status.code === 2);
  expect(failed?.facts).toEqual({ [SPAN_FACTS.stage]: 'upload', [SPAN_FACTS.code]: 'SOURCE_MISSING' });
  expect(failed?.status).toEqual({ code: 2 });

  const own = spans().filter(({ name }) => name !== 'checkout');
  const names = new Set(own.flatMap(({ facts }) => Object.keys(facts)));
  expect([...names].filter((name) => !Object.values<string>(SPAN_FACTS).includes(name))).toEqual([]);
  const text = bodies.join('\n');
  const paths = [overHttp, overRedis].flatMap(({ resources }) =>
    Object.values(resources).map((source) => (source as { path: string }).path),
  );
  const forbidden = [
    ...['http:', 'https:', 'q-sign', 'hush', 'whsec_', 'over-http', 'over-redis', world.dir, key, ...paths],
    ...[config.namespace ?? '', env.TENCENTCLOUD_SECRET_ID ?? '', env.TENCENTCLOUD_SECRET_KEY ?? ''],
    ...(await Promise.all(paths.map(md5Of))),
    ...(views.map((view) => view?.bestFrame?.md5 ?? '') as string[]),
  ];
  expect(forbidden.filter((word) => word.length < 4)).toEqual([]);
  expect(forbidden.filter((word) => text.includes(word))).toEqual([]);
}, 120_000);

it.each([{ OTEL_SDK_DISABLED: 'true' }, { OTEL_TRACES_SAMPLER: 'always_off' }])(
  'with %j a process exports nothing',
  async (settings) => {
    const before = bodies.length;
    await start('verify', { ...settings, NODE_EXTRA_CA_CERTS: world.emulator.caFile });
    await runOne(Object.keys(settings).join());
    await stopAll();
    expect(bodies).toHaveLength(before);
  },
  120_000,
);

it('by default, spans are exported as protobuf, also under a given name of the service', async () => {
  const settings = { OTEL_EXPORTER_OTLP_PROTOCOL: '', OTEL_SERVICE_NAME: 'faces' };
  await start('verify', { ...settings, NODE_EXTRA_CA_CERTS: world.emulator.caFile });
  await runOne('binary');
  await stopAll();
  expect(binaries.join()).toMatch(/faces.*bestframe attempt/s);
}, 120_000);

it('a process works on if its collector is away', async () => {
  const quick = { OTEL_BSP_SCHEDULE_DELAY: '50', OTEL_EXPORTER_OTLP_TIMEOUT: '500' };
  const away = { ...quick, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' };
  const worker = await start('verify', { ...away, NODE_EXTRA_CA_CERTS: world.emulator.caFile });
  await runOne('away');
  await expect.poll(() => lines.some(({ event }) => event === 'traces_lost'), SOON).toBe(true);
  expect(await worker.stop(20_000)).toBe(0);
}, 120_000);
