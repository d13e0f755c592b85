/** Tests the gate's numbers and its use of the scripts' answers. `test/integration/gate.test.ts` tests the scripts. */
import { describe, expect, it, vi } from 'vitest';
import { Gate, NO_LEAD_MS, REST_MS } from '../../../src/pipeline/gate.ts';
import { DEFAULT_LEASE } from '../../../src/pipeline/lease.ts';
import { type ScriptArguments, scriptedDeployment } from '../../support/scripted-redis.ts';

const REGION = 'ap-singapore';
const DETECT = 'DetectReflectLivenessAndCompare';
const SEQUENCE = 'GenerateReflectSequence';
const never = () => new AbortController().signal;

type Replies = Parameters<typeof scriptedDeployment>[0];

function createGate(replies: Replies = {}, limits: ConstructorParameters<typeof Gate>[1] = {}, holdMs?: number) {
  const { deployment, calls } = scriptedDeployment(replies);
  return { gate: new Gate(deployment, limits, holdMs), calls };
}

/** Lets the gate's clock see an answer that took `roundTripMs`. */
function learnRoundTrip(gate: Gate, roundTripMs: number) {
  gate.clock.learn(Date.now(), performance.now() - roundTripMs);
}

describe('the rate', () => {
  it('uses 92.6 % of the limit, in one lane for each call per second', () => {
    const { gate } = createGate();
    const { lanes, laneMs } = gate.rate(REGION, DETECT);
    expect([lanes, laneMs]).toEqual([5, 1_080]);
    expect(((lanes * 1_000) / laneMs).toFixed(2)).toBe('4.63');
  });

  it.each([
    [0.5, 1, 2_160],
    [1, 1, 1_080],
    [2.9, 2, 1_080],
  ])('with a limit of %d calls per second has %d lanes of %d ms', (limit, lanes, laneMs) => {
    const { gate } = createGate({}, { [DETECT]: { [REGION]: limit } });
    expect(gate.limit(REGION, DETECT)).toBe(limit);
    expect(gate.rate(REGION, DETECT)).toMatchObject({ lanes, laneMs });
  });

  it('gives a free slot at once, if the answer then arrives early enough', () => {
    const { gate } = createGate();
    learnRoundTrip(gate, 4);
    expect(2 * gate.clock.roundTripMs).toBeLessThan(NO_LEAD_MS);
    expect(gate.rate(REGION, DETECT).soonMs).toBe(0);
  });

  it('plans twice the round trip to Redis ahead of a slot, less what a call may be late', () => {
    const { gate } = createGate();
    expect(gate.rate(REGION, DETECT)).toMatchObject({ soonMs: 0, aheadMs: 100 });
    learnRoundTrip(gate, 50);
    const { soonMs, aheadMs } = gate.rate(REGION, DETECT);
    expect(soonMs).toBe(2 * gate.clock.roundTripMs - NO_LEAD_MS);
    expect(aheadMs).toBe(100 + 2 * gate.clock.roundTripMs);
  });

  it('plans at most half a second ahead, because a longer round trip is a stall', () => {
    const { gate } = createGate();
    learnRoundTrip(gate, 60_000);
    expect(gate.rate(REGION, DETECT)).toMatchObject({ soonMs: 500 - NO_LEAD_MS, aheadMs: 600 });
  });
});

describe('admission', () => {
  it.each([
    [5, 10],
    [10, 19],
    [0.5, 2],
    [1, 2],
  ])(
    'with a limit of %d calls per second has %d places: those that can be called within two seconds',
    (limit, capacity) => {
      const { gate } = createGate({}, { [DETECT]: { [REGION]: limit } });
      expect(gate.admission(REGION, DETECT)).toEqual({ capacity, holdMs: DEFAULT_LEASE.leaseMs });
    },
  );

  it('lasts as long as the lease of the deployment', () => {
    expect(createGate({}, {}, 500).gate.admission(REGION, DETECT).holdMs).toBe(500);
  });
});

describe('a slot', () => {
  it('is missed once it has passed by more than 20 ms', async () => {
    const { gate } = createGate();
    const until = vi.spyOn(gate.clock, 'until').mockReturnValue(-1);
    const turn = await gate.waitForSlot(1_000, never());
    expect(until).toHaveBeenLastCalledWith(1_000);
    const isMissed = (leftMs: number) => {
      until.mockReturnValue(leftMs);
      return turn.missed();
    };
    expect([5, 0, -20, -20.1, -1_000].map(isMissed)).toEqual([false, false, false, true, true]);
  });

  it('is never used early', async () => {
    const { gate } = createGate();
    learnRoundTrip(gate, 0);
    const first = Date.now() + 10;
    const early = async (_: unknown, index: number) => {
      const slot = first + index / 7;
      await gate.waitForSlot(slot, never());
      return gate.clock.until(slot) > 0;
    };
    expect(await Promise.all(Array.from({ length: 300 }, early))).not.toContain(true);
  });

  it('is not waited for after the signal', async () => {
    const { gate } = createGate();
    learnRoundTrip(gate, 0);
    const stop = new AbortController();
    const waiting = gate.waitForSlot(Date.now() + 3_600_000, stop.signal);
    stop.abort(new Error('over'));
    await expect(waiting).rejects.toThrow('over');
  });
});

describe('the slots of CreateUploadUrl', () => {
  it('are reserved in one step, and one at a time once they are used up', async () => {
    const slots = [11, 12, 13, 14];
    const { gate, calls } = createGate({ 'reserve-slots': ({ count }) => [1_000, ...slots.splice(0, Number(count))] });
    const waited = vi.spyOn(gate, 'waitForSlot').mockImplementation(async () => ({ missed: () => false }));
    const signal = never();
    const turn = gate.uploadUrlTurns(REGION, 2, signal);
    expect(calls).toEqual([]);
    await Promise.all([turn(), turn()]);
    await turn();
    await turn();
    expect(waited.mock.calls).toEqual([11, 12, 13, 14].map((slot) => [slot, signal]));
    expect(calls.map(({ args }) => args)).toEqual(
      [2, 1, 1].map((count) => expect.objectContaining({ count, lanes: 20, laneMs: 1_080 })),
    );
    expect(calls[0]?.keys).toEqual({ gate: `{unit}:gate:${REGION}:CreateUploadUrl` });
  });

  it('teach the clock Redis’s time', async () => {
    const redisNow = Date.now() + 500_000;
    const { gate } = createGate({ 'reserve-slots': () => [redisNow, redisNow] });
    await gate.uploadUrlTurns(REGION, 1, never())();
    expect(Math.abs(gate.clock.until(redisNow))).toBeLessThan(60_000);
  });
});

it('rests for a second after the vendor throttled a call', async () => {
  const { gate, calls } = createGate({ 'slow-rate': () => 1 });
  await gate.slowDown(REGION, 'CreateUploadUrl');
  expect(REST_MS).toBe(1_000);
  expect(calls).toEqual([
    { name: 'slow-rate', keys: { gate: `{unit}:gate:${REGION}:CreateUploadUrl` }, args: { restMs: 1_000 } },
  ]);
});

describe('a call outside any verification', () => {
  const enter = (
    reply: unknown[],
    method: 'takeSlot' | 'checkEntry' = 'takeSlot',
    action: typeof DETECT | typeof SEQUENCE = SEQUENCE,
  ) => {
    const { gate, calls } = createGate({ 'acquire-slot': () => reply });
    return { entry: gate[method](REGION, action, 'call-1', 250.4), gate, calls };
  };

  it('takes a slot', async () => {
    const redisNow = Date.now() + 500_000;
    const { entry, gate, calls } = enter(['go', redisNow, '7', 1, 99]);
    expect(await entry).toEqual({ epoch: '7', probe: true, slot: 99 });
    expect(calls[0]?.args).toMatchObject({ id: 'call-1', mostWaitMs: 250, lanes: 5, laneMs: 1_080, soonMs: 0 });
    expect(Math.abs(gate.clock.until(redisNow))).toBeLessThan(60_000);
  });

  it('only checks the gate, and takes no slot', async () => {
    const { entry, calls } = enter(['go', 0, '7', 0], 'checkEntry');
    expect(await entry).toEqual({ epoch: '7', probe: false, slot: 0 });
    expect(calls[0]?.args).toMatchObject({ lanes: 0 });
  });

  it.each([
    [
      'AuthFailure.SecretIdNotFound',
      { service: 'faceid', channel: 'error' },
      /^the gate of \w+ in ap-singapore is closed: (?!trouble)./,
    ],
    ['CLOSED_BY_OPERATOR', { service: 'bestframe', channel: 'local' }, /is closed: (?!trouble)./],
    ['Vendor.NeverSeen', { service: 'faceid', channel: 'error' }, /is closed: trouble with the account$/],
  ])('fails with %s if this has closed the gate', async (code, origin, message) => {
    await expect(enter(['closed', 0, code]).entry).rejects.toMatchObject({
      code,
      sent: 'no',
      ...origin,
      message: expect.stringMatching(message),
    });
  });

  it('fails if the wait would be too long', async () => {
    await expect(enter(['busy', 0]).entry).rejects.toMatchObject({
      code: 'SEQUENCE_BUSY',
      message: `too many calls of ${SEQUENCE} are waiting in ${REGION}: ask again in a few seconds`,
    });
  });
});

describe('a probe of a closed gate', () => {
  const run = async (replies: Replies, act: (gate: Gate) => Promise<unknown>) => {
    const { gate, calls } = createGate(replies);
    const answer = await act(gate);
    expect(calls[0]?.keys.gate).toBe(`{unit}:gate:${REGION}:${DETECT}`);
    return { answer, args: calls[0]?.args as ScriptArguments };
  };

  it('closes the gate, and waits from two seconds to five minutes for the next probe', async () => {
    const trouble = { id: 'v1', epoch: '3', code: 'AuthFailure' };
    const { answer, args } = await run({ 'trip-gate': () => 'tripped' }, (gate) => gate.trip(REGION, DETECT, trouble));
    expect(answer).toBe('tripped');
    expect(args).toEqual({ ...trouble, firstProbeMs: 2_000, longestProbeMs: 300_000 });
  });

  it.each([
    ['opened', true],
    ['stale', false],
  ])('answers whether it opened the gate: %s', async (reply, opened) => {
    const { answer, args } = await run({ 'reopen-gate': () => reply }, (gate) => gate.reopen(REGION, DETECT, 'v1'));
    expect(answer).toBe(opened);
    expect(args).toEqual({ id: 'v1' });
  });

  it('is left to another call', async () => {
    const { args } = await run({ 'release-probe': () => 1 }, (gate) => gate.releaseProbe(REGION, DETECT, 'v1'));
    expect(args).toEqual({ id: 'v1' });
  });
});
