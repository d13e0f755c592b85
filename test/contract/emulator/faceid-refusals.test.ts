/** Tests FaceID through `tencentcloud-sdk-nodejs`: each cause of a refusal must lead to the vendor's error. */
import { createHash, createHmac } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FACE } from '../../../src/emulator/face.ts';
import { sampleLiveData } from '../../../src/emulator/samples.ts';
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

describe('authentication', () => {
  it('answers SignatureFailure for a wrong key', async () => {
    const credential = { secretId: lab.emulator.credentials.secretId, secretKey: 'another' };
    expect(await refusal('CreateUploadUrl', target, { credential })).toMatchObject({
      code: 'AuthFailure.SignatureFailure',
    });
  });

  it('answers SignatureFailure if signed for another service', async () => {
    // The SDK takes the service that it signs for from the host, so it cannot produce this mismatch. The test signs the request
    // itself.
    const how = { credential: lab.emulator.credentials, headers: { 'x-tc-action': 'CreateUploadUrl' } };
    const reply = await sendSigned(how, 'cvm');
    expect(reply).toMatchObject({ Error: { Code: 'AuthFailure.SignatureFailure' } });
  });

  it('answers SecretIdNotFound for an unknown id or the vendor’s own id', async () => {
    for (const secretId of ['AKIDnobody', 'AKIDvendorofthelinks00000000000000000']) {
      expect(await refusal('CreateUploadUrl', target, { credential: { secretId, secretKey: 'x' } })).toMatchObject({
        code: 'AuthFailure.SecretIdNotFound',
      });
    }
  });

  // A clock that is behind catches up while the request is on its way, so its difference must be larger.
  it.each([301_000, -330_000])('answers SignatureExpire if clocks differ by %i ms', async (clockSkewMs) => {
    await lab.control.settings({ clockSkewMs });
    expect(await refusal('CreateUploadUrl', target)).toMatchObject({ code: 'AuthFailure.SignatureExpire' });
    await lab.control.settings({ clockSkewMs: clockSkewMs * 0.9 });
    expect((await lab.faceId('CreateUploadUrl', target)).error).toBeUndefined();
  });

  it('answers TokenFailure for expired credentials and for a missing or wrong token', async () => {
    const { secretId, secretKey } = TEMPORARY;
    expect((await lab.faceId('CreateUploadUrl', target, { credential: TEMPORARY })).error).toBeUndefined();
    for (const credential of [{ secretId, secretKey }, { ...TEMPORARY, token: 'another' }, EXPIRED]) {
      expect(await refusal('CreateUploadUrl', target, { credential })).toMatchObject({
        code: 'AuthFailure.TokenFailure',
      });
    }
  });

  it('answers InvalidAuthorization without an Authorization header', async () => {
    const reply = await sendSigned({
      credential: lab.emulator.credentials,
      headers: { 'x-tc-action': 'CreateUploadUrl' },
      omitHeader: 'authorization',
    });
    expect(reply).toMatchObject({ Error: { Code: 'AuthFailure.InvalidAuthorization' } });
  });

  it.each(['HmacSHA1', 'HmacSHA256'])(
    'accepts older signatures and refuses invalid ones with the same codes: %s',
    async (signMethod) => {
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
    },
  );

  it('accepts a signature over more headers than the SDKs sign, as documented', async () => {
    const reply = await sendSigned({
      credential: lab.emulator.credentials,
      headers: { 'x-tc-action': 'CreateUploadUrl' },
    });
    expect(reply).toMatchObject({ UploadUrl: expect.any(String) });
  });

  it('answers MissingParameter without a timestamp or region', async () => {
    const { credentials } = lab.emulator;
    const headers = { 'x-tc-action': 'CreateUploadUrl' };
    const withoutTimestamp = await sendSigned({ credential: credentials, headers, omitHeader: 'x-tc-timestamp' });
    expect(withoutTimestamp).toMatchObject({ Error: { Code: 'MissingParameter' } });
    const withoutRegion = await sendSigned({ credential: credentials, headers, omitHeader: 'x-tc-region' });
    expect(withoutRegion).toMatchObject({ Error: { Code: 'MissingParameter' } });
  });
});

describe('requests', () => {
  it('answers InvalidAction for an unknown action', async () => {
    expect(await refusal('DetectNothing', {})).toMatchObject({ code: 'InvalidAction' });
    expect(await refusal('constructor', {})).toMatchObject({ code: 'InvalidAction' });
  });

  it('answers NoSuchVersion for an unknown version', async () => {
    expect(await refusal('CreateUploadUrl', target, { version: '2018-04-01' })).toMatchObject({
      code: 'NoSuchVersion',
    });
  });

  it('answers UnsupportedRegion for an unknown region', async () => {
    expect(await refusal('CreateUploadUrl', target, { region: 'ap-guangzhou' })).toMatchObject({
      code: 'UnsupportedRegion',
    });
  });

  it('accepts GET and POST', async () => {
    const { ok } = await lab.faceId(DETECT, await lab.inputs({ card: 'match' }), { httpProfile: { reqMethod: 'GET' } });
    expect(ok).toMatchObject({ Result: 'Success' });
  });

  it('answers UnsupportedProtocol for PUT', async () => {
    const headers = { 'x-tc-action': 'CreateUploadUrl' };
    const reply = await sendSigned({ credential: lab.emulator.credentials, headers, method: 'PUT' });
    expect(reply).toMatchObject({ Error: { Code: 'UnsupportedProtocol' } });
  });

  it('answers InvalidRequest for a body that is not a JSON object', async () => {
    for (const body of ['{', '[]', 'null']) {
      const reply = await sendSigned({
        credential: lab.emulator.credentials,
        headers: { 'x-tc-action': 'CreateUploadUrl' },
        body,
      });
      expect(reply, body).toMatchObject({ Error: { Code: 'InvalidRequest' } });
    }
  });

  it('answers MissingParameter with the parameter’s name', async () => {
    expect(await refusal('CreateUploadUrl', {})).toEqual({
      code: 'MissingParameter',
      message: 'The request is missing the required parameter `TargetAction`.',
    });
    const { ImageMd5: _, ...rest } = await lab.inputs({ card: 'match' });
    expect((await refusal(DETECT, rest)).message).toContain('`ImageMd5`');
  });

  it('answers UnknownParameter with the parameter’s name', async () => {
    expect(await refusal('CreateUploadUrl', { ...target, Region: 'x' })).toEqual({
      code: 'UnknownParameter',
      message: 'The parameter `Region` is not recognized.',
    });
  });

  it('answers InvalidParameter for a value of the wrong type', async () => {
    expect(await refusal('CreateUploadUrl', { TargetAction: 5 })).toMatchObject({ code: 'InvalidParameter' });
  });

  it('answers InvalidParameterValue for a wrong TargetAction or LivenessType', async () => {
    expect(await refusal('CreateUploadUrl', { TargetAction: 'Nothing' })).toMatchObject({
      code: 'InvalidParameterValue',
    });
    const video = { ...(await lab.videoInputs({ card: 'match' })), LivenessType: 'LOUD' };
    expect(await refusal(VIDEO, video)).toMatchObject({ code: 'InvalidParameterValue' });
  });

  it('answers RequestLimitExceeded above the action’s calls per second', async () => {
    await lab.control.settings({ qps: { CreateUploadUrl: 3 } });
    const outcomes = await Promise.all(Array.from({ length: 5 }, () => lab.faceId('CreateUploadUrl', target)));
    await lab.control.reset();
    const codes = outcomes.map(({ error }) => error?.code ?? 'Success').sort();
    expect(codes).toEqual(['RequestLimitExceeded', 'RequestLimitExceeded', 'Success', 'Success', 'Success']);
    expect((await lab.faceId('CreateUploadUrl', target)).error).toBeUndefined();
  });

  it('fails every call with the account error', async () => {
    await lab.control.settings({ accountError: 'ResourceUnavailable.InArrears' });
    expect(await refusal('CreateUploadUrl', target)).toMatchObject({ code: 'ResourceUnavailable.InArrears' });
    expect(await refusal(DETECT, await lab.inputs({ card: 'match' }))).toMatchObject({
      code: 'ResourceUnavailable.InArrears',
    });
  });
});

describe('links', () => {
  it('answers invalid resourceUrl for another region or host, or an invalid URL', async () => {
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

  it('answers DownLoadError for deleted objects, bad signatures and unknown buckets', async () => {
    const inputs = await lab.inputs({ card: 'match' });
    const unreadable = { code: 'FailedOperation.DownLoadError', message: 'File download failed.' };
    const link = inputs.ImageUrl;
    const [unsigned = ''] = link.split('?');
    const altered = link.replace('/inputs/', '/inputs/other');
    const unknownBucket = link.replace(BUCKET, 'nobody-1250000000');
    for (const ImageUrl of [unsigned, altered, unknownBucket]) {
      expect(await refusal(DETECT, { ...inputs, ImageUrl }), ImageUrl).toEqual(unreadable);
    }
    const key = new URL(link).pathname.slice(1);
    await lab.cos('deleteObject', { Key: key });
    expect(await refusal(DETECT, inputs)).toEqual(unreadable);
    const calls = await lab.control.calls({ code: unreadable.code, object: `${BUCKET}/${key}` });
    expect(calls.every(({ billed }) => billed === false)).toBe(true);
    expect(calls.length).toBeGreaterThanOrEqual(2);
  });

  it('answers DownLoadError for an expired link', async () => {
    await lab.control.settings({ clockSkewMs: -200_000 });
    const key = 'inputs/short-lived';
    const inputs = await lab.inputs({ card: 'match' });
    const { md5 } = await lab.control.putObject(BUCKET, key, FACE);
    const short = { ...inputs, ImageUrl: await lab.link(key, { Expires: 60 }), ImageMd5: md5 };
    expect((await lab.faceId(DETECT, short)).ok).toMatchObject({ Result: 'Success' });
    await lab.control.settings({ clockSkewMs: 200_000 });
    expect(await refusal(DETECT, short)).toMatchObject({ code: 'FailedOperation.DownLoadError' });
  });

  it('answers MD5 Error for an object that was overwritten after hashing', async () => {
    const inputs = await lab.inputs({ card: 'match' });
    const key = new URL(inputs.LiveDataUrl).pathname.slice(1);
    await lab.control.putObject(BUCKET, key, Buffer.from('another'));
    const wrong = { code: 'InvalidParameterValue', message: 'MD5 Error' };
    expect(await refusal(DETECT, inputs)).toEqual(wrong);
    const other = await lab.inputs({ card: 'match' });
    expect(await refusal(DETECT, { ...other, ImageMd5: '0'.repeat(32) })).toEqual(wrong);
    expect(await refusal(DETECT, inputs, { language: 'zh-CN' })).toMatchObject({ message: 'md5错误' });
  });

  it('accepts an MD5 in upper case', async () => {
    const inputs = await lab.inputs({ card: 'match' });
    const upperCase = { ...inputs, LiveDataMd5: inputs.LiveDataMd5.toUpperCase() };
    expect((await lab.faceId(DETECT, upperCase)).ok).toMatchObject({ Result: 'Success' });
  });
});

describe('content', () => {
  const tinyImage = Buffer.from(FACE);
  const frameHeaderAt = tinyImage.indexOf(Buffer.from([0xff, 0xc0]));
  tinyImage.writeUInt16BE(40, frameHeaderAt + 5);
  const pngHead = Buffer.from('89504e470d0a1a0a0000000d494844520000010000000100080200000000000000', 'hex');
  const png = Buffer.concat([pngHead, Buffer.from('0000000049454e44ae426082', 'hex')]);
  const metadata = Buffer.alloc(60_000);
  const exif = Buffer.concat([Buffer.from([0xff, 0xe1, 0xea, 0x62]), metadata]);
  const cameraPhoto = Buffer.concat([FACE.subarray(0, 2), exif, exif, Buffer.from([0xff, 0xff]), FACE.subarray(2)]);

  it.each([
    ['Base64 instead of bytes', Buffer.from(FACE.toString('base64')), 'FailedOperation.LifePhotoDetectFaces'],
    ['a tiny image', tinyImage, 'FailedOperation.LifePhotoSizeError'],
    ['an image that cannot be decoded', Buffer.from([0xff, 0xd8, 0, 1, 2, 3]), 'FailedOperation.ImageDecodeFailed'],
    ['an empty image', Buffer.alloc(0), 'FailedOperation.ImageDecodeFailed'],
    ['an image of a size that no page limits', Buffer.concat([FACE, Buffer.alloc(2_400_000)]), 'Success'],
    ['half a JPEG', FACE.subarray(0, FACE.length / 2), 'FailedOperation.ImageDecodeFailed'],
    ['a JPEG without its last byte', FACE.subarray(0, -1), 'FailedOperation.ImageDecodeFailed'],
    ['PNG', png, 'Success'],
    ['a PNG without its end', pngHead, 'FailedOperation.ImageDecodeFailed'],
    ['a JPEG with large metadata', cameraPhoto, 'Success'],
  ])('answers a photo with %s', async (_what, photo, result) => {
    const { ok } = await lab.faceId(DETECT, await lab.inputs({ card: 'match' }, { photo }));
    expect(ok).toMatchObject({ Result: result, Sim: result === 'Success' ? 92.61 : 0 });
  });

  const whole = sampleLiveData({ card: 'match', padBytes: 100_000 });
  it.each([
    ['is not gzip', Buffer.from('H4sIAAAA')],
    ['has two bytes', whole.subarray(0, 2)],
    ['is cut in half', whole.subarray(0, 50_000)],
    ['lacks its last byte', whole.subarray(0, -1)],
    ['has a wrong checksum', Buffer.concat([whole.subarray(0, -8), Buffer.alloc(4), whole.subarray(-4)])],
  ])('answers LivessUnknownError for a liveness package that %s', async (_what, content) => {
    const inputs = await lab.inputs({ card: 'match' }, { package: content });
    expect((await lab.faceId(DETECT, inputs)).ok).toMatchObject({ Result: 'FailedOperation.LivessUnknownError' });
    const calls = await lab.control.calls({ action: DETECT, code: 'FailedOperation.LivessUnknownError' });
    expect(calls.filter(({ billed }) => billed)).toEqual([]);
  });
});

/** Signs and sends a request that no SDK would send. The signature follows the published description of TC3-HMAC-SHA256. */
async function sendSigned(
  how: {
    credential: { secretId: string; secretKey: string };
    headers: Record<string, string>;
    body?: string;
    omitHeader?: string;
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
  if (how.omitHeader !== undefined) delete headers[how.omitHeader];
  const reply = await lab.http(method, `https://${host}/`, { headers, body: Buffer.from(body) });
  return (JSON.parse(reply.body.toString()) as { Response: unknown }).Response;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
