/** Tests the monitor port of every kind of process, and their end while Redis is away or a worker is wedged. */
import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWorker, type WorkerOptions, type WorkerRole } from '../../src/dev/worker-process.ts';
import { startCli } from '../support/cli.ts';
import { type Server, startServer } from '../support/redis-servers.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { DIST } from '../support/world.ts';

const SITE = { BESTFRAME_DASHBOARD_USER: 'operator', BESTFRAME_DASHBOARD_PASSWORD: 'open-sesame' };
const SOON = { timeout: 30_000, interval: 100 };

let redis: Server;
let rig: Rig;

beforeAll(async () => {
  redis = await startServer({ dir: join(import.meta.dirname, '..', '..', '.bestframe', `health-${process.pid}`) });
  rig = await createRig({ env: { BESTFRAME_REDIS_URL: `redis://127.0.0.1:${redis.port}` } });
});
afterAll(async () => {
  await rig.dispose();
  await redis.stop();
  await rm(join(import.meta.dirname, '..', '..', '.bestframe', `health-${process.pid}`), { recursive: true });
});

interface Monitored {
  readonly url: string;
  /** The events of its log. */
  readonly lines: Record<string, unknown>[];
  stop(): Promise<number | null>;
  readonly exited: Promise<number | null>;
}

function settings(more: Record<string, string> = {}): Record<string, string> {
  return {
    ...rig.env,
    ...SITE,
    BESTFRAME_DASHBOARD_PORT: '0',
    BESTFRAME_MONITOR_PORT: '0',
    BESTFRAME_DRAIN_MS: '600000', // longer than the test: an idle process must not wait for it
    BESTFRAME_LOG: 'json',
    ...more,
  };
}

async function start(
  role: WorkerRole | 'site',
  { env = {}, ...options }: Partial<WorkerOptions> & { readonly env?: Record<string, string> } = {},
): Promise<Monitored> {
  const lines: Record<string, unknown>[] = [];
  const onLog = (line: string) => void lines.push(JSON.parse(line));
  const address = () => String(lines.find(({ event }) => event === 'monitor_ready')?.address);
  if (role !== 'site') {
    const worker = await startWorker(role, { dir: `${DIST}/workers/`, env: settings(env), onLog, ...options });
    return { url: address(), lines, exited: worker.exited, stop: () => worker.stop(60_000) };
  }
  const { child, result, onErrorLine } = startCli(['dashboard'], settings(env));
  onErrorLine(onLog);
  await expect.poll(() => lines.some(({ event }) => event === 'ready'), SOON).toBe(true);
  const exited = result.then(({ code }) => code);
  const stop = () => {
    child.kill('SIGTERM');
    return exited;
  };
  return { url: address(), lines, exited, stop };
}

async function ask(url: string, path: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${url}${path}`);
  return { status: answer.status, text: await answer.text() };
}

describe.each(['verify', 'erase', 'notify', 'all', 'api', 'site'] as const)('a process: %s', (role) => {
  it('serves its health and metrics, says in words what Redis lacks, and ends at once while Redis is away', async () => {
    const { url, lines, stop } = await start(role);
    const fine = { status: 200, text: '{"status":"ok"}\n' };
    expect(await ask(url, '/livez')).toEqual(fine);
    expect(await ask(url, '/readyz')).toEqual(fine);
    const metrics = await ask(url, '/metrics');
    expect(metrics.text).toMatch(/^bestframe_process_ready 1$/m);
    expect(metrics.text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
    expect(metrics.text.includes('bestframe_live ')).toBe(role === 'api' || role === 'site');
    expect(await ask(url, '/other')).toMatchObject({ status: 404 });
    expect((await fetch(`${url}/readyz`, { method: 'POST' })).status).toBe(405);

    await redis.admin.config('SET', 'maxmemory', '1');
    try {
      await expect
        .poll(() => ask(url, '/readyz'), SOON)
        .toMatchObject({
          status: 503,
          text: expect.stringContaining('out of memory'),
        });
      expect((await ask(url, '/metrics')).text).toMatch(/^bestframe_redis_usable 0$/m);
    } finally {
      await redis.admin.config('SET', 'maxmemory', '0');
    }
    await expect.poll(() => ask(url, '/readyz'), SOON).toEqual(fine);

    process.kill(redis.pid, 'SIGSTOP');
    try {
      expect(await ask(url, '/readyz')).toMatchObject({ status: 503, text: expect.stringContaining('did not answer') });
      expect(await ask(url, '/livez')).toEqual(fine);
    } finally {
      process.kill(redis.pid, 'SIGCONT');
    }
    await expect.poll(() => ask(url, '/readyz'), SOON).toEqual(fine);

    await redis.kill();
    try {
      await expect
        .poll(() => ask(url, '/readyz'), SOON)
        .toMatchObject({
          status: 503,
          text: expect.stringContaining('cannot be reached'),
        });
      expect(await stop()).toBe(0);
      expect(lines.map(({ event }) => event)).toContain('stopped');
    } finally {
      await redis.restart();
    }
  });
});

it.each(['all', 'api', 'site'] as const)('an idle process ends while Redis hangs: %s', async (role) => {
  const { stop } = await start(role);
  process.kill(redis.pid, 'SIGSTOP');
  try {
    expect(await stop()).toBe(0);
  } finally {
    process.kill(redis.pid, 'SIGCONT');
  }
});

it('a draining worker is not ready, and still alive', async () => {
  const { url, lines, stop } = await start('verify');
  const object = rig.client.idOf('drains');
  const hold = await rig.control.fault({ kind: 'hold', action: 'DetectReflectLivenessAndCompare', object });
  await rig.client.enqueue(await rig.request('drains'));
  await rig.control.waitFor({ event: 'held', object });
  const stopped = stop();
  await expect.poll(() => lines.some(({ event }) => event === 'draining')).toBe(true);
  expect(await ask(url, '/readyz')).toMatchObject({ status: 503, text: expect.stringContaining('draining') });
  expect(await ask(url, '/livez')).toMatchObject({ status: 200 });
  await rig.control.release(hold);
  expect(await stopped).toBe(0);
});

it('a worker with running work ends soon after its drain deadline while Redis is away', async () => {
  const { stop } = await start('verify', { env: { BESTFRAME_DRAIN_MS: '500' } });
  const object = rig.client.idOf('cut-off');
  const hold = await rig.control.fault({ kind: 'hold', service: 'cos', action: 'PutObject', object });
  const { id } = await rig.client.enqueue(await rig.request('cut-off'));
  await rig.control.waitFor({ event: 'held', object });
  await redis.kill();
  try {
    expect(await stop()).toBe(3);
  } finally {
    await redis.restart();
  }
  await rig.control.release(hold);
  const next = await start('verify');
  await expect.poll(async () => (await rig.client.get(id))?.state, SOON).toBe('completed');
  await next.stop();
});

it("the image's health check succeeds while the process answers", async () => {
  const dockerfile = await readFile(join(import.meta.dirname, '..', '..', 'Dockerfile'), 'utf8');
  const [, text = ''] = /^HEALTHCHECK .* CMD (\[.*\])$/m.exec(dockerfile) ?? [];
  const [, ...args] = JSON.parse(text) as string[];
  const { url, stop } = await start('notify');
  const check = () =>
    promisify(execFile)(process.execPath, args, { env: { BESTFRAME_MONITOR_PORT: new URL(url).port } });
  await check();
  await stop();
  await expect(check()).rejects.toMatchObject({ code: 1 });
});

it('a worker whose machine has a fault is not ready, and says why', async () => {
  const root = join(rig.dir, 'mounted');
  const { url, stop } = await start('verify', { env: { BESTFRAME_FILE_ROOTS: root } });
  expect(await ask(url, '/readyz')).toMatchObject({
    status: 503,
    text: expect.stringContaining('BESTFRAME_FILE_ROOTS'),
  });
  await stop();
});

it('a closed gate does not make a worker unready', async () => {
  const { url, stop } = await start('verify');
  const place = { region: 'ap-singapore', action: 'DetectReflectLivenessAndCompare' } as const;
  await rig.client.steerGate(place, 'close', { by: 'maria', why: 'test' });
  expect(await ask(url, '/readyz')).toMatchObject({ status: 200 });
  await rig.client.steerGate(place, 'open', { by: 'maria', why: 'test' });
  await stop();
});

it('a worker that takes nothing although work waits says so and exits with code 4', async () => {
  const preload = join(rig.dir, 'never-runs.mjs');
  await writeFile(
    preload,
    "import { Worker } from 'bullmq';\nWorker.prototype.run = () => new Promise(() => undefined);\n",
  );
  const env = { BESTFRAME_WEDGED_SECONDS: '2' };
  const { lines, exited } = await start('verify', { env, nodeArgs: ['--import', preload] });
  const waits = await rig.client.enqueue(await rig.request('never-taken'));
  expect(await exited).toBe(4);
  expect(lines).toContainEqual(expect.objectContaining({ event: 'worker_wedged', queue: 'verify-ap-singapore' }));
  const next = await start('verify');
  expect(await rig.client.wait(waits.id, { until: 'ended' })).toMatchObject({ state: 'completed' });
  await next.stop();
});

it('a monitor port that is in use is named at start', async () => {
  const { url, stop } = await start('notify');
  const { port } = new URL(url);
  const { code, stderr } = await startCli(['start', 'notify'], settings({ BESTFRAME_MONITOR_PORT: port })).result;
  expect(code).toBe(2);
  expect(stderr).toContain('BESTFRAME_MONITOR_PORT');
  await stop();
});
