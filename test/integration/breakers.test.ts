/**
 * Tests that verifications wait while a service that they need is down. The times are scaled down: a back-off is 50 ms instead of
 * two seconds. Each outage lasts longer than all attempts of a verification together.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Running } from '../../src/app/running.ts';
import { DEFAULT_BREAKERS } from '../../src/domain/operations/breakers.ts';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import type { Fault } from '../../src/emulator/control.ts';
import { sampleImage } from '../../src/emulator/samples.ts';
import { metricsText } from '../../src/server/api/metrics.ts';
import { createRig, type Rig } from '../support/rig.ts';

const REGION = 'ap-singapore';
const DETECT = 'DetectReflectLivenessAndCompare';
const FACEID = `faceid:${DETECT}`;
const MANY = 24;
/** The length of an outage. Without a breaker, each verification would use up its attempts in this time. */
const OUTAGE_MS = 5_000;
/** The slots of a worker. Few slots keep the number of calls in flight low. */
const SLOTS = 4;

let rig: Rig;
let worker: Running;

beforeAll(async () => {
  rig = await createRig({
    env: {
      BESTFRAME_QPS_DETECT: '100',
      BESTFRAME_QPS_UPLOAD_URL: '100',
      BESTFRAME_REUSED_LIVE_DATA: 'warn',
      BESTFRAME_BACKOFF_MS: 'batch=50,interactive=50',
      BESTFRAME_BREAKER_MS: 'window=1000,firstProbe=200,longestProbe=2000',
      BESTFRAME_SLOTS: '30',
    },
    emulator: { qps: {} },
  });
});
beforeEach(async () => {
  await rig.redis.del(rig.names.breakers(REGION));
  worker = await rig.openWorker();
});
afterEach(async () => {
  await rig.control.reset();
  await rig.control.settings({ qps: {} });
  await worker.stop(5_000);
});
afterAll(() => rig.dispose());

async function breakerNow(dependency: string) {
  return (await rig.client.breakers()).find((each) => each.dependency === dependency);
}

let round = 0;
async function enqueueMany(count: number, more: Partial<VerificationRequest> = {}): Promise<string[]> {
  round += 1;
  const requests = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      rig.request(`outage-${round}-${index}`, { card: 'match' }, { lane: 'batch', ...more }),
    ),
  );
  return (await rig.client.enqueueMany(requests)).map((result) => {
    if (result.status === 'refused') throw result.error;
    return result.id;
  });
}

async function statesOf(ids: readonly string[]): Promise<string[]> {
  const views = await Promise.all(ids.map((id) => rig.client.get(id)));
  return views.map((view) => view?.state ?? 'missing');
}

async function allComplete(ids: readonly string[]) {
  return Promise.all(
    ids.map(async (id) => {
      const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 60_000 });
      expect(view).toMatchObject({ state: 'completed', decision: 'match' });
      if (view === null) throw new Error('lost');
      return view;
    }),
  );
}

describe('an outage ends no verification', () => {
  const outages: readonly (readonly [
    what: string,
    dependency: string,
    fault: Fault,
    more: Partial<VerificationRequest>,
  ])[] = [
    [
      'PutObject answers 503',
      'cos:put',
      { kind: 'error', service: 'cos', action: 'PutObject', code: 'ServiceUnavailable' },
      {},
    ],
    [
      'PutObject answers SlowDown',
      'cos:put',
      { kind: 'error', service: 'cos', action: 'PutObject', code: 'SlowDown' },
      {},
    ],
    ['GetObject answers 500', 'cos:get', { kind: 'status', service: 'cos', action: 'GetObject', status: 500 }, {}],
    [
      'CreateUploadUrl answers 503',
      'CreateUploadUrl',
      { kind: 'status', action: 'CreateUploadUrl', status: 503 },
      { upload: 'create-upload-url' },
    ],
  ];

  it.each(outages)(
    '%s: all verifications wait, and complete afterwards',
    async (_what, dependency, fault, more) => {
      await rig.control.fault({ ...fault, times: null });
      const ids = await enqueueMany(MANY, more);
      await expect.poll(async () => (await breakerNow(dependency))?.state, { timeout: 20_000 }).toBe('down');
      await sleep(OUTAGE_MS);
      expect(await statesOf(ids)).toEqual(ids.map(() => expect.stringMatching(/queued|active|delayed/)));
      expect(await breakerNow(dependency)).toMatchObject({ state: 'down', region: REGION, probes: expect.any(Number) });
      expect(await rig.client.get(ids[0] ?? '')).toMatchObject({ next: 'wait' });
      await rig.control.clearFaults();
      for (const view of await allComplete(ids)) expect(view).toMatchObject({ paidCalls: 1, possiblyPaidCalls: 0 });
      expect(await breakerNow(dependency)).toMatchObject({ state: 'working', code: null });
    },
    120_000,
  );

  it.each<[string, Fault]>([
    // Tencent does not document whether it bills InternalError.
    ['InternalError', { kind: 'error', action: DETECT, code: 'InternalError' }],
    ['503', { kind: 'status', action: DETECT, status: 503 }],
    ['no reply', { kind: 'drop', action: DETECT, when: 'before' }],
  ])(
    'FaceID gives %s: the calls are possibly paid, few are made, and nothing is held',
    async (_what, fault) => {
      // With few slots, few calls are in flight when the breaker opens. With a wide window, the breaker counts as many failures
      // on a slow machine as on a fast one.
      await worker.stop(5_000);
      worker = await rig.openWorker({
        BESTFRAME_SLOTS: String(SLOTS),
        BESTFRAME_CALL_SECONDS: 'batch=2',
        BESTFRAME_BREAKER_MS: 'window=30000,firstProbe=1000,longestProbe=4000',
      });
      await rig.control.fault({ ...fault, times: null });
      const ids = await enqueueMany(MANY);
      await expect.poll(async () => (await breakerNow(FACEID))?.state, { timeout: 20_000 }).toBe('down');
      await sleep(OUTAGE_MS);
      const probes = (await breakerNow(FACEID))?.probes ?? 0;
      await rig.control.clearFaults();
      const views = await allComplete(ids);
      for (const view of views) expect(view.paidCalls + view.possiblyPaidCalls).toBeLessThanOrEqual(2);
      // At most these calls may have been paid: those that opened the breaker, those in flight at that time, the counted probes,
      // and a probe that was in flight at the end.
      const most = DEFAULT_BREAKERS.failures + SLOTS - 1 + probes + 1;
      expect(views.reduce((sum, { possiblyPaidCalls }) => sum + possiblyPaidCalls, 0)).toBeLessThanOrEqual(most);
      expect(most).toBeLessThan(MANY);
    },
    120_000,
  );
});

it('a verification whose deadline passes during an outage names the outage, and a retry finds it by that', async () => {
  const since = new Date().toISOString();
  await rig.control.fault({
    kind: 'error',
    service: 'cos',
    action: 'PutObject',
    code: 'ServiceUnavailable',
    times: null,
  });
  const [id = ''] = await enqueueMany(1, { deadline: new Date(Date.now() + 2_000).toISOString() });
  const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 50_000 });
  expect(view).toMatchObject({
    state: 'failed',
    paidCalls: 0,
    reason: { code: 'DEADLINE_EXCEEDED', waitedFor: { code: 'ServiceUnavailable', class: 'transient' } },
  });
  await rig.control.clearFaults();
  const plan = { since, class: 'transient', dryRun: true, by: 'maria', why: '' };
  await expect.poll(() => rig.client.retry(plan)).toEqual([{ id, code: 'DEADLINE_EXCEEDED', status: 'run' }]);
}, 60_000);

describe('a fault of a single verification', () => {
  const refuse = (id: string) =>
    rig.control.fault({
      ...{ kind: 'error', service: 'cos', action: 'PutObject', object: id, code: 'InternalError', times: null },
    } as const);

  it('ends it after its attempts if others complete meanwhile; no breaker opens', async () => {
    const id = rig.client.idOf('own-trouble');
    await refuse(id);
    await allComplete(await enqueueMany(10));
    await rig.client.enqueue(await rig.request('own-trouble', { card: 'match' }, { lane: 'batch' }));
    for (let passed = 0; (await rig.client.get(id))?.state !== 'failed' && passed < 400; passed += 10) {
      await allComplete(await enqueueMany(10));
    }
    expect(await rig.client.get(id)).toMatchObject({
      state: 'failed',
      reason: { code: 'InternalError', stage: 'upload' },
      paidCalls: 0,
    });
    expect(await breakerNow('cos:put')).toMatchObject({ state: 'working' });
  }, 120_000);

  it('opens no breaker and delays no other verification', async () => {
    const id = rig.client.idOf('alone');
    await refuse(id);
    await rig.client.enqueue(await rig.request('alone', { card: 'match' }, { lane: 'batch' }));
    // Each attempt makes three quick tries, so after 24 failed calls several attempts have failed.
    await rig.control.waitFor({ action: 'PutObject', object: id, code: 'InternalError' }, 24);
    expect(await breakerNow('cos:put')).toMatchObject({ state: 'working' });
    await allComplete(await enqueueMany(1));
    await rig.client.cancel(id);
  });
});

it('a source host that is down delays only verifications with its sources, and no log line or metric names it', async () => {
  const image = (host: string) => ({ from: 'https', url: `https://${host}/photo.jpg` }) as const;
  const photo = sampleImage('host');
  await rig.control.putOrigin('https://slow.example.com/photo.jpg', photo, { status: 503 });
  await rig.control.putOrigin('https://fine.example.com/photo.jpg', photo);
  const withImage = async (host: string, index: number) => {
    const request = await rig.request(`${host}-${index}`, { card: 'match' }, { lane: 'batch' });
    return { ...request, resources: { ...request.resources, image: image(host) } };
  };
  const waiting = await Promise.all(Array.from({ length: 8 }, (_, index) => withImage('slow.example.com', index)));
  const ids = (await rig.client.enqueueMany(waiting)).map((result) => ('id' in result ? result.id : ''));
  await expect.poll(async () => (await breakerNow('source:slow.example.com'))?.state, { timeout: 20_000 }).toBe('down');
  const beside = await rig.client.enqueue(await withImage('fine.example.com', 0));
  await allComplete([beside.id, ...(await enqueueMany(3))]);
  expect(await statesOf(ids)).toEqual(ids.map(() => expect.stringMatching(/queued|active|delayed/)));
  const text = await metricsText(await rig.client.metrics());
  expect(text).toContain('bestframe_breaker_open{region="ap-singapore",dependency="source"} 1');
  expect(text).not.toContain('example.com');
  await rig.control.putOrigin('https://slow.example.com/photo.jpg', photo);
  await allComplete(ids);
  const said = rig.lines.filter(({ event, dependency }) => event === 'breaker_changed' && dependency === 'source');
  expect(said.map(({ change }) => change)).toEqual(expect.arrayContaining(['opened', 'closed']));
  expect(JSON.stringify(rig.lines)).not.toContain('example.com');
}, 60_000);
