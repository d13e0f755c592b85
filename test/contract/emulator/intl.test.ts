/** FaceID by `tencentcloud-sdk-nodejs-intl-en`, whose own client knows these actions and how their answers are shaped. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DETECT, type Lab, md5Of, openLab, TEMPORARY } from './lab.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab.close());

const ways = [['HmacSHA256', undefined] as const, ['TC3-HMAC-SHA256', 'TC3-HMAC-SHA256'] as const];

it.each(ways)('uploads by CreateUploadUrl and compares what it uploaded: %s', async (_way, signMethod) => {
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

it('hears a Result that is not Success as an answer, not as an error', async () => {
  const { ok } = await lab.intl(DETECT, await lab.inputs({ card: 'notLive' }));
  expect(ok).toMatchObject({ Result: 'FailedOperation.SilentThreshold', Sim: 0 });
});

it('takes temporary credentials', async () => {
  const { ok } = await lab.intl('CreateUploadUrl', { TargetAction: DETECT }, { credential: TEMPORARY });
  expect(ok).toMatchObject({ ExpiredTimestamp: expect.any(Number) });
});

it('is told errors with their code and request', async () => {
  const { error } = await lab.intl('CreateUploadUrl', { TargetAction: DETECT }, { region: 'eu-frankfurt' });
  expect(error).toMatchObject({ code: 'UnsupportedRegion', requestId: expect.any(String) });
  const [call] = await lab.control.calls({ code: 'UnsupportedRegion' });
  expect(call?.requestId).toBe(error?.requestId);
});
