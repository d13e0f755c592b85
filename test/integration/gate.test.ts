/**
 * Tests the gate. An account fault closes it, and probes find out when to reopen it. An operator can pause it. Throttling slows
 * it down. Each region has its own limits.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Gate } from '../../src/pipeline/gate.ts';
import { createRig, type Rig } from '../support/rig.ts';

const REGION = 'ap-singapore';
const DETECT = 'DetectReflectLivenessAndCompare';
const ARREARS = 'ResourceUnavailable.InArrears';

let rig: Rig;

beforeAll(async () => {
  rig = await createRig({
    env: { BESTFRAME_QPS_DETECT: '100', BESTFRAME_QPS_UPLOAD_URL: '100', BESTFRAME_REUSED_LIVE_DATA: 'warn' },
    emulator: { qps: {} },
  });
});
afterEach(() => rig.control.settings({ accountError: null }));
afterAll(() => rig.dispose());

async function gateNow() {
  const [gate] = (await rig.client.gates()).filter(({ region, action }) => region === REGION && action === DETECT);
  return gate;
}

describe('the circuit breaker', () => {
  it('closes on arrears: only calls in flight and probes follow, no attempt counts, and all complete later', async () => {
    const linesBefore = rig.lines.length;
    const one = await rig.request('arrears', { card: 'match' }, { lane: 'batch' });
    const worker = await rig.openWorker({ BESTFRAME_SLOTS: '20' });
    await rig.client.enqueueMany(Array.from({ length: 80 }, (_, index) => ({ ...one, key: `arrears-${index}` })));
    await rig.control.waitFor({ action: DETECT }, 20);
    await rig.control.settings({ accountError: ARREARS });
    await rig.control.waitFor({ action: DETECT, code: ARREARS }, 1);
    await expect.poll(async () => (await gateNow())?.state).toBe('closed');
    expect(await gateNow()).toMatchObject({
      code: ARREARS,
      by: 'account',
      advice: expect.stringContaining('Pay the bill'),
    });
    // Wait for two probes: the count below must include probes, not only the calls that were in flight when the gate closed.
    await expect.poll(async () => (await gateNow())?.probes, { timeout: 30_000 }).toBeGreaterThanOrEqual(2);
    const refused = await rig.control.calls({ action: DETECT, code: ARREARS });
    const probes = (await gateNow())?.probes ?? 0;
    expect(refused.length).toBeLessThanOrEqual(20 + probes + 1);
    await rig.control.settings({ accountError: null });

    const ids = Array.from({ length: 80 }, (_, index) => rig.client.idOf(`arrears-${index}`));
    for (const id of ids) {
      const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 120_000 });
      expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 0 });
      expect(await rig.redis.hget(rig.names.journal(id), 'a:detect')).toBeNull();
    }
    expect(await gateNow()).toMatchObject({ state: 'open', code: null, since: null });
    const said = rig.lines
      .slice(linesBefore)
      .filter(({ event }) => event === 'gate_changed')
      .map(({ change }) => change);
    expect(said[0]).toBe('tripped');
    expect(said.at(-1)).toBe('opened');
    expect(said.filter((change) => change === 'tripped')).toHaveLength(1);
    await worker.stop(10_000);
  }, 180_000);

  it('ignores arrears that are reported by a call made before the last opening', async () => {
    const gate = new Gate(rig.deployment, {});
    const before = (await rig.redis.hget(rig.names.gate(REGION, DETECT).gate, 'epoch')) ?? '0';
    expect(await gate.trip(REGION, DETECT, { id: 'a', epoch: before, code: ARREARS })).toBe('tripped');
    expect(await gate.trip(REGION, DETECT, { id: 'b', epoch: before, code: ARREARS })).toBe('stale');
    expect(await gate.reopen(REGION, DETECT, 'b')).toBe(false); // only the probe may open the gate
    await rig.client.steerGate({ region: REGION, action: DETECT }, 'open', { by: 'ops', why: 'paid' });
    expect(await gate.trip(REGION, DETECT, { id: 'c', epoch: before, code: ARREARS })).toBe('stale');
    expect(await gateNow()).toMatchObject({ state: 'open' });
  });

  it('stays open after a fault of a single request', async () => {
    const served = { BESTFRAME_REGIONS: `${REGION},ap-bangkok`, BESTFRAME_BUCKETS: `${REGION}=${rig.bucket}` };
    const worker = await rig.openWorker(served);
    const lonely = await rig.request('no-bucket', { card: 'match' }, { region: 'ap-bangkok', upload: 'own-bucket' });
    await rig.client.enqueue(lonely);
    const { id } = await rig.client.enqueue(await rig.request('beside'));
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed' });
    expect((await rig.client.gates()).every(({ state }) => state === 'open')).toBe(true);
    await rig.client.cancel(rig.client.idOf('no-bucket'));
    await worker.stop(10_000);
  });
});

describe('a fault of an object that a caller named', () => {
  afterEach(() => rig.control.clearFaults());
  const allOpen = async () => (await rig.client.gates()).every(({ state }) => state === 'open');

  it.each(['SignatureDoesNotMatch', 'AccessDenied'])(
    'fails only that verification if %s refuses its source',
    async (code) => {
      const worker = await rig.openWorker();
      await rig.control.fault({
        kind: 'error',
        action: 'GetObject',
        object: 'named.jpg',
        code,
        status: 403,
        times: null,
      });
      const request = await rig.request(`named-${code}`, { card: 'match' }, { lane: 'batch' });
      const image = { from: 'cos', bucket: rig.bucket, region: REGION, key: 'callers/named.jpg' } as const;
      const { id } = await rig.client.enqueue({ ...request, resources: { ...request.resources, image } });
      expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({
        state: 'failed',
        reason: { code: 'SOURCE_UNREADABLE', class: 'caller', field: 'resources.image' },
        paidCalls: 0,
      });
      expect(await allOpen()).toBe(true);
      await worker.stop(10_000);
    },
  );

  it('closes no gate if the bucket refuses the frame: the decision stays, and the upload is retried', async () => {
    const worker = await rig.openWorker();
    const refused = { kind: 'error', code: 'SignatureDoesNotMatch', status: 403, times: 2 } as const;
    const before = await rig.control.calls({ action: 'PutObject', code: 'SignatureDoesNotMatch' });
    await rig.control.fault({ ...refused, action: 'PutObject', object: 'refused-frame' });
    const frame = { to: 'cos', bucket: rig.bucket, region: REGION, key: 'frames/refused-frame.jpg' } as const;
    const { id } = await rig.client.enqueue(await rig.request('refused-frame', { card: 'match' }, { frame }));
    await rig.control.waitFor({ action: 'PutObject', code: 'SignatureDoesNotMatch' }, before.length + 1);
    expect(await rig.client.get(id)).toMatchObject({ decision: 'match', next: 'accept' });
    expect(await allOpen()).toBe(true);
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed', frame: 'stored' });
    expect(rig.lines.filter(({ event, id: line }) => event === 'gate_changed' && line === id)).toEqual([]);
    await worker.stop(10_000);
  });

  it('closes the gate only if the bucket refuses an object that Bestframe named itself', async () => {
    const worker = await rig.openWorker();
    await rig.control.fault({ kind: 'error', action: 'PutObject', code: 'SignatureDoesNotMatch', status: 403 });
    const { id } = await rig.client.enqueue(await rig.request('staged-refused'));
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed' });
    expect(rig.lines.filter(({ event, id: line }) => event === 'gate_changed' && line === id)).toMatchObject([
      { change: 'tripped', code: 'SignatureDoesNotMatch' },
      { change: 'opened' },
    ]);
    await worker.stop(10_000);
  });
});

describe('an operator', () => {
  beforeEach(() => rig.control.reset());

  it('can pause the gate: no call is made, a probe cannot open the gate, and resume ends the pause', async () => {
    await rig.client.steerGate({ region: REGION, action: DETECT }, 'pause', { by: 'maria', why: 'bill is being paid' });
    const worker = await rig.openWorker();
    const { id } = await rig.client.enqueue(await rig.request('paused', { card: 'match' }, { lane: 'batch' }));
    await expect.poll(async () => (await rig.client.get(id))?.state).toBe('active');
    expect(await gateNow()).toMatchObject({
      state: 'paused',
      code: 'PAUSED_BY_OPERATOR',
      by: 'maria',
      why: 'bill is being paid',
    });
    await rig.client.steerGate({ region: REGION, action: DETECT }, 'close', { by: 'ops', why: '' });
    await rig.client.steerGate({ region: REGION, action: DETECT }, 'open', { by: 'ops', why: '' });
    expect(await gateNow()).toMatchObject({ state: 'paused', by: 'maria' });
    expect(await rig.control.calls({ object: id })).toEqual([]); // the pause also prevents the upload
    expect(await rig.client.steerGate({ region: REGION, action: DETECT }, 'resume', { by: 'maria', why: '' })).toBe(
      true,
    );
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed', decision: 'match' });
    expect(await rig.client.steerGate({ region: REGION, action: DETECT }, 'resume', { by: 'maria', why: '' })).toBe(
      false,
    );
    await worker.stop(10_000);
  });
});

describe('throttling by the vendor', () => {
  it('slows the rate down, which recovers over time', async () => {
    await rig.control.reset();
    const worker = await rig.openWorker();
    const { id } = await rig.client.enqueue(await rig.request('slow', { card: 'match', first: { throttled: 2 } }));
    await rig.client.wait(id, { until: 'ended' });
    const slowed = (await gateNow())?.pace ?? 1;
    expect(slowed).toBeGreaterThan(1.3);
    // Moves the time of the slow-down back by ten half-lives.
    await rig.redis.hincrby(rig.names.gate(REGION, DETECT).gate, 'paceAt', -300_000);
    expect((await gateNow())?.pace).toBe(1);
    await worker.stop(10_000);
  });
});

it('a limit applies to one region and action', async () => {
  const gate = new Gate(rig.deployment, { DetectReflectLivenessAndCompare: { 'ap-hongkong': 10 } });
  expect(gate.limit('ap-hongkong', DETECT)).toBe(10);
  expect(gate.limit('ap-bangkok', DETECT)).toBe(5);
  expect(gate.limit('ap-bangkok', 'VideoLivenessCompare')).toBe(20);
});
