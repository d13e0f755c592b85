/** Second opinions of DetectAIFakeFaces, which stand beside the decision, against the emulator. */
import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import { type SampleOptions, sampleImage, sampleLiveData, sampleVideo } from '../../src/emulator/samples.ts';
import { createRig, type Rig } from '../support/rig.ts';

const SHIELD = 'DetectAIFakeFaces';
const ACTIONS = ['DetectReflectLivenessAndCompare', 'VideoLivenessCompare', 'CompareFaceLiveness'] as const;
type Action = (typeof ACTIONS)[number];

let rig: Rig;

beforeAll(async () => {
  rig = await createRig({
    env: { BESTFRAME_PRICES: `CompareFaceLiveness=0.15,${SHIELD}=0.05`, BESTFRAME_CURRENCY: 'USD' },
  });
  await rig.openWorker({ BESTFRAME_CALL_SECONDS: 'interactive=2,batch=2' });
});
afterEach(async () => {
  await rig.client.steerGate({ region: 'ap-singapore', action: SHIELD }, 'open', { by: 'test', why: 'clean' });
  await rig.control.reset();
});
afterAll(() => rig.dispose());

async function request(
  key: string,
  sample: SampleOptions = { card: 'match' },
  { action = 'CompareFaceLiveness', ...more }: Partial<VerificationRequest> & { action?: Action } = {},
) {
  const image = { from: 'file', path: await rig.file(`${key}.jpg`, sampleImage(key)) } as const;
  const live = { nonce: key, ...sample };
  const isVideo = action !== 'DetectReflectLivenessAndCompare';
  const path = await rig.file(`${key}.bin`, isVideo ? sampleVideo(live) : sampleLiveData(live));
  return {
    ...{ key, action, region: 'ap-singapore', secondOpinion: true },
    ...(action === 'CompareFaceLiveness' ? {} : { upload: 'own-bucket' }),
    ...(isVideo ? { liveness: { type: 'SILENT' } } : {}),
    resources: { [isVideo ? 'video' : 'liveData']: { from: 'file', path }, image },
    ...more,
  } as VerificationRequest;
}

async function run(asked: VerificationRequest) {
  const { id } = await rig.client.enqueue(asked);
  const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 40_000 });
  if (view === null) throw new Error('the verification is missing');
  return view;
}

const asked = () => rig.control.calls({ action: SHIELD });
const doneStages = (view: { history: readonly { event: string; stage?: string }[] }) =>
  view.history.flatMap(({ event, stage }) => (event === 'done' ? [stage] : []));

describe('after a decision that accepts', () => {
  it.each(ACTIONS)('%s: the frame is judged, and a low risk accepts', async (action) => {
    const view = await run(await request(`low-${action}`, { card: 'match' }, { action }));
    expect(view).toMatchObject({
      ...{ state: 'completed', decision: 'match', next: 'accept', stage: 'opinion', reason: null, frame: 'stored' },
      ...{ paidCalls: 1, possiblyPaidCalls: 0 },
      secondOpinion: {
        ...{ status: 'passed', level: 'Low', attacks: [], code: null, paidCalls: 1, possiblyPaidCalls: 0 },
        requestId: expect.any(String),
      },
    });
    expect(doneStages(view).slice(-2)).toEqual(['download', 'opinion']);
    expect(await asked()).toEqual([expect.objectContaining({ code: 'Success', billed: true })]);
  });

  it('a high risk refuses, and the decision stands beside it', async () => {
    const view = await run(await request('high', { card: 'match', frame: 'spoof' }));
    expect(view).toMatchObject({
      ...{ state: 'completed', decision: 'match', next: 'refuse', retake: 'none', similarity: expect.any(Number) },
      reason: { code: 'FAKE_SUSPECTED', class: 'rejected', stage: 'opinion' },
      secondOpinion: {
        ...{ status: 'suspected', level: 'High' },
        attacks: ['SuspectedSynthesisVideo', 'SuspectedBlackIndustry'],
      },
    });
    expect(view.reason?.advice).toMatch(/^Refuse the person/);
  });

  it('a medium risk accepts, and is told', async () => {
    const view = await run(await request('mid', { card: 'match', frame: 'notLive' }));
    expect(view).toMatchObject({ next: 'accept', secondOpinion: { status: 'passed', level: 'Mid' } });
  });

  it('a frame that Tencent cannot judge is taken again, at no cost', async () => {
    const view = await run(await request('covered', { card: 'match', frame: 'poorFace' }));
    expect(view).toMatchObject({
      ...{ state: 'completed', decision: 'match', next: 'recapture', retake: 'liveness', frame: 'stored' },
      reason: { code: 'FailedOperation.CoveredFace', stage: 'opinion' },
      secondOpinion: { status: 'unclear', level: null, code: 'FailedOperation.CoveredFace', paidCalls: 0 },
    });
    expect(view.secondOpinion?.possiblyPaidCalls).toBe(0);
  });

  it('keeps the caller waiting until it is known', async () => {
    const hold = await rig.control.fault({ kind: 'hold', action: SHIELD });
    const { id } = await rig.client.enqueue(await request('waiting'));
    await rig.control.waitFor({ event: 'held' }, 1);
    expect(await rig.client.get(id)).toMatchObject({
      ...{ decision: 'match', next: 'wait', stage: 'opinion', possiblyPaidCalls: 0 },
      secondOpinion: { status: 'pending', possiblyPaidCalls: 1 },
    });
    const answered = rig.client.wait(id, { timeoutMs: 20_000 });
    await rig.control.release(hold);
    expect(await answered).toMatchObject({ next: 'accept', secondOpinion: { status: 'passed' } });
  });
});

describe('is not asked for, and not paid', () => {
  it.each([
    ['lowSimilarity', 'no_match', 'refuse'],
    ['notLive', 'not_live', 'refuse'],
    ['badLight', 'recapture', 'recapture'],
  ] as const)('after a decision that does not accept: %s', async (card, decision, next) => {
    const view = await run(await request(`refused-${card}`, { card, frame: 'match' }));
    expect(view).toMatchObject({ decision, next, secondOpinion: { status: 'not_needed', paidCalls: 0 } });
    expect(await asked()).toEqual([]);
  });

  it('without the field, or with false', async () => {
    const { secondOpinion: _asked, ...plain } = await request('plain');
    const view = await run(plain);
    expect(view).toMatchObject({ next: 'accept', secondOpinion: null, stage: 'download' });
    expect(await rig.client.enqueue({ ...plain, secondOpinion: false })).toMatchObject({ status: 'same', id: view.id });
    await expect(rig.client.enqueue({ ...plain, secondOpinion: true })).rejects.toMatchObject({ code: 'KEY_CONFLICT' });
    expect(await asked()).toEqual([]);
  });
});

describe('is refused at once', () => {
  it('without a stored frame', async () => {
    const without = await request('no-frame', undefined, { frame: { to: 'none' } });
    await expect(rig.client.enqueue(without)).rejects.toThrow(/^secondOpinion needs the frame/);
  });

  it('for a session', async () => {
    const session = {
      ...{ key: 'session', action: 'ApplyLivenessToken', region: 'ap-singapore', secondOpinion: true },
    } as unknown as Parameters<typeof rig.client.startSession>[0];
    await expect(rig.client.startSession(session)).rejects.toThrow(/secondOpinion/);
  });
});

describe('the call', () => {
  it('carries the frame, as a picture, and nothing else', async () => {
    const view = await run(await request('carried', { card: 'match', frame: 'screenReplay' }));
    const frame = await readFile(String((view.bestFrame as { path?: string } | null)?.path));
    expect(frame.toString('latin1')).toContain('"card":"screenReplay"');
    expect(view.secondOpinion).toMatchObject({ level: 'High', attacks: ['SuspectedSpoofingAttack'] });
  });

  it('waits and is repeated if it is throttled, and is paid once', async () => {
    await rig.control.fault({ kind: 'error', code: 'RequestLimitExceeded', action: SHIELD });
    const view = await run(await request('throttled'));
    expect(view).toMatchObject({ next: 'accept', secondOpinion: { paidCalls: 1, possiblyPaidCalls: 0 }, paidCalls: 1 });
    expect(await asked()).toHaveLength(2);
  });

  it('is made once more if its outcome is unknown, and both are counted', async () => {
    await rig.control.fault({ kind: 'drop', action: SHIELD });
    const view = await run(await request('unknown'));
    expect(view).toMatchObject({
      ...{ next: 'accept', paidCalls: 1, possiblyPaidCalls: 0 },
      secondOpinion: { status: 'passed', paidCalls: 1, possiblyPaidCalls: 1 },
    });
    expect(await asked()).toHaveLength(2);
  });

  it('is given up after two unknown outcomes: nobody is let in, and the decision stands', async () => {
    await rig.control.fault({ kind: 'drop', action: SHIELD, times: null });
    const view = await run(await request('never'));
    expect(view).toMatchObject({
      ...{ state: 'completed', decision: 'match', next: 'investigate', frame: 'stored', paidCalls: 1 },
      reason: { code: 'OUTCOME_UNKNOWN', stage: 'opinion' },
      secondOpinion: { status: 'failed', code: 'OUTCOME_UNKNOWN', paidCalls: 0, possiblyPaidCalls: 2 },
    });
    expect(await asked()).toHaveLength(2);
  });

  it('with a level that Tencent does not document is possibly paid, and never accepts', async () => {
    await rig.control.fault({ kind: 'shape', action: SHIELD, set: { AttackRiskLevel: 'Lowest' }, times: null });
    const view = await run(await request('level'));
    expect(view).toMatchObject({
      next: 'investigate',
      secondOpinion: { status: 'failed', level: null, possiblyPaidCalls: 2 },
    });
  });

  it('is held back by its own gate until the deadline, and costs nothing', async () => {
    const gate = { region: 'ap-singapore', action: SHIELD } as const;
    await rig.client.steerGate(gate, 'pause', { by: 'test', why: 'test' });
    const deadline = new Date(Date.now() + 6_000).toISOString();
    const { id } = await rig.client.enqueue(await request('paused', undefined, { deadline }));
    const decided = await rig.client.wait(id, { timeoutMs: 3_000 });
    expect(decided).toMatchObject({ decision: 'match', next: 'wait', pausedBy: 'operator' });
    const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 20_000 });
    expect(view).toMatchObject({
      ...{ state: 'completed', next: 'investigate', frame: 'stored' },
      reason: { code: 'DEADLINE_EXCEEDED', stage: 'opinion' },
      secondOpinion: { status: 'failed', code: 'DEADLINE_EXCEEDED', paidCalls: 0, possiblyPaidCalls: 0 },
    });
    await rig.client.steerGate(gate, 'resume', { by: 'test', why: 'test' });
    expect(await asked()).toEqual([]);
  });

  it('closes its own gate on trouble with the account, and continues when it is over', async () => {
    await rig.control.fault({ kind: 'error', code: 'UnauthorizedOperation.Nonactivated', action: SHIELD });
    const view = await run(await request('account'));
    expect(view).toMatchObject({ next: 'accept', secondOpinion: { status: 'passed', paidCalls: 1 } });
    const gates = await rig.client.gates();
    expect(gates.find(({ action }) => action === SHIELD)).toMatchObject({ state: 'open' });
    const closed = rig.lines.filter(({ id, event }) => id === view.id && event === 'gate_changed');
    expect(closed.map(({ change }) => change)).toEqual(['tripped', 'opened']);
  });
});

it('waits out an outage of its own service, which concerns nobody else', async () => {
  const broken = await rig.control.fault({ kind: 'error', code: 'InternalError', action: SHIELD, times: null });
  const keys = Array.from({ length: 6 }, (_, index) => `outage-${index}`);
  const requests = await Promise.all(keys.map((key) => request(key)));
  await rig.client.enqueueMany(requests);
  const shieldOf = async () =>
    (await rig.client.breakers()).find(({ dependency }) => dependency === `faceid:${SHIELD}`)?.state;
  await expect.poll(shieldOf, { timeout: 20_000 }).toBe('down');
  const { secondOpinion: _asked, ...plain } = await request('unconcerned');
  expect(await run(plain)).toMatchObject({ next: 'accept', paidCalls: 1 });
  await rig.control.release(broken);
  for (const key of keys) {
    const view = await rig.client.wait(rig.client.idOf(key), { until: 'ended', timeoutMs: 40_000 });
    expect(view).toMatchObject({
      next: 'accept',
      secondOpinion: { status: 'passed', paidCalls: 1, possiblyPaidCalls: 0 },
    });
  }
}, 60_000);

describe('a frame that is late', () => {
  it('keeps the caller waiting no longer than the deadline', async () => {
    const broken = await rig.control.fault({
      ...{ kind: 'error', code: 'ServiceUnavailable', service: 'cos', action: 'PutObject', times: null },
    });
    const frame = { to: 'cos', bucket: rig.bucket, region: 'ap-singapore', key: 'frames/late-opinion.jpg' } as const;
    const deadline = new Date(Date.now() + 4_000).toISOString();
    const late = await request('late', undefined, { frame, deadline });
    const { id } = await rig.client.enqueue(late);
    const given = await rig.client.wait(id, { timeoutMs: 20_000 });
    expect(given).toMatchObject({ decision: 'match', next: 'investigate', secondOpinion: { status: 'failed' } });
    await rig.control.release(broken);
    const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 40_000 });
    expect(view).toMatchObject({ next: 'investigate', secondOpinion: { code: 'DEADLINE_EXCEEDED', paidCalls: 0 } });
    expect(await asked()).toEqual([]);
  });
});

it('has its own price, and its own row in the ledger', async () => {
  const before = await rig.client.costs({ by: 'action' });
  const view = await run(await request('costs'));
  expect(view.cost).toEqual({ currency: 'USD', paid: 0.15, possiblyPaid: 0 });
  expect(view.secondOpinion?.cost).toEqual({ currency: 'USD', paid: 0.05, possiblyPaid: 0 });
  const paidOf = (sums: typeof before, name: string) => sums.find((sum) => sum.name === name)?.paidCalls ?? 0;
  const after = await rig.client.costs({ by: 'action' });
  for (const name of [SHIELD, 'CompareFaceLiveness']) expect(paidOf(after, name)).toBe(paidOf(before, name) + 1);
});
