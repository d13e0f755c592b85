/** Tests FaceID through `tencentcloud-sdk-nodejs`: successful answers, and the answer for each test card. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CARDS } from '../../../src/emulator/cards.ts';
import { FACEID_REGIONS } from '../../../src/emulator/faceid-actions.ts';
import { DETECT, type Lab, md5Of, openLab, VIDEO } from './lab.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab.close());

describe('CreateUploadUrl', () => {
  it.each(FACEID_REGIONS)('returns links that work with PUT, then GET: %s', async (region) => {
    const { ok } = await lab.faceId('CreateUploadUrl', { TargetAction: DETECT }, { region });
    expect(Object.keys(ok ?? {}).sort()).toEqual(['ExpiredTimestamp', 'RequestId', 'ResourceUrl', 'UploadUrl']);
    const shape = new RegExp(
      `^https://faceid-resource-[a-z]+-\\d+\\.cos\\.${region}\\.myqcloud\\.com/faceid%2F${DETECT}%2F\\d+%2F[0-9a-f-]+\\?` +
        'q-sign-algorithm=sha1&q-ak=\\w+&q-sign-time=\\d+%3B\\d+&q-key-time=\\d+%3B\\d+&q-header-list=host&q-url-param-list=&q-signature=[0-9a-f]{40}$',
    );
    expect(ok?.UploadUrl).toMatch(shape);
    expect(ok?.ResourceUrl).toMatch(shape);
    expect(String(ok?.UploadUrl).split('q-signature')[0]).toBe(String(ok?.ResourceUrl).split('q-signature')[0]);
    expect(Number(ok?.ExpiredTimestamp) - Date.now() / 1000).toBeGreaterThan(7_190);
    expect(Number(ok?.ExpiredTimestamp) - Date.now() / 1000).toBeLessThanOrEqual(7_200);

    const body = Buffer.from('a live data package');
    const put = await lab.http('PUT', String(ok?.UploadUrl), { body, headers: { 'content-md5': base64Md5(body) } });
    expect(put).toMatchObject({ status: 200, headers: { etag: `"${md5Of(body)}"` } });
    const got = await lab.http('GET', String(ok?.ResourceUrl));
    expect(got).toMatchObject({ status: 200, body });
  });

  it('returns links that refuse other methods and changes', async () => {
    const { ok } = await lab.faceId('CreateUploadUrl', { TargetAction: DETECT });
    const [upload, resource] = [String(ok?.UploadUrl), String(ok?.ResourceUrl)];
    const body = Buffer.from('x');
    for (const [method, url] of [
      ['GET', upload],
      ['PUT', resource],
      ['HEAD', resource],
      ['DELETE', upload],
      ['PUT', upload.replace('faceid%2F', 'faceid%2Fother')],
    ] as const) {
      const reply = await lab.http(method, url, method === 'PUT' ? { body } : {});
      expect(reply.status, `${method} ${url}`).toBe(403);
      if (method !== 'HEAD') expect(reply.body.toString()).toContain('<Code>SignatureDoesNotMatch</Code>');
    }
  });

  it('returns links that expire', async () => {
    const { ok } = await lab.faceId('CreateUploadUrl', { TargetAction: DETECT });
    const body = Buffer.from('x');
    await lab.control.settings({ clockSkewMs: 7_190_000 });
    expect((await lab.http('PUT', String(ok?.UploadUrl), { body })).status).toBe(200);
    await lab.control.settings({ clockSkewMs: 7_210_000 });
    const late = await lab.http('GET', String(ok?.ResourceUrl));
    await lab.control.settings({ clockSkewMs: 0 });
    expect(late.status).toBe(403);
    expect(late.body.toString()).toContain('<Code>AccessDenied</Code>');
    expect(late.body.toString()).toContain('<Message>Request has expired</Message>');
  });
});

describe('DetectReflectLivenessAndCompare', () => {
  it('answers a match with a BestFrame link that lives two hours and has another host than the inputs', async () => {
    const { ok } = await lab.faceId(DETECT, await lab.inputs({ card: 'match' }));
    expect(ok).toMatchObject({ Result: 'Success', Description: 'Success', Sim: 92.61 });
    expect(new URL(String(ok?.BestFrameUrl)).hostname).toBe(
      'faceid-result-sg-1251001002.cos.ap-singapore.myqcloud.com',
    );
    const frame = await lab.http('GET', String(ok?.BestFrameUrl));
    expect(frame.headers['content-type']).toBe('image/jpeg');
    expect(md5Of(frame.body)).toBe(ok?.BestFrameMd5);
    await lab.control.settings({ clockSkewMs: 7_210_000 });
    const late = await lab.http('GET', String(ok?.BestFrameUrl));
    await lab.control.settings({ clockSkewMs: 0 });
    expect(late.status).toBe(403);
  });

  it.each(Object.entries(CARDS))('answers for test card %s', async (card, { result, similarity }) => {
    const { ok } = await lab.faceId(DETECT, await lab.inputs({ card }));
    expect(ok).toMatchObject({ Result: result, Sim: similarity });
    expect(ok?.BestFrameUrl === '').toBe(result !== 'Success');
    const [call] = (await lab.control.calls({ action: DETECT })).slice(-1);
    const billed = result === 'Success' || result === 'FailedOperation.CompareLowSimilarity';
    expect(call).toMatchObject({ code: result, billed, requestId: ok?.RequestId });
  });

  it('reports a code as an Error if the card requests it', async () => {
    const inputs = await lab.inputs({ card: 'compareLowSimilarity', channel: 'error' });
    const { error } = await lab.faceId(DETECT, inputs);
    expect(error).toMatchObject({ code: 'FailedOperation.CompareLowSimilarity', requestId: expect.any(String) });
    const calls = await lab.control.calls({
      action: DETECT,
      code: 'FailedOperation.CompareLowSimilarity',
      billed: true,
    });
    expect(calls.map(({ requestId }) => requestId)).toContain(error?.requestId);
  });

  it('answers the code and similarity of a card, and treats a package without a card as a match', async () => {
    const named = await lab.faceId(DETECT, await lab.inputs({ card: 'FailedOperation.Surprise', similarity: 3 }));
    expect(named.ok).toMatchObject({ Result: 'FailedOperation.Surprise', Sim: 3 });
    const { gzipSync } = await import('node:zlib');
    const plain = await lab.faceId(
      DETECT,
      await lab.inputs({ card: 'match' }, { package: gzipSync('no card in here') }),
    );
    expect(plain.ok).toMatchObject({ Result: 'Success' });
  });

  it('finds a card in a package of any length, with or without a newline', async () => {
    const large = await lab.faceId(DETECT, await lab.inputs({ card: 'spoof', padBytes: 2_000_000 }));
    expect(large.ok).toMatchObject({ Result: CARDS.spoof?.result });
    const { gzipSync } = await import('node:zlib');
    const bare = await lab.inputs({ card: 'match' }, { package: gzipSync('bestframe-card {"card":"spoof"}') });
    expect((await lab.faceId(DETECT, bare)).ok).toMatchObject({ Result: CARDS.spoof?.result });
  });

  it.each([
    'bestframe-card {"card":"spoofed"}\n',
    'bestframe-card {"card":"spoof","chanel":"error"}\n',
    'bestframe-card spoof\n',
  ])('refuses a misspelt card: %s', async (text) => {
    const { gzipSync } = await import('node:zlib');
    const { error } = await lab.faceId(DETECT, await lab.inputs({ card: 'match' }, { package: gzipSync(text) }));
    expect(error).toMatchObject({ code: 'EmulatorBadCard' });
  });

  it('fails as many first calls as the card specifies', async () => {
    const card = {
      card: 'match',
      first: { throttled: 1, unreadable: 1, error: { code: 'InternalError', times: 1 }, overwritten: 1 },
    };
    const inputs = await lab.inputs(card);
    const errors = [];
    for (let call = 0; call < 4; call += 1) errors.push((await lab.faceId(DETECT, inputs)).error);
    expect(errors.map((error) => [error?.code, error?.message])).toEqual([
      ['RequestLimitExceeded', expect.stringContaining('frequency limit')],
      ['FailedOperation.DownLoadError', 'File download failed.'],
      ['InternalError', 'InternalError'],
      ['InvalidParameterValue', 'MD5 Error'],
    ]);
  });
});

describe('VideoLivenessCompare', () => {
  it.each([
    ['match', 'Success'],
    ['screenReplay', 'FailedOperation.SilentPictureLiveFail'],
  ])('answers as the card in the video specifies: %s', async (card, result) => {
    const { ok } = await lab.faceId(VIDEO, await lab.videoInputs({ card }));
    expect(ok).toMatchObject({ Result: result });
    expect(ok).not.toHaveProperty('BestFrameUrl');
    if (result !== 'Success') return expect(ok?.BestFrame).toBeNull();
    const frame = Object(ok?.BestFrame);
    const { body } = await lab.http('GET', frame.Url);
    expect(frame).toEqual({ Url: expect.any(String), MD5: md5Of(body), Size: body.length });
  });

  it.each<readonly [string, Buffer | { padBytes: number }, string]>([
    ['no video', Buffer.from('bestframe-card {"card":"match"}\n'), 'FailedOperation.LipVideoInvalid'],
    ...['qt  ', '3gp4', 'M4A ', 'heic'].map(
      (brand) =>
        [
          `a file of brand ${brand}`,
          Buffer.from(`\0\0\0\x10ftyp${brand}\0\0\0\0`, 'latin1'),
          'FailedOperation.LipVideoInvalid',
        ] as const,
    ),
    ['a video over the documented size', { padBytes: 6_400_000 }, 'FailedOperation.LipSizeError'],
  ])('refuses %s', async (_what, given, result) => {
    const { sampleVideo } = await import('../../../src/emulator/samples.ts');
    const video = Buffer.isBuffer(given) ? given : sampleVideo({ card: 'match', ...given });
    const { ok } = await lab.faceId(VIDEO, await lab.videoInputs({ card: 'match' }, { package: video }));
    expect(ok).toMatchObject({ Result: result, Sim: 0, BestFrame: null });
  });

  it.each([
    ['SILENT', '', true],
    ['SILENT', '1234', false],
    ['LIP', '1234', true],
    ['LIP', '', false],
    ['LIP', '12345', false],
    ['ACTION', '2,1', true],
    ['ACTION', '2', true],
    ['ACTION', '', false],
    ['ACTION', 'nod', false],
  ])('takes ValidateData by LivenessType: %s "%s" %s', async (LivenessType, ValidateData, isTaken) => {
    const inputs = await lab.videoInputs({ card: 'match' });
    const { ok, error } = await lab.faceId(VIDEO, { ...inputs, LivenessType, ValidateData });
    if (isTaken) expect(ok).toMatchObject({ Result: 'Success' });
    else expect(error).toMatchObject({ code: 'InvalidParameterValue' });
  });

  it('answers LifePhotoSizeError for a photo over the documented size', async () => {
    const { sampleImage } = await import('../../../src/emulator/samples.ts');
    const photo = Buffer.concat([sampleImage(), Buffer.alloc(2_400_000)]);
    const { ok } = await lab.faceId(VIDEO, await lab.videoInputs({ card: 'match' }, { photo }));
    expect(ok).toMatchObject({ Result: 'FailedOperation.LifePhotoSizeError', BestFrame: null });
  });

  it('accepts FLV and AVI', async () => {
    for (const head of [
      Buffer.from('FLV\u0001'),
      Buffer.concat([Buffer.from('RIFF'), Buffer.alloc(4), Buffer.from('AVI ')]),
    ]) {
      const video = Buffer.concat([head, Buffer.alloc(64)]);
      const { ok } = await lab.faceId(VIDEO, await lab.videoInputs({ card: 'match' }, { package: video }));
      expect(ok).toMatchObject({ Result: 'Success' });
    }
  });
});

function base64Md5(content: Buffer): string {
  return Buffer.from(md5Of(content), 'hex').toString('base64');
}
