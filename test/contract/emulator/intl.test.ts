/**
 * Tests FaceID through `tencentcloud-sdk-nodejs-intl-en`. This SDK has a typed client, with a model for the answer of each
 * action.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleImage, sampleLiveData, sampleVideo } from '../../../src/emulator/samples.ts';
import { filledFields, installedOutputs } from '../../support/vendor-facts.ts';
import { DETECT, type Lab, md5Of, openLab, TEMPORARY } from './lab.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab.close());

const signatures = [['HmacSHA256', undefined] as const, ['TC3-HMAC-SHA256', 'TC3-HMAC-SHA256'] as const];

it.each(signatures)('uploads to CreateUploadUrl’s links and verifies the uploads: %s', async (_name, signMethod) => {
  const how = signMethod === undefined ? {} : { signMethod };
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

describe('the typed models of answers', () => {
  /** Documents of CardInfo and NormalCardInfo: an answer has only the one that was read. */
  const isOtherDocument = (name: string) => /CardInfo\.(?!HKIDCard\.)/.test(name);
  /** A field that Tencent no longer fills, and one for changes of the document, of which there are none. */
  const EMPTY = ['CompareResults[].CardInfoInputJson.', 'CardVerifyResults[].EditDetails[].'];
  const FLOWS = [
    ['ApplySdkVerificationToken', { CheckMode: 1, SdkVersion: 'PLUS', Extra: 'e' }, 'GetSdkVerificationResult'],
    [
      'GetFaceIdTokenIntl',
      { CheckMode: 'compare', Image: sampleImage().toString('base64'), SdkVersion: 'PLUS', Extra: 'e' },
      'GetFaceIdResultIntl',
    ],
    ['ApplyLivenessToken', { SecureLevel: '4' }, 'GetLivenessResult'],
    [
      'ApplyWebVerificationBizTokenIntl',
      { RedirectURL: 'https://shop.example.com/', Config: { CheckMode: 1, AutoSkip: true }, Extra: 'e' },
      'GetWebVerificationResultIntl',
    ],
  ] as const;

  function missingIn(call: string, answers: readonly object[]): string[] {
    const filled = new Set(answers.flatMap((answer) => [...filledFields(answer)]));
    return installedOutputs(call).filter(
      (name) => !filled.has(name) && !isOtherDocument(name) && !EMPTY.some((field) => name.startsWith(field)),
    );
  }

  it.each(FLOWS)('have a value in every field, in one session or another: %s', async (start, parameters, result) => {
    const answers: object[] = [];
    for (const cards of [
      ['badLight', 'match'],
      ['notLive', 'spoof'],
    ]) {
      const { ok: started } = await lab.intl(start, parameters);
      expect(missingIn(start, [started ?? {}])).toEqual([]);
      const token = String(started?.SdkToken ?? started?.BizToken);
      for (const card of cards) await lab.control.play({ token, step: 'try', card });
      if (cards[1] !== 'match') await lab.control.play({ token, step: 'finish', card: 'spoof' });
      const { ok } = await lab.intl(result, { [started?.BizToken === undefined ? 'SdkToken' : 'BizToken']: token });
      answers.push(ok ?? {});
    }
    expect(missingIn(result, answers)).toEqual([]);
  });

  it('have a value in every field of CompareFaceLiveness and DetectAIFakeFaces', async () => {
    const how = { signMethod: 'TC3-HMAC-SHA256' };
    const video = sampleVideo({ card: 'match' }).toString('base64');
    const inputs = { ImageBase64: sampleImage().toString('base64'), VideoBase64: video, LivenessType: 'SILENT' };
    const compared = await lab.intl('CompareFaceLiveness', inputs, how);
    expect(missingIn('CompareFaceLiveness', [compared.ok ?? {}])).toEqual([]);
    const fake = { FaceInput: sampleVideo({ card: 'spoof' }).toString('base64'), FaceInputType: 2 };
    const judged = await lab.intl('DetectAIFakeFaces', fake);
    expect(missingIn('DetectAIFakeFaces', [judged.ok ?? {}])).toEqual([]);
  });
});

it('reports errors with their code and request id', async () => {
  const { error } = await lab.intl('CreateUploadUrl', { TargetAction: DETECT }, { region: 'eu-frankfurt' });
  expect(error).toMatchObject({ code: 'UnsupportedRegion', requestId: expect.any(String) });
  const [call] = await lab.control.calls({ code: 'UnsupportedRegion' });
  expect(call?.requestId).toBe(error?.requestId);
});
