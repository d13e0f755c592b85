/**
 * Tests webhooks while workers are killed between a decision and its delivery. Other workers must continue, and every repeated
 * delivery must have the same id.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWorker, type WorkerProcess } from '../../src/dev/worker-process.ts';
import { cli } from '../support/cli.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { createWorld, DIST, ROOT, type TestWorld } from '../support/world.ts';

let world: TestWorld;
let receiver: Receiver;
let env: Record<string, string>;
const started: WorkerProcess[] = [];

const PRELOAD = join(ROOT, 'test', 'chaos', 'preload.mjs');

beforeAll(async () => {
  world = await createWorld({ workers: 0, settings: { BESTFRAME_WEBHOOK_ALLOW: 'localhost' } });
  receiver = await startReceiver(world.dir);
  env = {
    ...world.env,
    BESTFRAME_CA_FILE: receiver.caFile,
    NO_PROXY: 'localhost',
    BESTFRAME_LOG: 'json',
  };
});
afterAll(async () => {
  await Promise.all(started.map((worker) => worker.stop(5_000)));
  await world.dispose();
  await receiver.close();
});

/** @param killedAt a named point, see test/chaos/preload.mjs */
async function start(role: 'verify' | 'notify', killedAt?: string): Promise<WorkerProcess> {
  const dir = join(DIST, 'workers/');
  const chaos = JSON.stringify({ hooks: killedAt === undefined ? [] : [{ at: killedAt, nth: 1, act: 'kill' }] });
  const own = role === 'notify' ? env : world.env;
  const worker = await startWorker(role, { env: { ...own, CHAOS: chaos }, dir, nodeArgs: ['--import', PRELOAD] });
  started.push(worker);
  return worker;
}

const at = (path: string) => receiver.at(path).map(({ id, type }) => `${id} ${type}`);

test.each([
  'script:record-outcome:after', // the decision is recorded, but no notification is queued
  'script:settle:after', // the end is recorded, but no notification is queued
])('after a verify worker is killed at %s, the next worker or the sweeper queues the notification', async (point) => {
  const name = point.split(':')[1] ?? '';
  const path = `/${name}`;
  await world.client.webhooks.add({ name, url: receiver.url(path) });
  const killed = await start('verify', point);
  const { id } = await world.client.enqueue(await world.request(name, { card: 'match' }, { webhook: name }));
  await killed.exited;
  const notifier = await start('notify');
  const next = await start('verify');
  const told = [`notify-${id}-decided verification.decided`, `notify-${id}-ended verification.completed`];
  await expect.poll(() => [...new Set(at(path))].sort(), { timeout: 60_000 }).toEqual(told);
  expect(await world.client.get(id)).toMatchObject({ state: 'completed', paidCalls: 1 });
  for (const worker of [notifier, next]) await worker.stop(10_000);
});

test('the command line reads a secret from stdin, and never from its arguments', async () => {
  const secret = `whsec_${Buffer.from('a secret of at least 24 bytes').toString('base64')}`;
  const add = ['webhooks', 'add', 'own-secret', receiver.url('/own'), '--json'];
  const added = await cli([...add, '--secret-file', '-'], env, `${secret}\n`);
  expect(JSON.parse(added.stdout)).toMatchObject({ name: 'own-secret', secret });
  expect(await cli([...add, '--secret-file', '/does/not/exist'], env)).toMatchObject({ code: 2, stdout: '' });
  expect(await cli([...add, '--secret', secret], env)).toMatchObject({ code: 2, stdout: '' });
  await world.client.webhooks.remove('own-secret');
});

test('after a notify worker is killed during a delivery, another one delivers under the same id', async () => {
  await start('verify');
  const added = await cli(['webhooks', 'add', 'shop', receiver.url('/shop'), '--events', 'decided', '--json'], env);
  expect(added).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(added.stdout)).toMatchObject({ name: 'shop', secret: expect.stringMatching(/^whsec_/) });
  receiver.answer('/shop', (response) => {
    if (receiver.at('/shop').length > 1) response.writeHead(204).end(); // the first delivery gets no response
  });
  const first = await start('notify');
  const { id } = await world.client.enqueue(await world.request('killed', { card: 'match' }, { webhook: 'shop' }));
  const heard = await receiver.waitFor(({ path }) => path === '/shop');
  first.kill('SIGKILL');
  await first.exited;
  await start('notify');
  await expect.poll(() => receiver.at('/shop'), { timeout: 60_000 }).toHaveLength(2);
  expect(heard.id).toBe(`notify-${id}-decided`);
  expect(receiver.at('/shop')[1]).toMatchObject({ id: heard.id, data: { id, next: 'accept' } });
});

test('an operator manages endpoints and dead deliveries on the command line', async () => {
  const listed = await cli(['webhooks', 'list', '--json'], env);
  expect(JSON.parse(listed.stdout)).toMatchObject([
    { name: 'record-outcome' },
    { name: 'settle' },
    { name: 'shop', state: 'on', events: ['decided'], secrets: 1 },
  ]);
  expect(await cli(['webhooks', 'test', 'shop'], env)).toMatchObject({ code: 0, stdout: 'delivered\n' });
  receiver.answer('/shop', 410);
  expect(await cli(['webhooks', 'test', 'shop'], env)).toMatchObject({ code: 1, stdout: 'failed: WEBHOOK_DISABLED\n' });
  const { resources } = await world.request('gone');
  const paths = Object.values(resources).map((source) => (source?.from === 'file' ? source.path : ''));
  const args = [
    '--key',
    'gone',
    '--live-data',
    paths[0] ?? '',
    '--image',
    paths[1] ?? '',
    '--webhook',
    'shop',
    '--json',
  ];
  const { id } = JSON.parse((await cli(['enqueue', ...args], env)).stdout) as { id: string };
  await expect.poll(async () => (await cli(['webhooks', 'dead', '--json'], env)).stdout).toContain(id);
  receiver.answer('/shop', 204);
  expect(await cli(['webhooks', 'enable', 'shop'], env)).toMatchObject({ code: 0 });
  const redelivered = await cli(['webhooks', 'redeliver', '--endpoint', 'shop'], env);
  expect(redelivered).toMatchObject({ code: 0, stdout: `notify-${id}-decided  ok\n` });
  await receiver.waitFor(({ data, headers }) => data.id === id && headers['webhook-id'] === `notify-${id}-decided`);
  expect(await cli(['webhooks', 'redeliver', 'notify-nothing'], env)).toMatchObject({ code: 1 });
  const wrong = await cli(['webhooks', 'add', 'shop', 'http://shop.example/'], env);
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(/INVALID_WEBHOOK: url is not an https URL/) });
});
