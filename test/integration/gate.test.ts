/** The gate: the account's breaker with its prober, an operator's hand, the vendor's throttling, and limits by region. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Gate } from '../../src/runtime/gate.ts';
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

describe('arrears', () => {
  it('after 50 of 200: no attempt is burnt, calls are those in flight and few probes, and all complete once it is lifted', async () => {
    const one = await rig.request('arrears', { card: 'match' }, { lane: 'batch' });
    const worker = await rig.openWorker({ BESTFRAME_SLOTS: '20' });
    await rig.client.enqueueMany(Array.from({ length: 200 }, (_, index) => ({ ...one, key: `arrears-${index}` })));
    await rig.control.waitFor({ action: DETECT }, 50);
    await rig.control.settings({ accountError: ARREARS });
    await rig.control.waitFor({ action: DETECT, code: ARREARS }, 1);
    await expect.poll(async () => (await gateNow())?.state).toBe('closed');
    expect(await gateNow()).toMatchObject({
      code: ARREARS,
      by: 'breaker',
      advice: expect.stringContaining('Pay the bill'),
    });
    // At least two probes, so that what is counted is not only what was in flight.
    await expect.poll(async () => (await gateNow())?.probes, { timeout: 30_000 }).toBeGreaterThanOrEqual(2);
    const refused = await rig.control.calls({ action: DETECT, code: ARREARS });
    const probes = (await gateNow())?.probes ?? 0;
    expect(refused.length).toBeLessThanOrEqual(20 + probes + 1);
    await rig.control.settings({ accountError: null });

    const ids = Array.from({ length: 200 }, (_, index) => rig.client.idOf(`arrears-${index}`));
    for (const id of ids) {
      const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 120_000 });
      expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 0 });
      expect(await rig.redis.hget(rig.names.journal(id), 'a:detect')).toBeNull();
    }
    expect(await gateNow()).toMatchObject({ state: 'open', code: null, since: null });
    const said = rig.lines.filter(({ event }) => event === 'gate').map(({ change }) => change);
    expect(said[0]).toBe('tripped');
    expect(said.at(-1)).toBe('opened');
    expect(said.filter((change) => change === 'tripped')).toHaveLength(1);
    await worker.stop(10_000);
  }, 180_000);

  it('what a call from before an opening says about the account closes nothing', async () => {
    const gate = new Gate(rig.redis, rig.names, {});
    const before = (await rig.redis.hget(rig.names.gate(REGION, DETECT).gate, 'epoch')) ?? '0';
    expect(await gate.trip(REGION, DETECT, 'a', before, ARREARS)).toBe('tripped');
    expect(await gate.trip(REGION, DETECT, 'b', before, ARREARS)).toBe('stale');
    expect(await gate.heal(REGION, DETECT, 'b')).toBe(false); // who is not the prober opens nothing
    await rig.client.steer(REGION, DETECT, 'open', 'ops', 'paid');
    expect(await gate.trip(REGION, DETECT, 'c', before, ARREARS)).toBe('stale');
    expect(await gateNow()).toMatchObject({ state: 'open' });
  });

  it('trouble that only one request can have closes no gate for the others', async () => {
    const worker = await rig.openWorker();
    const lonely = await rig.request('no-bucket', { card: 'match' }, { region: 'ap-bangkok', upload: 'own-bucket' });
    await rig.client.enqueue(lonely);
    const { id } = await rig.client.enqueue(await rig.request('beside'));
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed' });
    expect((await rig.client.gates()).every(({ state }) => state === 'open')).toBe(true);
    await rig.client.cancel(rig.client.idOf('no-bucket'));
    await worker.stop(10_000);
  });
});

describe("an operator's hand", () => {
  beforeEach(() => rig.control.reset());

  it('pause lets nobody through, outlives what the breaker does, and resume ends it', async () => {
    await rig.client.steer(REGION, DETECT, 'pause', 'maria', 'bill is being paid');
    const worker = await rig.openWorker();
    const { id } = await rig.client.enqueue(await rig.request('paused', { card: 'match' }, { lane: 'batch' }));
    await expect.poll(async () => (await rig.client.get(id))?.state).toBe('active');
    expect(await gateNow()).toMatchObject({
      state: 'paused',
      code: 'PAUSED_BY_OPERATOR',
      by: 'maria',
      why: 'bill is being paid',
    });
    await rig.client.steer(REGION, DETECT, 'close', 'ops', '');
    await rig.client.steer(REGION, DETECT, 'open', 'ops', '');
    expect(await gateNow()).toMatchObject({ state: 'paused', by: 'maria' });
    expect(await rig.control.calls({ object: id })).toEqual([]); // nothing was uploaded either
    expect(await rig.client.steer(REGION, DETECT, 'resume', 'maria', '')).toBe(true);
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed', decision: 'match' });
    expect(await rig.client.steer(REGION, DETECT, 'resume', 'maria', '')).toBe(false);
    await worker.stop(10_000);
  });
});

describe('throttling all the same', () => {
  it('slows the rate down, and the pace comes back by itself', async () => {
    await rig.control.reset();
    const worker = await rig.openWorker();
    const { id } = await rig.client.enqueue(await rig.request('slow', { card: 'match', first: { throttled: 2 } }));
    await rig.client.wait(id, { until: 'ended' });
    const slowed = (await gateNow())?.pace ?? 1;
    expect(slowed).toBeGreaterThan(1.3);
    // As if ten half-lives had passed.
    await rig.redis.hincrby(rig.names.gate(REGION, DETECT).gate, 'paceAt', -300_000);
    expect((await gateNow())?.pace).toBe(1);
    await worker.stop(10_000);
  });
});

it('limits are by region and action', async () => {
  const gate = new Gate(rig.redis, rig.names, { DetectReflectLivenessAndCompare: { 'ap-hongkong': 10 } });
  expect(gate.limit('ap-hongkong', DETECT)).toBe(10);
  expect(gate.limit('ap-bangkok', DETECT)).toBe(5);
  expect(gate.limit('ap-bangkok', 'VideoLivenessCompare')).toBe(20);
});
