/**
 * Tests every use that the product makes of Redis, with each Redis profile in turn. Only the connection settings differ between
 * the profiles, and no server may refuse a command for lack of permission.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readConfig } from '../../../src/app/config.ts';
import { openDashboard } from '../../../src/app/dashboard.ts';
import { diagnose } from '../../../src/app/doctor/diagnose.ts';
import { openDoctorTools } from '../../../src/app/doctor-tools.ts';
import { Sweeper } from '../../../src/background/sweeper.ts';
import type { Region } from '../../../src/domain/verification/regions.ts';
import { openEraseQueue } from '../../../src/redis/erase-queue.ts';
import { DEFAULT_PREFIX } from '../../../src/redis/names.ts';
import { openNotifyQueue } from '../../../src/redis/notify-queue.ts';
import { Outbox } from '../../../src/redis/outbox.ts';
import { RedisProbe } from '../../../src/redis/probe.ts';
import { openVerifyQueue } from '../../../src/redis/verify-queue.ts';
import { inForm } from '../../support/forms.ts';
import { openHttp } from '../../support/http.ts';
import { PROFILES, type RedisProfile } from '../../support/redis-profiles.ts';
import { createRig, HOME, type Rig } from '../../support/rig.ts';

const REGION = 'ap-singapore';
const DETECT = 'DetectReflectLivenessAndCompare';
const SOON = { timeout: 30_000 };
const LOGIN = { BESTFRAME_DASHBOARD_USER: 'operator', BESTFRAME_DASHBOARD_PASSWORD: 'open-sesame' };

/** The short form leaves out the profiles that differ least from others. */
const FEW = ['one server', 'Cluster, with the user of docs/redis.md', 'a managed provider that forbids commands'];
/** What comes before the workers needs a deployment without workers. */
const IN_ORDER = { shuffle: false };
const chosen = inForm({ short: FEW, long: Object.keys(PROFILES) });

const profiles = Object.entries(PROFILES).filter(([name]) => chosen.includes(name));

for (const [name, start] of profiles)
  describe(name, IN_ORDER, () => {
    const dir = join(HOME, `redis-${process.pid}-${name.replace(/\W+/g, '-')}`);
    let redis: RedisProfile;
    let rig: Rig;

    beforeAll(async () => {
      redis = await start(dir);
      rig = await createRig({
        env: {
          ...redis.env,
          ...LOGIN,
          BESTFRAME_PREFIX: DEFAULT_PREFIX,
          BESTFRAME_QPS_DETECT: '200',
          BESTFRAME_REWINDS: '0',
          BESTFRAME_DASHBOARD_PORT: '0',
        },
        emulator: { qps: {} },
      });
    });
    afterAll(async () => {
      await rig?.dispose();
      await redis?.stop();
      await rm(dir, { recursive: true, force: true });
    });

    const subscribed = async () => {
      const counts = await Promise.all(
        redis.servers.map(async ({ admin }) => (await admin.pubsub('NUMSUB', rig.names.channel))[1]),
      );
      return counts.some((count) => Number(count) > 0);
    };

    it('a wait ends by a pub/sub message, without polling', async () => {
      const { id } = await rig.client.enqueue(await rig.request('heard'));
      vi.useFakeTimers({ toFake: ['setTimeout'] }); // stops polling, so that only the message can end the wait
      try {
        const waited = rig.client.wait(id, { until: 'ended' });
        await expect.poll(subscribed, SOON).toBe(true);
        await rig.client.cancel(id);
        expect(await waited).toMatchObject({ state: 'cancelled' });
      } finally {
        vi.useRealTimers();
      }
    });

    it('the sweeper adds a missing job, and ends a verification past its deadline', async () => {
      const queue = openVerifyQueue(rig.deployment, REGION);
      const erase = openEraseQueue(rig.deployment);
      const notify = openNotifyQueue(rig.deployment);
      const outbox = new Outbox(rig.deployment, erase, notify);
      const queues = new Map<Region, typeof queue>([[REGION, queue]]);
      const sweeper = new Sweeper({
        deployment: rig.deployment,
        queues,
        outbox,
        expiryMs: 60_000,
        log: pino({ level: 'silent' }),
      });
      const dated = await rig.request('late');
      const late = await rig.client.enqueue({ ...dated, deadline: new Date(Date.now() + 1_500).toISOString() });
      const lost = await rig.client.enqueue(await rig.request('lost'));
      await queue.remove(lost.id);
      expect((await sweeper.sweep(0)).requeued).toBe(1);
      const afterSweep = () => sweeper.sweep(0).then(() => rig.client.get(late.id));
      await expect.poll(afterSweep, SOON).toMatchObject({ state: 'failed', paidCalls: 0 });
      await Promise.all([queue.close(), erase.close(), notify.close()]);
    });

    describe('with workers', () => {
      beforeAll(() => Promise.all([rig.openWorker(), rig.openErase()]));

      it('completes the verification whose job was missing', async () => {
        expect(await rig.client.wait(rig.client.idOf('lost'))).toMatchObject({ decision: 'match' });
      });

      it('the health check and the metrics read and write what they need', async () => {
        const probe = new RedisProbe(rig.config.redis, rig.config.prefix);
        expect(await probe.run()).toBeNull();
        probe.close();
        const metrics = await rig.client.metrics();
        expect(metrics.redis.memoryBytes).toBeGreaterThan(0);
        expect(metrics.workers).toMatchObject([{ state: 'ready' }]);
      });

      it('the HTTP API verifies, lists and erases with an API key, until the key is revoked', async () => {
        const http = await openHttp(rig);
        const secret = await http.keyFor({ tenant: 'over-http' });
        const json = await rig.request('over-http');
        const taken = await http.call('POST', '/v1/verifications?wait=30', { secret, json });
        expect(taken).toMatchObject({ status: 200, json: { decision: 'match' } });
        const list = await http.call('GET', '/v1/verifications', { secret });
        expect(list.json.verifications).toMatchObject([{ key: 'over-http' }]);
        expect((await http.call('DELETE', `/v1/verifications/${taken.json.id}`, { secret })).status).toBe(200);
        const keyId = secret.split('_')[2] ?? '';
        const rotated = await http.keys.rotate(keyId, 3_600_000);
        expect(rotated?.key.tenant).toBe('over-http');
        await http.keys.revoke(keyId);
        expect((await http.call('GET', '/v1/verifications', { secret })).status).toBe(401);
        expect((await http.keys.list()).length).toBeGreaterThan(2);
        await http.close();
      });

      it('completes a verification, and erases its objects', async () => {
        const { id } = await rig.client.enqueue(await rig.request('whole'));
        const view = await rig.client.wait(id, { until: 'ended' });
        expect(view).toMatchObject({ state: 'completed', decision: 'match', frame: 'stored', paidCalls: 1 });
        await rig.control.waitFor({ service: 'cos', action: 'DeleteObject', object: id }, 2);
        const left = async () => (await rig.control.objects()).filter(({ key }) => key.includes(id));
        await expect.poll(left, SOON).toEqual([]);
      });

      it('completes a batch, each item once, after the servers have forgotten all scripts', async () => {
        await Promise.all(redis.servers.map(({ admin }) => admin.script('FLUSH')));
        const requests = await Promise.all(Array.from({ length: 8 }, (_, index) => rig.request(`many-${index}`)));
        const taken = await rig.client.enqueueMany(requests);
        expect(taken.map(({ status }) => status)).toEqual(Array(8).fill('new'));
        for (const { key } of taken)
          expect(await rig.client.wait(rig.client.idOf(key), { until: 'ended' })).toMatchObject({ decision: 'match' });
        const again = await rig.client.enqueueMany([...requests, { ...requests[0], region: 'ap-bangkok' } as never]);
        expect(again.map(({ status }) => status)).toEqual([...Array(8).fill('same'), 'refused']);
        expect(again[8]).toMatchObject({ error: { code: 'KEY_CONFLICT' } });
        const listed = await rig.client.list({ ended: true });
        expect(listed.map(({ key }) => key)).toEqual(expect.arrayContaining(requests.map(({ key }) => key)));
      });

      it('a held verification waits for an operator, and continues as decided', async () => {
        const sample = { card: 'match', first: { unreadable: 1 } } as const;
        const { id } = await rig.client.enqueue(await rig.request('held', sample));
        expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'held' });
        expect((await rig.client.held()).map(({ key }) => key)).toEqual(['held']);
        const choice = { by: 'maria', why: 'seen' };
        expect(await rig.client.resolve(id, 'rewind', choice)).toMatchObject({ status: 'ok' });
        await expect.poll(async () => (await rig.client.get(id))?.state, SOON).toBe('completed');
        const other = await rig.client.enqueue(await rig.request('held-2', sample));
        await rig.client.wait(other.id, { until: 'ended' });
        expect(await rig.client.resolve(other.id, 'fail', choice)).toEqual({ status: 'ok', state: 'failed' });
      });

      it('a paused gate delays calls until it is resumed, and a cancelled verification is not called', async () => {
        const gate = { region: REGION, action: DETECT } as const;
        const by = { by: 'maria', why: 'a look' };
        await rig.client.steerGate(gate, 'pause', by);
        expect((await rig.client.gates()).find(({ action }) => action === DETECT)).toMatchObject({ state: 'paused' });
        const [waits, leaves] = await rig.client.enqueueMany([await rig.request('waits'), await rig.request('leaves')]);
        const object = rig.client.idOf(leaves?.key ?? '');
        expect((await rig.client.cancel(object)).status).toMatch(/^cancell/);
        await rig.client.wait(object, { until: 'ended' });
        await rig.client.steerGate(gate, 'resume', by);
        const view = await rig.client.wait(rig.client.idOf(waits?.key ?? ''), { until: 'ended' });
        expect(view).toMatchObject({ decision: 'match' });
        expect(await rig.control.calls({ action: DETECT, object })).toEqual([]);
      });

      async function doctor(url: string) {
        const config = readConfig({ ...rig.env, BESTFRAME_REDIS_URL: url });
        const tools = openDoctorTools(config);
        const { checks } = await diagnose(config, tools, { live: false });
        await tools.close();
        return checks.filter((check) => check.name.startsWith('redis'));
      }

      it('doctor passes all its checks, and names the error of a wrong password', async () => {
        const url = redis.env.BESTFRAME_REDIS_URL ?? '';
        const [first, ...others] = await doctor(url);
        const busy = 'redis.latency'; // a busy machine may exceed the limit
        expect([first, ...others].filter((check) => check?.status !== 'ok' && check?.name !== busy)).toEqual([]);
        expect(others).toHaveLength(4);
        const guess = url.replace(/:[^:/@]+@/, ':guess@');
        if (guess === url) return; // this profile has no password
        const [found] = await doctor(guess);
        expect(found).toMatchObject({ status: 'fail', found: 'Redis cannot be used (WRONGPASS)' });
      });

      it('the dashboard shows the decision', async () => {
        const config = readConfig(rig.env);
        const dashboard = await openDashboard(config, pino({ level: 'silent' }));
        const headers = { authorization: `Basic ${Buffer.from('operator:open-sesame').toString('base64')}` };
        const get = async (path: string) =>
          (await fetch(new URL(`/dashboard/api/queues${path}`, dashboard.url), { headers })).text();
        expect(await get('?activeQueue=verify-ap-singapore&status=completed')).toContain('"decision":"match"');
        const job = `/verify-ap-singapore/${rig.client.idOf('whole')}`;
        expect(await get(job)).toContain('"decision":"match"');
        expect(JSON.parse(await get(`${job}/logs`))).toEqual([]);
        await dashboard.stop(0);
      });

      it('no server refused a command for lack of permission', async () => {
        const logs = await Promise.all(redis.servers.map(({ admin }) => admin.call('ACL', 'LOG')));
        const entries = (logs.flat() as string[][]).map((entry) => {
          const field = (name: string) => entry[entry.indexOf(name) + 1];
          return { reason: field('reason'), object: field('object') };
        });
        // Two refusals are expected: the wrong password, and the list of workers, which the dashboard can do without.
        const expected = ({ reason, object }: (typeof entries)[number]) =>
          reason === 'auth' || object === 'client|list';
        expect(entries.filter((entry) => !expected(entry))).toEqual([]);
      });
    });
  });
