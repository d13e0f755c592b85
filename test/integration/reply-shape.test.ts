/**
 * Tests answers of Tencent whose shape has changed. The decision is kept, and paid for once. A frame that cannot be found in the
 * answer is counted, logged and shown to the caller; the support bundle contains the answer's shape without its values.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import type { Fault } from '../../src/emulator/control.ts';
import { sampleVideo } from '../../src/emulator/samples.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const VIDEO = 'VideoLivenessCompare';

let rig: Rig;

beforeAll(async () => {
  const env = {
    BESTFRAME_QPS_DETECT: '200',
    BESTFRAME_QPS_VIDEO: '200',
    BESTFRAME_QPS_UPLOAD_URL: '200',
    BESTFRAME_BACKOFF_MS: 'batch=20,interactive=20',
    BESTFRAME_CALL_SECONDS: 'batch=1,interactive=1',
  };
  rig = await createRig({ env, emulator: { qps: {} } });
  await rig.openWorker();
});
afterEach(() => rig.control.clearFaults());
afterAll(() => rig.dispose());

const counted = async () => (await rig.client.metrics()).counters.replyShapes;
const logged = (id: string) => rig.lines.filter((line) => line.id === id && line.event === 'reply_shape');

async function request(key: string, action: typeof DETECT | typeof VIDEO): Promise<VerificationRequest> {
  const { resources, ...rest } = await rig.request(key);
  if (action === DETECT) return { ...rest, resources };
  const video = {
    from: 'file',
    path: await rig.file(`${key}.mp4`, sampleVideo({ card: 'match', nonce: key })),
  } as const;
  return { ...rest, action, resources: { video, image: resources.image }, liveness: { type: 'SILENT' } };
}

async function verify(key: string, action: typeof DETECT | typeof VIDEO, shape: Partial<Fault>) {
  await rig.control.fault({ kind: 'shape', action, ...shape } as Fault);
  const { id } = await rig.client.enqueue(await request(key, action));
  const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 50_000 });
  const bundle = await rig.client.support(id);
  if (view === null || bundle === null) throw new Error('the record is missing');
  return { id, view, bundle };
}

it('keeps the frame of a video, which is described by an object with link, MD5 and size', async () => {
  const { view, id } = await verify('video', VIDEO, { set: { NewField: 'ignored' } });
  expect(view).toMatchObject({ decision: 'match', similarity: 92.61, frame: 'stored', reason: null, paidCalls: 1 });
  expect(logged(id)).toEqual([]);
});

describe('a frame whose shape is unknown', () => {
  it.each<readonly [string, typeof DETECT | typeof VIDEO, Partial<Fault>, string[]]>([
    [
      'fields-for-file',
      VIDEO,
      { move: { 'BestFrame.Url': 'BestFrameUrl' }, remove: ['BestFrame'] },
      ['BestFrame.MD5', 'BestFrame.Url'],
    ],
    ['renamed', DETECT, { move: { BestFrameUrl: 'FrameUrl' } }, ['BestFrameUrl']],
    ['number', VIDEO, { set: { 'BestFrame.MD5': 7 } }, ['BestFrame.MD5']],
  ])('leaves the decision, and is visible everywhere: %s', async (key, action, shape, fields) => {
    const before = await counted();
    const { id, view, bundle } = await verify(key, action, shape);
    expect(view).toMatchObject({
      state: 'completed',
      decision: 'match',
      next: 'accept',
      frame: 'unknown_shape',
      bestFrame: null,
      paidCalls: 1,
      possiblyPaidCalls: 0,
      reason: { code: 'REPLY_SHAPE', stage: 'detect', requestId: expect.any(String) },
    });
    expect(await counted()).toBe(before + 1);
    expect(logged(id)).toMatchObject([{ fields, requestId: view.requestIds.at(-1) }]);
    const [answered] = bundle.history.filter((entry) => entry.shape !== undefined);
    expect(answered).toMatchObject({ event: 'done', stage: 'detect', code: 'Success' });
    expect(answered?.shape).toMatch(/^\{[A-Za-z0-9:,{}]+\}$/);
    expect(JSON.stringify([view, bundle, logged(id)])).not.toMatch(/q-sign|faceid-result|https:\/\/[^"]*bestframe%2F/);
  });

  it('does not hide another decision', async () => {
    const { resources, ...rest } = await rig.request('other', { card: 'compareLowSimilarity' });
    await rig.control.fault({ kind: 'shape', action: DETECT, set: { BestFrameUrl: 7 } });
    const { id } = await rig.client.enqueue({ ...rest, resources });
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({
      decision: 'no_match',
      similarity: 41.27,
      frame: 'unknown_shape',
      reason: { code: 'FailedOperation.CompareLowSimilarity' },
    });
  });
});

it('stores the frame if only a field that is not needed has another shape', async () => {
  const before = await counted();
  const { view, id } = await verify('size', VIDEO, { set: { 'BestFrame.Size': '17', Description: 7 } });
  expect(view).toMatchObject({ decision: 'match', frame: 'stored', reason: null });
  expect(await counted()).toBe(before + 1);
  expect(logged(id)).toMatchObject([{ fields: ['BestFrame.Size', 'Description'] }]);
});

it('a similarity of another shape never decides: the call counts as possibly paid, and is repeated', async () => {
  const before = await counted();
  const { view, bundle } = await verify('sim', DETECT, { set: { Sim: 9_261 } });
  expect(view).toMatchObject({ decision: 'match', similarity: 92.61, paidCalls: 1, possiblyPaidCalls: 1 });
  expect(await counted()).toBe(before + 1);
  const [entry] = bundle.history.filter(({ code }) => code === 'REPLY_SHAPE');
  expect(entry).toMatchObject({
    stage: 'detect',
    requestId: expect.any(String),
    shape: expect.stringContaining('Sim:number'),
  });
});

it('counts and shows an unknown shape also in an answer that does not judge the person', async () => {
  const before = await counted();
  await rig.control.fault({ kind: 'shape', action: DETECT, set: { BestFrameUrl: 7 } });
  const { id } = await rig.client.enqueue(await rig.request('engine', { card: 'engineFault' }));
  expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'failed', frame: 'none', paidCalls: 0 });
  expect(await counted()).toBe(before + 1);
  expect(logged(id)).toMatchObject([{ fields: ['BestFrameUrl'] }]);
  const shapes = (await rig.client.support(id))?.history.flatMap(({ shape }) => shape ?? []);
  expect(shapes).toEqual([expect.stringContaining('BestFrameUrl:number')]);
});

it('logs and shows an answer without a Result', async () => {
  const { id, view, bundle } = await verify('result', DETECT, { remove: ['Result'] });
  expect(view).toMatchObject({ decision: 'match', paidCalls: 1, possiblyPaidCalls: 1 });
  const unknown = rig.lines.filter((line) => line.id === id && line.event === 'unknown');
  expect(unknown.map(({ code }) => code)).toContain('REPLY_SHAPE');
  expect(bundle.history.find(({ code }) => code === 'REPLY_SHAPE')?.shape).toMatch(/^\{.*Sim:number.*\}$/);
});

it('counts unusable answers of CreateUploadUrl, and pays nothing', async () => {
  const before = await counted();
  await rig.control.fault({ kind: 'shape', action: 'CreateUploadUrl', remove: ['ResourceUrl'], times: null });
  const deadline = new Date(Date.now() + 3_000).toISOString();
  const { id } = await rig.client.enqueue({ ...(await rig.request('links')), upload: 'create-upload-url', deadline });
  const view = await rig.client.wait(id, { until: 'ended' });
  expect(view).toMatchObject({ state: 'failed', paidCalls: 0, possiblyPaidCalls: 0 });
  expect(view?.history).toContainEqual(expect.objectContaining({ code: 'REPLY_SHAPE', stage: 'upload' }));
  expect(await counted()).toBeGreaterThan(before);
});
