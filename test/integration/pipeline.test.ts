/** Tests a verification in the real pipeline, in one process: its results, rewinds, retries and traces. */
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BestframeClient } from '../../src/client/redis/client.ts';
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

async function runToEnd(key: string, ...rest: [Parameters<Rig['request']>[1]?, Parameters<Rig['request']>[2]?]) {
  const { id } = await rig.client.enqueue(await rig.request(key, ...rest));
  const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 50_000 });
  if (view === null) throw new Error('the record is missing');
  return view;
}

describe.each(['own-bucket', 'create-upload-url'] as const)('by %s', (upload) => {
  it('ends with a decision and a frame', async () => {
    const view = await runToEnd(`match-${upload}`, { card: 'match' }, { upload });
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
    const [proof, owner] = [expect.any(String), expect.any(String)];
    const of = {
      id: view.id,
      decision: 'match',
      similarity: view.similarity,
      result: 'Success',
      paid: true,
      proof,
      owner,
    };
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
    const view = await runToEnd(`${card}-${upload}`, { card }, { upload });
    expect(view).toMatchObject({ state: 'completed', decision, next, paidCalls });
    const code = CARDS[card]?.result;
    if (code === 'Success') expect(view.reason).toMatchObject({ code: 'BELOW_THRESHOLD', class: 'rejected' });
    else expect(view.reason).toMatchObject({ code, class: 'rejected', advice: expect.stringMatching(/\w/) });
  });

  it.each([
    ['package', { liveData: (bytes: Buffer) => bytes.subarray(0, 15_000) }],
    ['photo', { image: (bytes: Buffer) => bytes.subarray(0, bytes.length / 2) }],
  ] as const)('refuses a cut %s before anything is sent or paid', async (what, cut) => {
    const request = await rig.request(`cut-${what}-${upload}`, { card: 'match' }, { upload });
    for (const [name, change] of Object.entries(cut)) {
      const source = request.resources[name as 'image' | 'liveData'];
      if (source?.from === 'file') await writeFile(source.path, change(await readFile(source.path)));
    }
    const { id } = await rig.client.enqueue(request);
    const view = await rig.client.wait(id, { until: 'ended' });
    expect(view).toMatchObject({ state: 'failed', reason: { code: 'SOURCE_CUT' }, paidCalls: 0, possiblyPaidCalls: 0 });
    expect(await rig.control.calls({ object: id })).toEqual([]);
  });

  it('uploads again under a new key if Tencent cannot read the link', async () => {
    const view = await runToEnd(`unreadable-${upload}`, { card: 'match', first: { unreadable: 1 } }, { upload });
    expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1 });
    const action = 'DetectReflectLivenessAndCompare';
    const asked = upload === 'own-bucket' ? await rig.control.calls({ action, object: view.id }) : [];
    const keys = asked.map((call) => call.objects?.[0]);
    expect(new Set(keys).size).toBe(keys.length);
    expect(view.stages.find(({ name }) => name === 'upload')?.attempts).toBe(2);
  });

  it('is held for an operator if the link stays unreadable: two rewinds, three uploads, unpaid', async () => {
    const view = await runToEnd(`never-${upload}`, { card: 'match', first: { unreadable: 9 } }, { upload });
    expect(view).toMatchObject({ state: 'held', decision: null, next: 'investigate', paidCalls: 0 });
    expect(view.reason).toMatchObject({ code: 'FailedOperation.DownLoadError', class: 'reupload', stage: 'detect' });
    expect(view.stages.find(({ name }) => name === 'upload')?.attempts).toBe(3);
  });
});

it('runs VideoLivenessCompare in the same stages', async () => {
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
  const view = await runToEnd('throttled', { card: 'match', first: { throttled: 3 } });
  expect(view).toMatchObject({ state: 'completed', paidCalls: 1 });
  const record = await rig.redis.hget(rig.names.journal(view.id), 'a:detect');
  expect(record).toBeNull();
});

it('uploads again if an object was overwritten after the upload', async () => {
  const view = await runToEnd('overwritten', { card: 'match', first: { overwritten: 1 } });
  expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1 });
  expect(view.history.some(({ event }) => event === 'error')).toBe(true);
});

it('repeats once a detect call that got no answer, and counts the first call as possibly paid', async () => {
  await rig.control.fault({ kind: 'drop', action: 'DetectReflectLivenessAndCompare' });
  const deadline = new Date(Date.now() + 120_000).toISOString();
  const view = await runToEnd('dropped', { card: 'match' }, { deadline });
  expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 1 });
});

it('keeps the decision if the frame cannot be fetched, and does not pay again', async () => {
  await rig.control.fault({
    kind: 'error',
    service: 'cos',
    action: 'GetObject',
    object: 'faceid-result',
    code: 'NoSuchKey',
    status: 404,
    times: null,
  });
  const view = await runToEnd('no-frame');
  expect(view).toMatchObject({ state: 'completed', decision: 'match', next: 'accept', frame: 'lost', paidCalls: 1 });
  expect(view.reason?.code).toBe('FRAME_MISSING');
});

it('shows the decision as soon as detect is committed, before the frame is stored', async () => {
  const hold = await rig.control.fault({ kind: 'hold', service: 'cos', action: 'GetObject', object: 'faceid-result' });
  const { id } = await rig.client.enqueue(await rig.request('early'));
  const early = await rig.client.wait(id);
  expect(early).toMatchObject({ state: 'active', decision: 'match', next: 'accept', frame: 'pending' });
  await rig.control.release(hold);
  const view = await rig.client.wait(id, { until: 'ended' });
  expect(view).toMatchObject({ state: 'completed', frame: 'stored' });
});

it('waits without counting attempts while the account is in arrears, and completes afterwards', async () => {
  await rig.control.settings({ accountError: 'ResourceUnavailable.InArrears' });
  const deadline = new Date(Date.now() + 120_000).toISOString();
  const { id } = await rig.client.enqueue(await rig.request('arrears', { card: 'match' }, { deadline }));
  await rig.control.waitFor({ code: 'ResourceUnavailable.InArrears', object: id });
  await rig.control.settings({ accountError: null });
  const view = await rig.client.wait(id, { until: 'ended' });
  expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1 });
  expect(await rig.redis.hget(rig.names.journal(id), 'a:detect')).toBeNull();
});

it('refuses a request in another mode, and fails one that was enqueued before the mode was set', async () => {
  const live = new BestframeClient({
    redis: rig.config.redis,
    prefix: rig.config.prefix,
    mode: 'live',
    namespace: rig.config.namespace,
    fileRoots: rig.config.fileRoots,
  });
  const request = await rig.request('live');
  await expect(live.enqueue(request)).rejects.toMatchObject({ code: 'MODE_MISMATCH', field: 'mode' });
  await rig.redis.del(rig.names.mode); // simulates a deployment before its first worker
  const { id } = await live.enqueue(request);
  await rig.redis.set(rig.names.mode, 'test');
  const view = await live.wait(id, { until: 'ended' });
  expect(view).toMatchObject({ mode: 'live', state: 'failed', reason: { code: 'MODE_MISMATCH' }, paidCalls: 0 });
  const calls = await rig.control.calls({ object: id });
  // The clean-up after the end may have begun.
  expect(calls.filter(({ action }) => !['DeleteObject', 'HeadObject'].includes(action))).toEqual([]);
  await live.close();
});

it('uses the mode of the deployment if the client sets none, and live if there is no deployment yet', async () => {
  const { redis, prefix, namespace } = rig.config;
  const client = new BestframeClient({ redis, prefix, namespace });
  const { id } = await client.enqueue(await rig.request('adopted-mode'));
  expect(await client.wait(id, { until: 'ended' })).toMatchObject({ mode: 'test', decision: 'match' });
  await client.close();
  const early = new BestframeClient({ redis, prefix: `${prefix}-empty`, namespace });
  const { id: earlyId } = await early.enqueue(await rig.request('no-deployment'));
  expect(await early.get(earlyId)).toMatchObject({ mode: 'live', state: 'queued' });
  await early.erase(earlyId, { by: 'test', why: 'test' });
  await early.close();
});

it('does not start a worker whose mode differs from the mode of the deployment', async () => {
  const opened = rig.openWorker({ BESTFRAME_MODE: 'live', BESTFRAME_PROXY: '', BESTFRAME_CA_FILE: '' });
  await expect(opened).rejects.toMatchObject({ code: 'MODE_MISMATCH', field: 'BESTFRAME_MODE' });
});

it('fails a request for a frame in a foreign bucket before anything is uploaded', async () => {
  const frame = { to: 'cos', region: 'ap-singapore', bucket: 'others-1250000000', key: 'frames/1.jpg' } as const;
  const view = await runToEnd('frame-bucket', { card: 'match' }, { frame });
  expect(view).toMatchObject({
    state: 'failed',
    reason: { code: 'FRAME_BUCKET', field: 'frame.bucket' },
    paidCalls: 0,
  });
  expect(await rig.control.calls({ object: view.id })).toEqual([]);
});

it('removes its objects from our own bucket after the end', async () => {
  await rig.openErase();
  const { id } = await rig.client.enqueue(await rig.request('erased'));
  await rig.client.wait(id, { until: 'ended' });
  await rig.control.waitFor({ service: 'cos', action: 'DeleteObject', object: id }, 2);
  await rig.control.waitFor({ service: 'cos', action: 'HeadObject', object: id, code: 'NoSuchKey' }, 2);
  const left = (await rig.control.objects()).filter(({ key }) => key.includes(id));
  expect(left).toEqual([]);
});

it('leaves no link, secret or path in Redis after the end, or in the log', async () => {
  const view = await runToEnd('clean', { card: 'match' }, { upload: 'create-upload-url' });
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
