/**
 * Tests what every kind of process logs while Redis is away, what happens when nobody reads its output, and how its level is changed.
 */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWorker, type WorkerRole } from '../../src/dev/worker-process.ts';
import { startCli } from '../support/cli.ts';
import { type Server, startServer } from '../support/redis-servers.ts';
import { createRig, HOME, type Rig } from '../support/rig.ts';
import { DIST } from '../support/world.ts';

const DIR = join(HOME, `log-${process.pid}`);
const SOON = { timeout: 30_000, interval: 50 };

let redis: Server;
let rig: Rig;

beforeAll(async () => {
  redis = await startServer({ dir: DIR });
  rig = await createRig({ env: { BESTFRAME_REDIS_URL: `redis://127.0.0.1:${redis.port}` } });
});
afterAll(async () => {
  await rig.dispose();
  await redis.stop();
  await rm(DIR, { recursive: true });
});

interface Logged {
  readonly lines: Record<string, unknown>[];
  stop(): Promise<number | null>;
}

function settings(more: Record<string, string> = {}): Record<string, string> {
  return { ...rig.env, BESTFRAME_LOG: 'json', BESTFRAME_LOG_LEVEL: 'info', ...more };
}

/** Every line on stderr must be JSON: a library that writes there by itself fails the test. */
async function start(role: WorkerRole | 'site'): Promise<Logged> {
  const lines: Record<string, unknown>[] = [];
  const onLog = (line: string) => void lines.push(JSON.parse(line));
  if (role !== 'site') {
    const worker = await startWorker(role, { dir: `${DIST}/workers/`, env: settings(), onLog });
    return { lines, stop: () => worker.stop(60_000) };
  }
  const site = { BESTFRAME_DASHBOARD_USER: 'operator', BESTFRAME_DASHBOARD_PASSWORD: 'open-sesame' };
  const { child, result, onErrorLine } = startCli(['dashboard'], settings({ ...site, BESTFRAME_DASHBOARD_PORT: '0' }));
  onErrorLine(onLog);
  await expect.poll(() => lines.some(({ event }) => event === 'ready'), SOON).toBe(true);
  return {
    lines,
    stop: async () => {
      child.kill('SIGTERM');
      return (await result).code;
    },
  };
}

const ofRedis = ({ lines }: Logged) => lines.filter(({ event }) => String(event).startsWith('redis_'));

describe.each(['verify', 'erase', 'notify', 'all', 'api', 'site'] as const)('a process: %s', (role) => {
  it('says once in words that Redis is unusable, and once that it is usable again', async () => {
    const logged = await start(role);
    const unusable = (words: string) => ({
      level: 'error',
      event: 'redis_unusable',
      reason: expect.stringContaining(words),
      msg: expect.stringContaining(words),
    });
    const usable = {
      level: 'info',
      event: 'redis_usable',
      ms: expect.any(Number),
      msg: expect.stringMatching(/usable again, after \d+\.\d s$/),
    };
    const expected: object[] = [];

    await redis.kill();
    try {
      expected.push(unusable('cannot be reached'));
      await expect.poll(() => ofRedis(logged), SOON).toMatchObject(expected);
    } finally {
      await redis.restart();
    }
    expected.push(usable);
    await expect.poll(() => ofRedis(logged), SOON).toMatchObject(expected);

    await redis.admin.config('SET', 'maxmemory', '1');
    try {
      expected.push(unusable('out of memory'));
      await expect.poll(() => ofRedis(logged), SOON).toMatchObject(expected);
    } finally {
      await redis.admin.config('SET', 'maxmemory', '0');
    }
    expected.push(usable);
    await expect.poll(() => ofRedis(logged), SOON).toMatchObject(expected);

    expect(await logged.stop()).toBe(0);
    expect(ofRedis(logged)).toMatchObject(expected);
    const others = logged.lines.filter((line) => !ofRedis(logged).includes(line) && line.level !== 'info');
    expect(others.map(({ event }) => event).filter((event) => event !== 'periodic_task_failed')).toEqual([]);
  });
});

it.each(['json', 'pretty'])('a worker drains when the reader of its log goes away: %s', async (style) => {
  const env = settings({ BESTFRAME_LOG: style, BESTFRAME_LOG_LEVEL: 'debug' });
  const { child, result } = startCli(['start', 'erase'], env);
  let text = '';
  child.stderr?.on('data', (more: string) => {
    text += more;
  });
  await expect.poll(() => text, SOON).toContain('worker ready');
  child.stderr?.destroy();
  await redis.kill(); // so that it has something to log
  try {
    expect((await result).code).toBe(0);
  } finally {
    await redis.restart();
  }
});

it('a command ends without a word when the reader of its output goes away', async () => {
  const main = join(DIST, 'src', 'cli', 'main.js');
  const script = `{ "$0" "${main}" errors; echo "code $?" >&2; } | true`;
  const { stdout, stderr } = await promisify(execFile)('sh', ['-c', script, process.execPath]);
  expect(stdout).toBe('');
  expect(stderr).toBe('code 141\n');
});

it('SIGUSR2 switches the log to debug, also of loggers that exist already, and back', async () => {
  const lines: Record<string, unknown>[] = [];
  const onLog = (line: string) => void lines.push(JSON.parse(line));
  const env = settings({ BESTFRAME_LOG_LEVEL: 'warn' });
  const worker = await startWorker('verify', { dir: `${DIST}/workers/`, env, onLog });
  const levels = () => lines.filter(({ event }) => event === 'log_level').map(({ logLevel }) => logLevel);
  const switchTo = async (expected: string[]) => {
    worker.kill('SIGUSR2');
    await expect.poll(levels, SOON).toEqual(expected);
  };
  const verify = async (name: string) => {
    const { id } = await rig.client.enqueue(await rig.request(name));
    await rig.client.wait(id, { until: 'ended', timeoutMs: 60_000 });
    // The last line may follow the switch, because a client sees the end before it is logged.
    return () => lines.filter((line) => line.id === id && line.event !== 'ended').map(({ level }) => level);
  };

  const quiet = await verify('quiet');
  await switchTo(['debug']);
  const loud = await verify('loud');
  await expect.poll(loud, SOON).toEqual(expect.arrayContaining(['debug', 'info']));
  await switchTo(['debug', 'warn']);
  const quietAgain = await verify('quiet-again');
  expect(await worker.stop(60_000)).toBe(0);
  expect([quiet(), quietAgain()]).toEqual([[], []]);
});
