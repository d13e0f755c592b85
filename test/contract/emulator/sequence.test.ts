/** Tests GenerateReflectSequence through both Tencent SDKs: successful answers, and each cause of a refusal. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FACEID_REGIONS } from '../../../src/emulator/faceid-actions.ts';
import { sampleDeviceData } from '../../../src/emulator/samples.ts';
import { BUCKET, type FaceIdCall, type Lab, md5Of, openLab, SEQUENCE } from './lab.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
});
afterEach(() => lab.control.reset());
afterAll(() => lab.close());

async function refusal(parameters: object, how: FaceIdCall = {}) {
  const { ok, error } = await lab.faceId(SEQUENCE, parameters, how);
  expect(ok).toBeUndefined();
  expect(error?.requestId).toMatch(/^[0-9a-f-]{36}$/);
  return { code: error?.code, message: error?.message };
}

describe('a light sequence', () => {
  it.each(['faceId', 'intl'] as const)(
    'returns a link to a sequence and its MD5, and bills nothing: %s',
    async (sdk) => {
      const { ok } = await lab[sdk](SEQUENCE, await lab.deviceInputs({ card: 'match' }));
      expect(Object.keys(ok ?? {}).sort()).toEqual(['ReflectSequenceMd5', 'ReflectSequenceUrl', 'RequestId']);
      const got = await lab.http('GET', String(ok?.ReflectSequenceUrl));
      expect(got.status).toBe(200);
      expect(got.body.length).toBeGreaterThan(0);
      expect(md5Of(got.body)).toBe(ok?.ReflectSequenceMd5);
      const [call] = await lab.control.calls({ action: SEQUENCE });
      expect(call).toMatchObject({ code: 'Success', billed: false, requestId: ok?.RequestId });
      expect(call?.objects).toEqual([expect.stringContaining(`${BUCKET}/inputs/`)]);
    },
  );

  it.each(FACEID_REGIONS)('works with CreateUploadUrl’s links: %s', async (region) => {
    const body = sampleDeviceData({ card: 'match' });
    const { ok: pair } = await lab.faceId('CreateUploadUrl', { TargetAction: SEQUENCE }, { region });
    expect(String(pair?.ResourceUrl)).toContain(`faceid%2F${SEQUENCE}%2F`);
    expect((await lab.http('PUT', String(pair?.UploadUrl), { body })).status).toBe(200);
    const inputs = { DeviceDataUrl: pair?.ResourceUrl, DeviceDataMd5: md5Of(body) };
    const { ok } = await lab.faceId(SEQUENCE, inputs, { region });
    expect(new URL(String(ok?.ReflectSequenceUrl)).hostname).toMatch(
      new RegExp(`\\.cos\\.${region}\\.myqcloud\\.com$`),
    );
  });

  it('returns a different sequence for each call', async () => {
    const inputs = await lab.deviceInputs({ card: 'match' });
    const md5s = [];
    for (const SecurityLevel of ['1', '2', '3', '4']) {
      const { ok } = await lab.faceId(SEQUENCE, { ...inputs, SecurityLevel });
      md5s.push(ok?.ReflectSequenceMd5);
    }
    expect(new Set(md5s).size).toBe(4);
  });

  it('returns a link that expires', async () => {
    const { ok } = await lab.faceId(SEQUENCE, await lab.deviceInputs({ card: 'match' }));
    await lab.control.settings({ clockSkewMs: 7_190_000 });
    expect((await lab.http('GET', String(ok?.ReflectSequenceUrl))).status).toBe(200);
    await lab.control.settings({ clockSkewMs: 7_210_000 });
    const late = await lab.http('GET', String(ok?.ReflectSequenceUrl));
    expect(late.status).toBe(403);
    expect(late.body.toString()).toContain('<Message>Request has expired</Message>');
  });
});

describe('is refused', () => {
  it('with a wrong key', async () => {
    const credential = { secretId: lab.emulator.credentials.secretId, secretKey: 'another' };
    expect(await refusal(await lab.deviceInputs({ card: 'match' }), { credential })).toMatchObject({
      code: 'AuthFailure.SignatureFailure',
    });
  });

  it('without a parameter, or with an unknown one', async () => {
    const inputs = await lab.deviceInputs({ card: 'match' });
    const { DeviceDataMd5: _, ...rest } = inputs;
    expect(await refusal(rest)).toMatchObject({
      code: 'MissingParameter',
      message: expect.stringContaining('DeviceDataMd5'),
    });
    expect(await refusal({ ...inputs, ImageUrl: 'x' })).toMatchObject({ code: 'UnknownParameter' });
    expect(await refusal({ ...inputs, SecurityLevel: '5' })).toMatchObject({ code: 'InvalidParameterValue' });
    expect(await refusal(inputs, { region: 'ap-guangzhou' })).toMatchObject({ code: 'UnsupportedRegion' });
  });

  it('for a link of another region or host', async () => {
    const inputs = await lab.deviceInputs({ card: 'match' });
    const foreign = { code: 'InvalidParameterValue', message: 'invalid resourceUrl' };
    expect(await refusal(inputs, { region: 'ap-hongkong' })).toEqual(foreign);
    expect(await refusal({ ...inputs, DeviceDataUrl: 'https://example.com/device' })).toEqual(foreign);
  });

  it('for a link that cannot be read', async () => {
    const inputs = await lab.deviceInputs({ card: 'match' });
    const unreadable = { code: 'FailedOperation.DownLoadError', message: 'File download failed.' };
    const [unsigned = ''] = inputs.DeviceDataUrl.split('?');
    expect(await refusal({ ...inputs, DeviceDataUrl: unsigned })).toEqual(unreadable);
    await lab.cos('deleteObject', { Key: new URL(inputs.DeviceDataUrl).pathname.slice(1) });
    expect(await refusal(inputs)).toEqual(unreadable);
  });

  it('for a wrong MD5 or an overwritten object', async () => {
    const inputs = await lab.deviceInputs({ card: 'match' });
    const wrong = { code: 'InvalidParameterValue', message: 'MD5 Error' };
    expect(await refusal({ ...inputs, DeviceDataMd5: '0'.repeat(32) })).toEqual(wrong);
    expect(await refusal(await lab.deviceInputs({ card: 'match', first: { overwritten: 1 } }))).toEqual(wrong);
  });

  it('for content that is not Base64', async () => {
    for (const content of [Buffer.from([0x1f, 0x8b, 8, 0]), Buffer.alloc(0)]) {
      const inputs = await lab.deviceInputs({ card: 'match' }, { package: content });
      expect(await refusal(inputs)).toMatchObject({ code: 'InvalidParameterValue' });
    }
  });

  it('above the rate limit', async () => {
    await lab.control.settings({ qps: { [SEQUENCE]: 2 } });
    const inputs = await lab.deviceInputs({ card: 'match' });
    const outcomes = await Promise.all(Array.from({ length: 3 }, () => lab.faceId(SEQUENCE, inputs)));
    expect(outcomes.map(({ error }) => error?.code ?? 'Success').sort()).toEqual([
      'RequestLimitExceeded',
      'Success',
      'Success',
    ]);
  });

  it('for an account error, and when the card or a fault says so', async () => {
    await lab.control.settings({ accountError: 'ResourceUnavailable.InArrears' });
    const inputs = await lab.deviceInputs({ card: 'match' });
    expect(await refusal(inputs)).toMatchObject({ code: 'ResourceUnavailable.InArrears' });
    await lab.control.settings({ accountError: null });
    await lab.control.fault({ kind: 'error', action: SEQUENCE, code: 'FailedOperation.DownLoadTimeoutError' });
    expect(await refusal(inputs)).toMatchObject({ code: 'FailedOperation.DownLoadTimeoutError' });
    expect(await refusal(await lab.deviceInputs({ card: 'InternalError' }))).toMatchObject({ code: 'InternalError' });
    const throttled = await lab.deviceInputs({ card: 'match', first: { throttled: 1 } });
    expect(await refusal(throttled)).toMatchObject({ code: 'RequestLimitExceeded' });
    expect((await lab.faceId(SEQUENCE, throttled)).error).toBeUndefined();
  });
});
