/** Verifications by CompareFaceLiveness, whose call carries the files, from the request to the end, against the emulator. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import { type SampleOptions, sampleImage, sampleVideo } from '../../src/emulator/samples.ts';
import { createRig, type Rig } from '../support/rig.ts';

const ACTION = 'CompareFaceLiveness';
const MIB = 1024 * 1024;

let rig: Rig;

beforeAll(async () => {
  rig = await createRig();
  await rig.openWorker({ BESTFRAME_CALL_SECONDS: 'interactive=3,batch=3' });
});
afterEach(() => rig.control.reset());
afterAll(() => rig.dispose());

async function request(
  key: string,
  sample: SampleOptions = { card: 'match' },
  more: Partial<VerificationRequest> = {},
) {
  const video = await rig.file(`${key}.mp4`, sampleVideo({ nonce: key, ...sample }));
  const image = await rig.file(`${key}.jpg`, sampleImage(key));
  return {
    ...{ key, action: ACTION, region: 'ap-singapore', liveness: { type: 'SILENT' } },
    resources: { video: { from: 'file', path: video }, image: { from: 'file', path: image } },
    ...more,
  } as VerificationRequest;
}

async function run(asked: VerificationRequest) {
  const { id } = await rig.client.enqueue(asked);
  const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 40_000 });
  if (view === null) throw new Error('the verification is missing');
  return view;
}

const paid = () => rig.control.calls({ action: ACTION });
const pathOf = (frame: object | null) => (frame !== null && 'path' in frame ? String(frame.path) : '');

describe('a verification', () => {
  it('reads, checks and sends the files, and stores the frame of the answer', async () => {
    const view = await run(await request('match'));
    expect(view).toMatchObject({
      ...{ state: 'completed', decision: 'match', next: 'accept', upload: 'in-request', action: ACTION },
      ...{ frame: 'stored', paidCalls: 1, possiblyPaidCalls: 0, reason: null },
    });
    const done = view.history.flatMap(({ event, stage }) => (event === 'done' ? [stage] : []));
    expect(done).toEqual(['read', 'md5', 'detect', 'download']);
    const frame = await readFile(pathOf(view.bestFrame));
    expect(frame.subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]));
    expect(view.bestFrame).toMatchObject({ md5: createHash('md5').update(frame).digest('hex'), bytes: frame.length });
    expect(await rig.control.calls({ action: 'PutObject' })).toEqual([]);
    expect(await rig.control.calls({ action: 'CreateUploadUrl' })).toEqual([]);
  });

  it.each([
    ['lowSimilarity', 'no_match', 'refuse', 'BELOW_THRESHOLD'],
    ['notLive', 'not_live', 'refuse', 'FailedOperation.SilentThreshold'],
    ['badLight', 'recapture', 'recapture', expect.any(String)],
  ] as const)('with the card %s is %s', async (card, decision, next, code) => {
    const view = await run(await request(`card-${card}`, { card }));
    expect(view).toMatchObject({ state: 'completed', decision, next, reason: { code, class: 'rejected' } });
  });

  it('passes the actions that the person did', async () => {
    const liveness = { type: 'ACTION', validateData: '2,1' } as const;
    expect(await run(await request('actions', undefined, { liveness }))).toMatchObject({ decision: 'match' });
  });

  it('stores no frame that nobody wants', async () => {
    const view = await run(await request('none', undefined, { frame: { to: 'none' } }));
    expect(view).toMatchObject({ decision: 'match', frame: 'none', bestFrame: null });
  });

  it('sends the largest files', async () => {
    const video = await rig.file('5-mb.mp4', sampleVideo({ card: 'match', padBytes: 5 * MIB }));
    const image = { from: 'file', path: await rig.file('largest.jpg', sampleImage('largest')) } as const;
    const view = await run(
      await request('largest', undefined, { resources: { video: { from: 'file', path: video }, image } }),
    );
    expect(view).toMatchObject({ decision: 'match', paidCalls: 1 });
  });
});

describe('is refused at once', () => {
  it.each<readonly [string, Partial<VerificationRequest>, RegExp]>([
    ['a way to upload', { upload: 'create-upload-url' }, /^upload is not a parameter of CompareFaceLiveness/],
    ['LIP', { liveness: { type: 'LIP', validateData: '1234' } }, /^liveness.type is not a type of CompareFaceLiveness/],
  ])('with %s', async (_what, more, message) => {
    const asked = await request('refused', undefined, more);
    await expect(rig.client.enqueue(asked)).rejects.toThrow(message);
  });

  it('without liveness, or without its files', async () => {
    const { liveness: _none, ...asked } = await request('refused-2');
    await expect(rig.client.enqueue(asked)).rejects.toThrow(/^liveness is missing/);
    await expect(rig.client.enqueue({ ...(await request('refused-3')), resources: {} })).rejects.toThrow(/^resources/);
  });
});

describe('a file that the call cannot carry costs nothing', () => {
  const withVideo = (asked: VerificationRequest, video: object) =>
    ({
      ...asked,
      resources: { ...asked.resources, video: { ...asked.resources.video, ...video } },
    }) as VerificationRequest;

  it('has another MD5 than the given one', async () => {
    const asked = withVideo(await request('wrong-md5'), { md5: '0'.repeat(32) });
    await expect(rig.client.enqueue(asked)).rejects.toMatchObject({ code: 'SOURCE_MD5_MISMATCH' });
  });

  it('is Base64 text instead of bytes', async () => {
    const path = await rig.file('base64.mp4', Buffer.from(sampleVideo({ card: 'match' }).toString('base64')));
    const asked = withVideo(await request('text'), { path });
    await expect(rig.client.enqueue(asked)).rejects.toMatchObject({ code: 'SOURCE_NOT_BYTES' });
  });

  it('is a video of over 8 MB as Base64', async () => {
    const path = await rig.file('over-8-mb.mp4', sampleVideo({ card: 'match', padBytes: 6 * MIB + 1_000 }));
    const asked = withVideo(await request('huge'), { path });
    await expect(rig.client.enqueue(asked)).rejects.toMatchObject({
      ...{ code: 'SOURCE_TOO_LARGE', field: 'resources.video' },
    });
  });

  it('fits, but not together with the other file', async () => {
    const video = await rig.file('almost-8-mb.mp4', sampleVideo({ card: 'match', padBytes: 5.9 * MIB }));
    const image = await rig.file('almost-3-mb.jpg', withComments(sampleImage('together'), 2.2 * MIB));
    const resources = { video: { from: 'file', path: video }, image: { from: 'file', path: image } } as const;
    const view = await run(await request('together', undefined, { resources }));
    expect(view).toMatchObject({
      ...{ state: 'failed', paidCalls: 0, stage: 'md5' },
      reason: { code: 'SOURCE_TOO_LARGE', class: 'caller', stage: 'md5' },
    });
    expect(await paid()).toEqual([]);
  });

  /** A JPEG with comments of about this many bytes. */
  function withComments(image: Buffer, bytes: number): Buffer {
    const comments: Buffer[] = [];
    for (let left = bytes; left > 0; left -= 65_000) {
      const comment = Buffer.alloc(2 + 65_000);
      comment.writeUInt16BE(0xfffe, 0);
      comment.writeUInt16BE(65_000, 2);
      comments.push(comment);
    }
    return Buffer.concat([image.subarray(0, 2), ...comments, image.subarray(2)]);
  }
});

describe('the paid call', () => {
  it('is made once more if its outcome is unknown, and both are counted', async () => {
    await rig.control.fault({ kind: 'drop', action: ACTION });
    const view = await run(await request('unknown'));
    expect(view).toMatchObject({ decision: 'match', paidCalls: 1, possiblyPaidCalls: 1 });
    expect(await paid()).toHaveLength(2);
  });

  it('waits and is repeated if it is throttled', async () => {
    await rig.control.fault({ kind: 'error', code: 'RequestLimitExceeded', action: ACTION });
    expect(await run(await request('throttled'))).toMatchObject({
      decision: 'match',
      paidCalls: 1,
      possiblyPaidCalls: 0,
    });
  });

  it('is not repeated with a file that has changed in between', async () => {
    const asked = await request('changed', undefined, { lane: 'batch' });
    await rig.control.fault({ kind: 'error', code: 'RequestLimitExceeded', action: ACTION, times: null });
    const { id } = await rig.client.enqueue(asked);
    await rig.control.waitFor({ action: ACTION }, 1);
    await rig.file('changed.mp4', sampleVideo({ card: 'match', nonce: 'another recording' }));
    const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 40_000 });
    expect(view).toMatchObject({ state: 'failed', reason: { code: 'SOURCE_CHANGED' }, paidCalls: 0 });
  });
});

describe('the frame', () => {
  const inBucket = (key: string) =>
    ({ frame: { to: 'cos', bucket: rig.bucket, region: 'ap-singapore', key: `frames/${key}` } }) as const;
  const puts = () => rig.control.calls({ service: 'cos', action: 'PutObject', code: 'OK' });

  it('is stored before the decision is recorded', async () => {
    const hold = await rig.control.fault({ kind: 'hold', service: 'cos', action: 'PutObject' });
    const { id } = await rig.client.enqueue(await request('first', undefined, inBucket('first.jpg')));
    await rig.control.waitFor({ event: 'held' }, 1);
    expect(await rig.client.get(id)).toMatchObject({ stage: 'detect', decision: null });
    await rig.control.release(hold);
    const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 20_000 });
    expect(view).toMatchObject({ decision: 'match', frame: 'stored', paidCalls: 1, possiblyPaidCalls: 0 });
  });

  it('is stored later if its bucket does not work, and the decision does not wait for it', async () => {
    const broken = await rig.control.fault({
      kind: 'error',
      code: 'ServiceUnavailable',
      service: 'cos',
      action: 'PutObject',
      times: null,
    });
    const { id } = await rig.client.enqueue(await request('later', undefined, inBucket('later.jpg')));
    expect(await rig.client.wait(id, { timeoutMs: 20_000 })).toMatchObject({ decision: 'match', frame: 'pending' });
    await rig.control.release(broken);
    const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 20_000 });
    expect(view).toMatchObject({ frame: 'stored', paidCalls: 1 });
    expect(await puts()).toHaveLength(2); // the frame and its receipt
  });

  it.each([
    ['no Base64', 'data:image/jpeg;base64,/9j/4AAQ'],
    ['of another type', { Url: 'https://example.com' }],
  ])('is missing if the answer has a frame that is %s, and the decision counts', async (what, value) => {
    await rig.control.fault({ kind: 'shape', action: ACTION, set: { BestFrameBase64: value } });
    const view = await run(await request(`shape-${what.length}`));
    expect(view).toMatchObject({ decision: 'match', frame: 'unknown_shape', paidCalls: 1, bestFrame: null });
    expect(JSON.stringify([view, rig.lines])).not.toContain('4AAQ');
  });
});

it('is erased with its frame', async () => {
  await rig.openErase();
  const view = await run(await request('erase'));
  await rig.client.erase(view.id, { by: 'officer', why: 'asked' });
  await vi.waitFor(
    async () => expect(await rig.client.receipt(view.id)).toMatchObject({ complete: true, objects: 'not_ours' }),
    { timeout: 20_000 },
  );
  await expect(readFile(pathOf(view.bestFrame))).rejects.toThrow(/ENOENT/);
});
