/** Tests the entry points of worker processes, their reaction to SIGTERM, and their logs. */
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startWorker } from '../../src/dev/worker-process.ts';
import { cli, startCli } from '../support/cli.ts';
import { createWorld, DIST, type TestWorld } from '../support/world.ts';

let world: TestWorld;

beforeAll(async () => {
  world = await createWorld({ workers: 0 });
});
afterAll(() => world.dispose());

it.each(['verify', 'erase', 'notify', 'all'] as const)(
  'workers/%s.js logs when it is ready, and SIGTERM ends it cleanly',
  async (role) => {
    const lines: string[] = [];
    const worker = await startWorker(role, {
      dir: `${DIST}/workers/`,
      env: { ...world.env, BESTFRAME_LOG: 'json' },
      onLog: (line) => lines.push(line),
    });
    expect(await worker.stop(20_000)).toBe(0);
    const events = lines.map((line) => JSON.parse(line).event);
    expect(events).toContain('ready');
    expect(events.slice(-2)).toEqual(['draining', 'stopped']);
  },
);

it('bestframe start all logs each stage change, and finishes running work after SIGTERM', async () => {
  const running = startCli(['start', 'all'], { ...world.env, BESTFRAME_LOG: 'json' });
  const lines: Record<string, unknown>[] = [];
  if (running.child.stderr !== null)
    createInterface({ input: running.child.stderr }).on('line', (line) => lines.push(JSON.parse(line)));
  const object = world.client.idOf('drained');
  const hold = await world.control.fault({ kind: 'hold', action: 'DetectReflectLivenessAndCompare', object });
  const { id } = await world.client.enqueue(await world.request('drained'));
  await world.control.waitFor({ event: 'held', object });
  running.child.kill('SIGTERM');
  await expect.poll(() => lines.some(({ event }) => event === 'draining')).toBe(true);
  await world.control.release(hold);
  expect((await running.result).code).toBe(0);
  expect(await world.client.get(id)).toMatchObject({ state: 'completed', frame: 'stored' });
  const stages = lines.filter((line) => line.id === id && line.event === 'done').map(({ stage }) => stage);
  expect(stages).toEqual(['upload', 'md5', 'detect', 'download']);
});

it('after its drain deadline a worker exits with code 3, and another worker finishes the verification', async () => {
  const running = startCli(['start', 'verify'], {
    ...world.env,
    BESTFRAME_LOG: 'json',
    BESTFRAME_DRAIN_MS: '500',
    BESTFRAME_LEASE_MS: '2000',
  });
  const object = world.client.idOf('undrained');
  const hold = await world.control.fault({ kind: 'hold', service: 'cos', action: 'PutObject', object });
  const { id } = await world.client.enqueue(await world.request('undrained'));
  await world.control.waitFor({ event: 'held', object });
  running.child.kill('SIGTERM');
  expect((await running.result).code).toBe(3);
  await world.control.release(hold);
  const worker = await startWorker('verify', {
    dir: `${DIST}/workers/`,
    env: { ...world.env, BESTFRAME_LEASE_MS: '2000' },
  });
  expect(await world.client.wait(id, { until: 'ended', timeoutMs: 60_000 })).toMatchObject({
    state: 'completed',
    decision: 'match',
  });
  await worker.stop(20_000);
});

it('a worker without Redis reports the error and exits', async () => {
  const { code, stderr } = await cli(['start', 'verify'], { ...world.env, BESTFRAME_REDIS_URL: 'redis://127.0.0.1:1' });
  expect(code).toBe(2);
  expect(stderr).toContain('REDIS_UNAVAILABLE');
});
