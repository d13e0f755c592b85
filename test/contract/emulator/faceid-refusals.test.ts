/** FaceID by `tencentcloud-sdk-nodejs`: each refusal from its cause, in the vendor's words. */
import { createHash, createHmac } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FACE } from '../../../src/emulator/face.ts';
import { BUCKET, DETECT, EXPIRED, type FaceIdCall, type Lab, openLab, TEMPORARY, VIDEO } from './lab.ts';

let lab: Lab;
const target = { TargetAction: DETECT };

beforeAll(async () => {
  lab = await openLab();
});
afterEach(async () => {
  await lab.control.settings({ clockSkewMs: 0, accountError: null });
});
afterAll(() => lab.close());

async function refusal(action: string, parameters: object, how: FaceIdCall = {}) {
  const { ok, error } = await lab.faceId(action, parameters, how);
  expect(ok).toBeUndefined();
  expect(error?.requestId).toMatch(/^[0-9a-f-]{36}$/);
  return { code: error?.code, message: error?.message };
}

describe('who asks', () => {
  it('SignatureFailure: a wrong key', async () => {
    const credential = { secretId: lab.emulator.credentials.secretId, secretKey: 'another' };
    expect(await refusal('CreateUploadUrl', target, { credential })).toMatchObject({
      code: 'AuthFailure.SignatureFailure',
    });
  });

  it('SignatureFailure: signed for another service', async () => {
    // The SDK takes the first label of the endpoint for the service; a proxy of one's own in front changes that label.
    const how = { credential: lab.emulator.credentials, headers: { 'x-tc-action': 'CreateUploadUrl' } };
    const reply = await signedByHand(how, 'cvm');
    expect(reply).toMatchObject({ Error: { Code: 'AuthFailure.SignatureFailure' } });
  });

  it('SecretIdNotFound: an unknown id, also one of the vendor’s own', async () => {
    for (const secretId of ['AKIDnobody', 'AKIDvendorofthelinks00000000000000000']) {
      expect(await refusal('CreateUploadUrl', target, { credential: { secretId, secretKey: 'x' } })).toMatchObject({
        code: 'AuthFailure.SecretIdNotFound',
      });
    }
  });

  it.each([301_000, -301_000])('SignatureExpire: clocks that are %i ms apart', async (clockSkewMs) => {
    await lab.control.settings({ clockSkewMs });
    expect(await refusal('CreateUploadUrl', target)).toMatchObject({ code: 'AuthFailure.SignatureExpire' });
    await lab.control.settings({ clockSkewMs: clockSkewMs * 0.9 });
    expect((await lab.faceId('CreateUploadUrl', target)).error).toBeUndefined();
  });

  it('TokenFailure: temporary credentials without their token, with another, or past their time', async () => {
    const { secretId, secretKey } = TEMPORARY;
    expect((await lab.faceId('CreateUploadUrl', target, { credential: TEMPORARY })).error).toBeUndefined();
    for (const credential of [{ secretId, secretKey }, { ...TEMPORARY, token: 'another' }, EXPIRED]) {
      expect(await refusal('CreateUploadUrl', target, { credential })).toMatchObject({
        code: 'AuthFailure.TokenFailure',
      });
    }
  });

  it('InvalidAuthorization: none that could be read', async () => {
    const reply = await signedByHand({
      credential: lab.emulator.credentials,
      headers: { 'x-tc-action': 'CreateUploadUrl' },
      leaveOut: 'authorization',
    });
    expect(reply).toMatchObject({ Error: { Code: 'AuthFailure.InvalidAuthorization' } });
  });

  it.each(['HmacSHA1', 'HmacSHA256'])('takes the older way to sign, and refuses alike: %s', async (signMethod) => {
    const { secretId, secretKey } = TEMPORARY;
    for (const reqMethod of ['GET', 'POST']) {
      const how = { signMethod, httpProfile: { reqMethod } };
      const links = await lab.inputs({ card: 'match' });
      expect((await lab.faceId(DETECT, links, how)).ok).toMatchObject({ Result: 'Success' });
      expect((await lab.faceId(DETECT, links, { ...how, credential: TEMPORARY })).ok).toMatchObject({
        Result: 'Success',
      });
      const codes = [];
      for (const credential of [{ secretId: 'AKIDnobody', secretKey }, { secretId, secretKey }, EXPIRED]) {
        codes.push((await refusal('CreateUploadUrl', target, { ...how, credential })).code);
      }
      codes.push(
        (await refusal('CreateUploadUrl', target, { ...how, credential: { ...TEMPORARY, secretKey: 'x' } })).code,
      );
      await lab.control.settings({ clockSkewMs: 400_000 });
      codes.push((await refusal('CreateUploadUrl', target, how)).code);
      await lab.control.settings({ clockSkewMs: 0 });
      expect(codes).toEqual([
        'AuthFailure.SecretIdNotFound',
        'AuthFailure.TokenFailure',
        'AuthFailure.TokenFailure',
        'AuthFailure.SignatureFailure',
        'AuthFailure.SignatureExpire',
      ]);
    }
  });

  it('a signature over more headers than the SDKs sign, by the published description', async () => {
    const reply = await signedByHand({
      credential: lab.emulator.credentials,
      headers: { 'x-tc-action': 'CreateUploadUrl' },
    });
    expect(reply).toMatchObject({ UploadUrl: expect.any(String) });
  });

  it('MissingParameter: no timestamp, no region', async () => {
    const { credentials } = lab.emulator;
    const headers = { 'x-tc-action': 'CreateUploadUrl' };
    const timeless = await signedByHand({ credential: credentials, headers, leaveOut: 'x-tc-timestamp' });
    expect(timeless).toMatchObject({ Error: { Code: 'MissingParameter' } });
    const nowhere = await signedByHand({ credential: credentials, headers, leaveOut: 'x-tc-region' });
    expect(nowhere).toMatchObject({ Error: { Code: 'MissingParameter' } });
  });
});

describe('what is asked', () => {
  it('InvalidAction', async () => {
    expect(await refusal('DetectNothing', {})).toMatchObject({ code: 'InvalidAction' });
    expect(await refusal('constructor', {})).toMatchObject({ code: 'InvalidAction' });
  });

  it('NoSuchVersion', async () => {
    expect(await refusal('CreateUploadUrl', target, { version: '2018-04-01' })).toMatchObject({
      code: 'NoSuchVersion',
    });
  });

  it('UnsupportedRegion', async () => {
    expect(await refusal('CreateUploadUrl', target, { region: 'ap-guangzhou' })).toMatchObject({
      code: 'UnsupportedRegion',
    });
  });

  it('takes GET as well as POST', async () => {
    const { ok } = await lab.faceId(DETECT, await lab.inputs({ card: 'match' }), { httpProfile: { reqMethod: 'GET' } });
    expect(ok).toMatchObject({ Result: 'Success' });
  });

  it('UnsupportedProtocol: PUT', async () => {
    const headers = { 'x-tc-action': 'CreateUploadUrl' };
    const reply = await signedByHand({ credential: lab.emulator.credentials, headers, method: 'PUT' });
    expect(reply).toMatchObject({ Error: { Code: 'UnsupportedProtocol' } });
  });

  it('InvalidRequest: a body that is no JSON object', async () => {
    for (const body of ['{', '[]', 'null']) {
      const reply = await signedByHand({
        credential: lab.emulator.credentials,
        headers: { 'x-tc-action': 'CreateUploadUrl' },
        body,
      });
      expect(reply, body).toMatchObject({ Error: { Code: 'InvalidRequest' } });
    }
  });

  it('MissingParameter, with its name', async () => {
    expect(await refusal('CreateUploadUrl', {})).toEqual({
      code: 'MissingParameter',
      message: 'The request is missing the required parameter `TargetAction`.',
    });
    const { ImageMd5: _, ...rest } = await lab.inputs({ card: 'match' });
    expect((await refusal(DETECT, rest)).message).toContain('`ImageMd5`');
  });

  it('UnknownParameter, with its name', async () => {
    expect(await refusal('CreateUploadUrl', { ...target, Region: 'x' })).toEqual({
      code: 'UnknownParameter',
      message: 'The parameter `Region` is not recognized.',
    });
  });

  it('InvalidParameter: a value of another type', async () => {
    expect(await refusal('CreateUploadUrl', { TargetAction: 5 })).toMatchObject({ code: 'InvalidParameter' });
  });

  it('InvalidParameterValue: TargetAction, LivenessType', async () => {
    expect(await refusal('CreateUploadUrl', { TargetAction: 'Nothing' })).toMatchObject({
      code: 'InvalidParameterValue',
    });
    const video = { ...(await lab.videoInputs({ card: 'match' })), LivenessType: 'LOUD' };
    expect(await refusal(VIDEO, video)).toMatchObject({ code: 'InvalidParameterValue' });
  });

  it('RequestLimitExceeded over the calls a second, by action', async () => {
    await lab.control.settings({ qps: { CreateUploadUrl: 3 } });
    const outcomes = await Promise.all(Array.from({ length: 5 }, () => lab.faceId('CreateUploadUrl', target)));
    await lab.control.reset();
    const codes = outcomes.map(({ error }) => error?.code ?? 'Success').sort();
    expect(codes).toEqual(['RequestLimitExceeded', 'RequestLimitExceeded', 'Success', 'Success', 'Success']);
    expect((await lab.faceId('CreateUploadUrl', target)).error).toBeUndefined();
  });

  it('an account that lacks something answers all calls with it', async () => {
    await lab.control.settings({ accountError: 'ResourceUnavailable.InArrears' });
    expect(await refusal('CreateUploadUrl', target)).toMatchObject({ code: 'ResourceUnavailable.InArrears' });
    expect(await refusal(DETECT, await lab.inputs({ card: 'match' }))).toMatchObject({
      code: 'ResourceUnavailable.InArrears',
    });
  });
});

describe('links', () => {
  it('invalid resourceUrl: another region, another host, no URL', async () => {
    const inputs = await lab.inputs({ card: 'match' });
    const foreign = { code: 'InvalidParameterValue', message: 'invalid resourceUrl' };
    expect(await refusal(DETECT, inputs, { region: 'ap-hongkong' })).toEqual(foreign);
    for (const ImageUrl of [
      'https://example.com/photo.jpg',
      `https://${BUCKET}.cos.accelerate.example/x?y`,
      'photo.jpg',
    ]) {
      expect(await refusal(DETECT, { ...inputs, ImageUrl }), ImageUrl).toEqual(foreign);
    }
  });

  it('DownLoadError: deleted, unsigned, altered, of no bucket', async () => {
    const inputs = await lab.inputs({ card: 'match' });
    const unreadable = { code: 'FailedOperation.DownLoadError', message: 'File download failed.' };
    const link = inputs.ImageUrl;
    const [unsigned = ''] = link.split('?');
    const altered = link.replace('/inputs/', '/inputs/other');
    const nowhere = link.replace(BUCKET, 'nobody-1250000000');
    for (const ImageUrl of [unsigned, altered, nowhere]) {
      expect(await refusal(DETECT, { ...inputs, ImageUrl }), ImageUrl).toEqual(unreadable);
    }
    const key = new URL(link).pathname.slice(1);
    await lab.cos('deleteObject', { Key: key });
    expect(await refusal(DETECT, inputs)).toEqual(unreadable);
    const calls = await lab.control.calls({ code: unreadable.code, object: `${BUCKET}/${key}` });
    expect(calls.every(({ billed }) => billed === false)).toBe(true);
    expect(calls.length).toBeGreaterThanOrEqual(2);
  });

  it('DownLoadError: expired', async () => {
    await lab.control.settings({ clockSkewMs: -200_000 });
    const key = 'inputs/short-lived';
    const inputs = await lab.inputs({ card: 'match' });
    const { md5 } = await lab.control.putObject(BUCKET, key, FACE);
    const short = { ...inputs, ImageUrl: await lab.link(key, { Expires: 60 }), ImageMd5: md5 };
    expect((await lab.faceId(DETECT, short)).ok).toMatchObject({ Result: 'Success' });
    await lab.control.settings({ clockSkewMs: 200_000 });
    expect(await refusal(DETECT, short)).toMatchObject({ code: 'FailedOperation.DownLoadError' });
  });

  it('MD5 Error: an object overwritten after its MD5 was taken', async () => {
    const inputs = await lab.inputs({ card: 'match' });
    const key = new URL(inputs.LiveDataUrl).pathname.slice(1);
    await lab.control.putObject(BUCKET, key, Buffer.from('another'));
    const wrong = { code: 'InvalidParameterValue', message: 'MD5 Error' };
    expect(await refusal(DETECT, inputs)).toEqual(wrong);
    const other = await lab.inputs({ card: 'match' });
    expect(await refusal(DETECT, { ...other, ImageMd5: '0'.repeat(32) })).toEqual(wrong);
    expect(await refusal(DETECT, inputs, { language: 'zh-CN' })).toMatchObject({ message: 'md5错误' });
  });

  it('takes an MD5 in capitals', async () => {
    const inputs = await lab.inputs({ card: 'match' });
    const capitals = { ...inputs, LiveDataMd5: inputs.LiveDataMd5.toUpperCase() };
    expect((await lab.faceId(DETECT, capitals)).ok).toMatchObject({ Result: 'Success' });
  });
});

describe('content', () => {
  const tiny = Buffer.from(FACE);
  const size = tiny.indexOf(Buffer.from([0xff, 0xc0]));
  tiny.writeUInt16BE(40, size + 5);
  const png = Buffer.from('89504e470d0a1a0a0000000d49484452000001000000010008020000', 'hex');
  const metadata = Buffer.alloc(60_000);
  const exif = Buffer.concat([Buffer.from([0xff, 0xe1, 0xea, 0x62]), metadata]);
  const camera = Buffer.concat([FACE.subarray(0, 2), exif, exif, Buffer.from([0xff, 0xff]), FACE.subarray(2)]);

  it.each([
    ['Base64 in place of bytes', Buffer.from(FACE.toString('base64')), 'FailedOperation.LifePhotoDetectFaces'],
    ['a tiny image', tiny, 'FailedOperation.LifePhotoSizeError'],
    ['an image that cannot be decoded', Buffer.from([0xff, 0xd8, 0, 1, 2, 3]), 'FailedOperation.ImageDecodeFailed'],
    ['an empty image', Buffer.alloc(0), 'FailedOperation.ImageDecodeFailed'],
    [
      'an image over the documented size',
      Buffer.concat([FACE, Buffer.alloc(2_400_000)]),
      'FailedOperation.ImageSizeTooLarge',
    ],
    ['PNG', png, 'Success'],
    ['a JPEG with much metadata', camera, 'Success'],
  ])('photo: %s', async (_what, photo, result) => {
    const { ok } = await lab.faceId(DETECT, await lab.inputs({ card: 'match' }, { photo }));
    expect(ok).toMatchObject({ Result: result, Sim: result === 'Success' ? 92.61 : 0 });
  });

  it('a liveness package that is no gzip', async () => {
    const inputs = await lab.inputs({ card: 'match' }, { package: Buffer.from('H4sIAAAA') });
    expect((await lab.faceId(DETECT, inputs)).ok).toMatchObject({ Result: 'FailedOperation.LivessUnknownError' });
  });
});

/** A request put together here by the published description of TC3-HMAC-SHA256, for what no SDK would send. */
async function signedByHand(
  how: {
    credential: { secretId: string; secretKey: string };
    headers: Record<string, string>;
    body?: string;
    leaveOut?: string;
    method?: string;
  },
  service = 'faceid',
): Promise<unknown> {
  const host = 'faceid.intl.tencentcloudapi.com';
  const timestamp = Math.floor(Date.now() / 1000);
  const date = new Date(timestamp * 1000).toISOString().slice(0, 10);
  const body = how.body ?? JSON.stringify(target);
  const type = 'application/json; charset=utf-8';
  const action = how.headers['x-tc-action'] ?? '';
  const method = how.method ?? 'POST';
  const canonical = `${method}\n/\n\ncontent-type:${type}\nhost:${host}\nx-tc-action:${action.toLowerCase()}\n\ncontent-type;host;x-tc-action\n${sha256(body)}`;
  const scope = `${date}/${service}/tc3_request`;
  const toSign = `TC3-HMAC-SHA256\n${timestamp}\n${scope}\n${sha256(canonical)}`;
  const key = hmac(hmac(hmac(`TC3${how.credential.secretKey}`, date), service), 'tc3_request');
  const signature = hmac(key, toSign).toString('hex');
  const headers: Record<string, string> = {
    'content-type': type,
    'x-tc-timestamp': String(timestamp),
    'x-tc-version': '2018-03-01',
    'x-tc-region': 'ap-singapore',
    ...how.headers,
    authorization: `TC3-HMAC-SHA256 Credential=${how.credential.secretId}/${scope}, SignedHeaders=content-type;host;x-tc-action, Signature=${signature}`,
  };
  if (how.leaveOut !== undefined) delete headers[how.leaveOut];
  const reply = await lab.http(method, `https://${host}/`, { headers, body: Buffer.from(body) });
  return (JSON.parse(reply.body.toString()) as { Response: unknown }).Response;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
