/** A verification through the real pipeline, in-process: ends, rewinds, what is done once, and what it costs Redis. */
import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BestframeClient } from '../../src/client/client.ts';
import { CARDS } from '../../src/emulator/cards.ts';
import { createRig, type Rig } from '../support/rig.ts';

let rig: Rig;

beforeAll(async () => {
  rig = await createRig({
    env: { BESTFRAME_QPS_DETECT: '200', BESTFRAME_QPS_UPLOAD_URL: '400' },
    emulator: { qps: {} },
  });
  await rig.openWorker();
});
afterEach(() => rig.control.clearFaults());
afterAll(() => rig.dispose());

async function through(key: string, ...rest: [Parameters<Rig['request']>[1]?, Parameters<Rig['request']>[2]?]) {
  const { id } = await rig.client.enqueue(await rig.request(key, ...rest));
  const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 50_000 });
  if (view === null) throw new Error('lost');
  return view;
}

describe.each(['own-bucket', 'create-upload-url'] as const)('by %s', (upload) => {
  it('ends with a decision and a frame', async () => {
    const view = await through(`match-${upload}`, { card: 'match' }, { upload });
    expect(view).toMatchObject({
      state: 'completed',
      decision: 'match',
      next: 'accept',
      frame: 'stored',
      paidCalls: 1,
    });
    const frame = await readFile(view.bestFrame?.path ?? '');
    expect(frame.length).toBe(view.bestFrame?.bytes);
    const receipt = JSON.parse(await readFile(`${view.bestFrame?.path}.receipt.json`, 'utf8'));
    const { md5, bytes } = view.bestFrame ?? {};
    const proof = expect.any(String);
    const of = { id: view.id, decision: 'match', similarity: view.similarity, result: 'Success', paid: true, proof };
    expect(receipt).toEqual({
      ...of,
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      decidedAt: expect.any(Number),
      frame: { md5, bytes },
    });
    expect(JSON.stringify(receipt)).not.toContain(view.key);
    expect(view.stages.map(({ name, attempts }) => [name, attempts])).toEqual([
      ['upload', 1],
      ['md5', 1],
      ['detect', 1],
      ['download', 1],
    ]);
  });

  it.each([
    ['lowSimilarity', 'no_match', 'refuse', 1],
    ['compareLowSimilarity', 'no_match', 'refuse', 1],
    ['spoof', 'not_live', 'refuse', 0],
    ['badLight', 'recapture', 'recapture', 0],
  ] as const)('%s completes as %s', async (card, decision, next, paidCalls) => {
    const view = await through(`${card}-${upload}`, { card }, { upload });
    expect(view).toMatchObject({ state: 'completed', decision, next, paidCalls });
    const code = CARDS[card]?.result;
    if (code === 'Success') expect(view.reason).toBeNull();
    else expect(view.reason).toMatchObject({ code, class: 'rejected', advice: expect.stringMatching(/\w/) });
  });

  it('goes back to upload when Tencent cannot read the link, under a fresh key', async () => {
    const view = await through(`unreadable-${upload}`, { card: 'match', first: { unreadable: 1 } }, { upload });
    expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1 });
    const action = 'DetectReflectLivenessAndCompare';
    const asked = upload === 'own-bucket' ? await rig.control.calls({ action, object: view.id }) : [];
    const keys = asked.map((call) => call.objects?.[0]);
    expect(new Set(keys).size).toBe(keys.length);
    expect(view.stages.find(({ name }) => name === 'upload')?.attempts).toBe(2);
  });

  it('is held for a person when it stays unreadable: two rewinds, three uploads, nothing paid', async () => {
    const view = await through(`never-${upload}`, { card: 'match', first: { unreadable: 9 } }, { upload });
    expect(view).toMatchObject({ state: 'held', decision: null, next: 'investigate', paidCalls: 0 });
    expect(view.reason).toMatchObject({ code: 'FailedOperation.DownLoadError', class: 'reupload', stage: 'detect' });
    expect(view.stages.find(({ name }) => name === 'upload')?.attempts).toBe(3);
  });
});

it('does VideoLivenessCompare by the same stages', async () => {
  const { sampleVideo, sampleImage } = await import('../../src/emulator/samples.ts');
  const video = await rig.file('face.mp4', sampleVideo({ card: 'match' }));
  const image = await rig.file('face.jpg', sampleImage());
  const { id } = await rig.client.enqueue({
    key: 'video',
    action: 'VideoLivenessCompare',
    region: 'ap-singapore',
    upload: 'own-bucket',
    liveness: { type: 'SILENT' },
    resources: { video: { from: 'file', path: video }, image: { from: 'file', path: image } },
  });
  const view = await rig.client.wait(id, { until: 'ended' });
  expect(view).toMatchObject({ state: 'completed', decision: 'match', frame: 'stored' });
  const calls = await rig.control.calls({ action: 'VideoLivenessCompare', object: id });
  expect(calls).toHaveLength(1);
});

it('throttling costs no attempt and pays once', async () => {
  const view = await through('throttled', { card: 'match', first: { throttled: 3 } });
  expect(view).toMatchObject({ state: 'completed', paidCalls: 1 });
  const record = await rig.redis.hget(rig.names.journal(view.id), 'a:detect');
  expect(record).toBeNull();
});

it('an object that is overwritten after the upload is found, and uploaded again under another key', async () => {
  const view = await through('overwritten', { card: 'match', first: { overwritten: 1 } });
  expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1 });
  expect(view.history.some(({ event }) => event === 'error')).toBe(true);
});

it('a detect that is done but never answered is repeated once, and counted as possibly paid', async () => {
  await rig.control.fault({ kind: 'drop', action: 'DetectReflectLivenessAndCompare' });
  const deadline = new Date(Date.now() + 120_000).toISOString();
  const view = await through('dropped', { card: 'match' }, { deadline });
  expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 1 });
});

it('a frame that cannot be had never hides the decision, and nothing is paid again', async () => {
  await rig.control.fault({
    kind: 'error',
    service: 'cos',
    action: 'GetObject',
    object: 'faceid-result',
    code: 'NoSuchKey',
    status: 404,
    times: null,
  });
  const view = await through('no-frame');
  expect(view).toMatchObject({ state: 'completed', decision: 'match', next: 'accept', frame: 'lost', paidCalls: 1 });
  expect(view.reason?.code).toBe('FRAME_MISSING');
});

it('the decision is visible the moment detect is committed, while the frame is still on its way', async () => {
  const hold = await rig.control.fault({ kind: 'hold', service: 'cos', action: 'GetObject', object: 'faceid-result' });
  const { id } = await rig.client.enqueue(await rig.request('early'));
  const early = await rig.client.wait(id);
  expect(early).toMatchObject({ state: 'active', decision: 'match', next: 'accept', frame: 'pending' });
  await rig.control.release(hold);
  const view = await rig.client.wait(id, { until: 'ended' });
  expect(view).toMatchObject({ state: 'completed', frame: 'stored' });
});

it('an account in arrears costs no attempts and ends nothing: it goes on once it is mended', async () => {
  await rig.control.settings({ accountError: 'ResourceUnavailable.InArrears' });
  const deadline = new Date(Date.now() + 120_000).toISOString();
  const { id } = await rig.client.enqueue(await rig.request('arrears', { card: 'match' }, { deadline }));
  await rig.control.waitFor({ code: 'ResourceUnavailable.InArrears', object: id });
  await rig.control.settings({ accountError: null });
  const view = await rig.client.wait(id, { until: 'ended' });
  expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1 });
  expect(await rig.redis.hget(rig.names.journal(id), 'a:detect')).toBeNull();
});

it('a live verification that meets a test worker is not called, and says why: the emulator must never answer it', async () => {
  const live = new BestframeClient({
    redis: rig.config.redis,
    prefix: rig.config.prefix,
    mode: 'live',
    fileRoots: rig.config.fileRoots,
  });
  const { id } = await live.enqueue(await rig.request('live'));
  await expect.poll(async () => (await live.get(id))?.reason?.code).toBe('MODE_MISMATCH');
  expect(await live.get(id)).toMatchObject({ mode: 'live', state: 'delayed', paidCalls: 0 });
  expect(await rig.control.calls({ object: id })).toEqual([]);
  expect((await live.cancel(id)).status).toBe('cancelled');
  await live.close();
});

it('the own bucket is empty again once verifications have ended', async () => {
  await rig.openErase();
  const { id } = await rig.client.enqueue(await rig.request('erased'));
  await rig.client.wait(id, { until: 'ended' });
  await rig.control.waitFor({ service: 'cos', action: 'DeleteObject', object: id }, 2);
  await rig.control.waitFor({ service: 'cos', action: 'HeadObject', object: id, code: 'NoSuchKey' }, 2);
  const left = (await rig.control.objects()).filter(({ key }) => key.includes(id));
  expect(left).toEqual([]);
});

it('no link, secret or path is in any key of Redis that outlives the end, nor in any log line', async () => {
  const view = await through('clean', { card: 'match' }, { upload: 'create-upload-url' });
  const { journal, history, job } = {
    journal: rig.names.journal(view.id),
    history: rig.names.history(view.id),
    job: rig.names.job('ap-singapore', view.id).job,
  };
  const kept = JSON.stringify([
    await rig.redis.hgetall(journal),
    await rig.redis.lrange(history, 0, -1),
    await rig.redis.hgetall(job),
  ]);
  const withoutFrame = kept.replaceAll(view.bestFrame?.path ?? '', '');
  expect(withoutFrame).not.toMatch(/https?:|q-sign|inputs|bestframe-emulator-secret|-live\.gz/);
  expect(JSON.stringify(rig.lines)).not.toMatch(/https?:|q-sign|inputs|bestframe-emulator-secret|-live\.gz/);
});
