/** Runs `bestframe status` against deployments in different conditions. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { VERSION } from '../../src/domain/version.ts';
import { startCli } from '../support/cli.ts';
import { type Server, startServer } from '../support/redis-servers.ts';
import { createRig, HOME, type Rig } from '../support/rig.ts';

const dir = join(HOME, `status-${process.pid}`);
let redis: Server;
let rig: Rig;

beforeAll(async () => {
  redis = await startServer({ dir });
  rig = await createRig({ env: { BESTFRAME_REDIS_URL: `redis://127.0.0.1:${redis.port}` } });
});
afterAll(async () => {
  await rig.dispose();
  await redis.stop();
  await rm(dir, { recursive: true, force: true });
});

async function status() {
  const { code, stdout } = await startCli(['status', '--json'], rig.env).result;
  return { code, ...JSON.parse(stdout) };
}

it('is fine when nothing waits, and says when work waits without a worker', async () => {
  expect(await status()).toMatchObject({ code: 0, condition: 'fine', verdict: { kind: 'idle' }, findings: [] });
  const { id } = await rig.client.enqueue(await rig.request('waits'));
  expect(await status()).toMatchObject({
    ...{ code: 1, condition: 'down' },
    findings: [{ what: '1 verification waits in ap-singapore, and no worker serves it' }],
  });
  await rig.openWorker();
  await rig.client.wait(id, { until: 'ended' });
  expect(await status()).toMatchObject({ code: 0, condition: 'fine', recent: { decisions: { match: 1 } } });
  const { workers } = await status();
  expect(workers).toMatchObject([{ state: 'ready', slots: { used: expect.any(Number), of: 8 }, version: VERSION }]);
});

it('shows text for people: the verdict, what needs a person with what to do, and the numbers', async () => {
  await rig.client.steerGate({ region: 'ap-singapore', action: 'VideoLivenessCompare' }, 'pause', {
    by: 'ana',
    why: '',
  });
  const { code, stdout } = await startCli(['status'], rig.env).result;
  expect(code).toBe(1);
  expect(stdout).toMatch(/^Idle: nothing waits\.\n\n● the gate of ap-singapore VideoLivenessCompare is paused/);
  expect(stdout).toContain('→ bestframe gate resume --region ap-singapore --action VideoLivenessCompare');
  expect(stdout).toMatch(/worker +state +slots +regions +version +last heartbeat\n\S+ +ready +\d\/8 +ap-singapore /);
  expect(stdout).toMatch(/Paid calls today: 1 \(\+0 possibly\)\n$/);
});

it('gate pause without a target asks first, because it stops every call', async () => {
  const gates = async () => (await rig.client.gates()).filter(({ state }) => state === 'paused').length;
  const before = await gates();
  const asked = await startCli(['gate', 'pause', '--why', 'forgot the region'], rig.env).result;
  expect(asked).toMatchObject({ code: 1, stderr: expect.stringMatching(/^Pause \d+ gates\? Add --yes to confirm/m) });
  expect(await gates()).toBe(before);
  const one = ['--region', 'ap-singapore', '--action', 'DetectReflectLivenessAndCompare'];
  expect(await startCli(['gate', 'pause', ...one], rig.env).result).toMatchObject({ code: 0 });
  expect(await gates()).toBe(before + 1);
  expect(await startCli(['gate', 'pause', '--yes'], rig.env).result).toMatchObject({ code: 0 });
  expect(await gates()).toBeGreaterThan(before + 1);
  expect(await startCli(['gate', 'resume'], rig.env).result).toMatchObject({ code: 0 });
  expect(await gates()).toBe(0);
});

it('says that Redis is out of memory, and that it is away', async () => {
  await rig.redis.config('SET', 'maxmemory', '1mb');
  expect(await status()).toMatchObject({
    ...{ code: 1, condition: 'down', verdict: null },
    findings: [{ what: 'Redis is out of memory and refuses writes' }],
  });
  await rig.redis.config('SET', 'maxmemory', '0');
  await redis.stop();
  expect(await status()).toMatchObject({ code: 1, condition: 'down', findings: [{ what: 'Redis cannot be reached' }] });
});
