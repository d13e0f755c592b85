/**
 * Tests FaceID through `tencentcloud-sdk-nodejs-intl-en`. This SDK has a typed client, with a model for the answer of each
 * action.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DETECT, type Lab, md5Of, openLab, TEMPORARY } from './lab.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab.close());

const signatures = [['HmacSHA256', undefined] as const, ['TC3-HMAC-SHA256', 'TC3-HMAC-SHA256'] as const];

it.each(signatures)('uploads to CreateUploadUrl’s links and verifies the uploads: %s', async (_name, signMethod) => {
  const how = signMethod === undefined ? {} : { signMethod };
  const { sampleImage, sampleLiveData } = await import('../../../src/emulator/samples.ts');
  const uploaded = [];
  for (const body of [sampleLiveData({ card: 'match' }), sampleImage()]) {
    const { ok } = await lab.intl('CreateUploadUrl', { TargetAction: DETECT }, how);
    expect((await lab.http('PUT', String(ok?.UploadUrl), { body })).status).toBe(200);
    uploaded.push({ url: ok?.ResourceUrl, md5: md5Of(body) });
  }
  const [live, image] = uploaded;
  const inputs = { LiveDataUrl: live?.url, LiveDataMd5: live?.md5, ImageUrl: image?.url, ImageMd5: image?.md5 };
  const { ok } = await lab.intl(DETECT, inputs, how);
  expect(ok).toMatchObject({ Result: 'Success', Description: 'Success', Sim: 92.61, RequestId: expect.any(String) });
  const frame = await lab.http('GET', String(ok?.BestFrameUrl));
  expect(md5Of(frame.body)).toBe(ok?.BestFrameMd5);
});

it('returns a Result other than Success as an answer, not an error', async () => {
  const { ok } = await lab.intl(DETECT, await lab.inputs({ card: 'notLive' }));
  expect(ok).toMatchObject({ Result: 'FailedOperation.SilentThreshold', Sim: 0 });
});

it('accepts temporary credentials', async () => {
  const { ok } = await lab.intl('CreateUploadUrl', { TargetAction: DETECT }, { credential: TEMPORARY });
  expect(ok).toMatchObject({ ExpiredTimestamp: expect.any(Number) });
});

it('reports errors with their code and request id', async () => {
  const { error } = await lab.intl('CreateUploadUrl', { TargetAction: DETECT }, { region: 'eu-frankfurt' });
  expect(error).toMatchObject({ code: 'UnsupportedRegion', requestId: expect.any(String) });
  const [call] = await lab.control.calls({ code: 'UnsupportedRegion' });
  expect(call?.requestId).toBe(error?.requestId);
});
