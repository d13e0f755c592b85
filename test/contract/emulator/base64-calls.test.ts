/** Tests the calls that take Base64: CompareFaceLiveness, DetectAIFakeFaces, and the photos of sessions. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleImage, sampleVideo } from '../../../src/emulator/samples.ts';
import { type Lab, openLab } from './lab.ts';

const COMPARE = 'CompareFaceLiveness';
const SHIELD = 'DetectAIFakeFaces';
const base64 = (content: Buffer) => content.toString('base64');
const PHOTO = base64(sampleImage());
const MEGABYTE = 1024 * 1024;

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab.close());

function inputs(card: string, more: object = {}): object {
  return { ImageBase64: PHOTO, VideoBase64: base64(sampleVideo({ card })), LivenessType: 'SILENT', ...more };
}

async function lastCall(action: string) {
  return (await lab.control.calls({ action })).at(-1);
}

describe(COMPARE, () => {
  it.each([
    ['match', 'Success', true],
    ['compareLowSimilarity', 'FailedOperation.CompareLowSimilarity', true],
    ['notLive', 'FailedOperation.SilentThreshold', false],
  ])('answers as the card in the video specifies, with the frame as Base64: %s', async (card, result, billed) => {
    const { ok } = await lab.faceId(COMPARE, inputs(card));
    expect(ok).toMatchObject({ Result: result });
    const frame = ok?.BestFrameBase64;
    if (card === 'match') expect(Buffer.from(String(frame), 'base64').subarray(0, 2).toString('hex')).toBe('ffd8');
    else expect(frame).toBeNull();
    expect(await lastCall(COMPARE)).toMatchObject({ code: result, billed });
  });

  it.each([
    ['text that is no Base64', { ImageBase64: 'data:image/jpeg;base64,AAAA' }],
    ['Base64 without padding', { ImageBase64: 'AAA' }],
    ['an image over 3 MB', { ImageBase64: 'A'.repeat(3 * MEGABYTE + 4) }],
    ['a video over 8 MB', { VideoBase64: 'A'.repeat(8 * MEGABYTE + 4) }],
    ['another type of liveness', { LivenessType: 'LIP', ValidateData: '1234' }],
    ['actions that nobody knows', { LivenessType: 'ACTION', ValidateData: '5' }],
  ])('answers InvalidParameterValue for %s', async (_what, wrong) => {
    expect((await lab.faceId(COMPARE, inputs('match', wrong))).error?.code).toBe('InvalidParameterValue');
  });

  it('answers a Result for content of another type', async () => {
    const noVideo = await lab.faceId(COMPARE, inputs('match', { VideoBase64: PHOTO }));
    expect(noVideo.ok).toMatchObject({ Result: 'FailedOperation.LipVideoInvalid' });
    const noImage = await lab.faceId(COMPARE, inputs('match', { ImageBase64: base64(Buffer.from([1, 2, 3])) }));
    expect(noImage.ok).toMatchObject({ Result: 'FailedOperation.ImageDecodeFailed' });
  });

  it('answers RequestSizeLimitExceeded for a body over 10 MB', async () => {
    const large = { ImageBase64: 'A'.repeat(3 * MEGABYTE), VideoBase64: 'A'.repeat(8 * MEGABYTE) };
    expect((await lab.faceId(COMPARE, inputs('match', large))).error?.code).toBe('RequestSizeLimitExceeded');
  });

  it('refuses a body over 1 MB with an older signature', async () => {
    const large = { VideoBase64: base64(sampleVideo({ card: 'match', padBytes: MEGABYTE })) };
    const { error } = await lab.intl(COMPARE, inputs('match', large));
    expect(error).toMatchObject({
      code: 'AuthFailure.SignatureFailure',
      message: expect.stringContaining('size limit'),
    });
    expect((await lab.intl(COMPARE, inputs('match', large), { signMethod: 'TC3-HMAC-SHA256' })).ok).toMatchObject({
      Result: 'Success',
    });
  });
});

describe(SHIELD, () => {
  it.each([
    ['match', 'Low', []],
    ['notLive', 'Mid', ['SuspectedeAnomalyAttack']],
    ['screenReplay', 'High', ['SuspectedSpoofingAttack']],
    ['spoof', 'High', ['SuspectedSynthesisVideo', 'SuspectedBlackIndustry']],
  ])('answers the risk that the card specifies: %s', async (card, level, types) => {
    const { ok } = await lab.faceId(SHIELD, { FaceInput: base64(sampleVideo({ card })), FaceInputType: 2 });
    expect(ok).toMatchObject({ AttackRiskLevel: level, AttackRiskDetailList: types.map((Type) => ({ Type })) });
    const templates = Object(ok?.ExtraInfo).RetrievalLivenessExtraInfo;
    expect(templates).toHaveLength(card === 'spoof' ? 1 : 0);
    expect(await lastCall(SHIELD)).toMatchObject({ code: 'Success', billed: true });
  });

  it.each([
    ['spoof', 'High'],
    ['notLive', 'Mid'],
    ['match', 'Low'],
  ])('finds in BestFrame what the card of its recording names as the frame: %s', async (frame, level) => {
    const VideoBase64 = base64(sampleVideo({ card: 'match', frame }));
    const { ok: compared } = await lab.faceId(COMPARE, inputs('match', { VideoBase64 }));
    expect(compared).toMatchObject({ Result: 'Success' });
    const { ok } = await lab.faceId(SHIELD, { FaceInput: compared?.BestFrameBase64, FaceInputType: 1 });
    expect(ok).toMatchObject({ AttackRiskLevel: level });
  });

  it('takes an image, and needs no region', async () => {
    const { ok } = await lab.faceId(SHIELD, { FaceInput: PHOTO, FaceInputType: 1 }, { region: '' });
    expect(ok).toMatchObject({ AttackRiskLevel: 'Low', ExtraInfo: { RetrievalLivenessExtraInfo: [] } });
  });

  it.each([
    ['noFace', 'FailedOperation.IncompleteFace'],
    ['poorFace', 'FailedOperation.CoveredFace'],
    ['blurred', 'FailedOperation.PoorImageQuality'],
    ['engineFault', 'FailedOperation.DetectEngineSystemError'],
  ])('answers an error for a face that it cannot judge: %s', async (card, code) => {
    const { error } = await lab.faceId(SHIELD, { FaceInput: base64(sampleVideo({ card })), FaceInputType: 2 });
    expect(error?.code).toBe(code);
    expect(await lastCall(SHIELD)).toMatchObject({ code, billed: false });
  });

  it('answers an error for content of another type', async () => {
    const video = base64(sampleVideo({ card: 'match' }));
    expect((await lab.faceId(SHIELD, { FaceInput: video, FaceInputType: 1 })).error?.code).toBe(
      'FailedOperation.ImageDecodeFailed',
    );
    expect((await lab.faceId(SHIELD, { FaceInput: PHOTO, FaceInputType: 2 })).error?.code).toBe(
      'FailedOperation.VideoDecodeFailed',
    );
    for (const wrong of [{ FaceInput: PHOTO }, { FaceInputType: 1 }, { FaceInput: PHOTO, FaceInputType: 3 }])
      expect((await lab.faceId(SHIELD, wrong)).error?.code).toBe('InvalidParameter');
  });

  it('answers UnsupportedOperation for an encrypted request', async () => {
    const encrypted = { Encryption: { CiphertextBlob: 'x', Iv: 'y', EncryptList: ['FaceInput'] }, EncryptedBody: 'z' };
    expect((await lab.faceId(SHIELD, encrypted)).error?.code).toBe('UnsupportedOperation');
  });
});

describe('a call that issues a token', () => {
  const WEB = { RedirectURL: 'https://shop.example.com/done' };

  it.each([
    [
      'GetFaceIdTokenIntl',
      { CheckMode: 'compare', Image: 'A'.repeat(8 * MEGABYTE + 4) },
      'FailedOperation.ImageSizeTooLarge',
    ],
    [
      'ApplySdkVerificationToken',
      { CheckMode: 2, CompareImage: 'A'.repeat(8 * MEGABYTE + 4) },
      'InvalidParameterValue',
    ],
    [
      'ApplyWebVerificationBizTokenIntl',
      { ...WEB, CompareImageBase64: 'A'.repeat(8 * MEGABYTE + 4) },
      'InvalidParameterValue',
    ],
  ])('%s refuses a photo over 8 MB', async (action, parameters, code) => {
    expect((await lab.faceId(action, parameters)).error?.code).toBe(code);
  });

  it.each<readonly [string, object, string]>([
    ['GetFaceIdTokenIntl', { CheckMode: 'compare' }, 'MissingParameter'],
    ['GetFaceIdTokenIntl', { CheckMode: 'compare', Image: 'not Base64' }, 'InvalidParameter'],
    ['GetFaceIdTokenIntl', { SecureLevel: '1', ActionList: 'blink' }, 'InvalidParameter'],
    ['GetFaceIdTokenIntl', { ActionList: 'blink,smile' }, 'InvalidParameter'],
    ['ApplySdkVerificationToken', { CheckMode: 2 }, 'MissingParameter'],
    ['ApplySdkVerificationToken', { CheckMode: '1' }, 'InvalidParameter'],
    ['ApplySdkVerificationToken', { SelectedWarningCodes: ['-9101'] }, 'InvalidParameter'],
    ['ApplySdkVerificationToken', { SkipResultPage: 'true' }, 'InvalidParameter'],
    ['ApplySdkVerificationToken', { Extra: 'x'.repeat(1_025) }, 'InvalidParameterValue'],
    ['ApplySdkVerificationToken', { RetryLimit: 6 }, 'InvalidParameterValue'],
    ['ApplySdkVerificationToken', { Region: 'x' }, 'UnknownParameter'],
    ['ApplyWebVerificationBizTokenIntl', {}, 'MissingParameter'],
    ['ApplyWebVerificationBizTokenIntl', { RedirectURL: 'shop' }, 'InvalidParameterValue'],
    ['ApplyWebVerificationBizTokenIntl', { ...WEB, Config: { Mode: 1 } }, 'UnknownParameter'],
    ['ApplyWebVerificationBizTokenIntl', { ...WEB, Config: 'x' }, 'InvalidParameter'],
    ['ApplyWebVerificationBizTokenIntl', { ...WEB, Config: { LivenessRetryLimit: 100 } }, 'InvalidParameterValue'],
    [
      'ApplyWebVerificationBizTokenIntl',
      { ...WEB, Config: { SecurityLevel: 3, ActionList: 'nod' } },
      'InvalidParameterValue',
    ],
    ['ApplyWebVerificationBizTokenIntl', { ...WEB, Extra: 'x'.repeat(1_001) }, 'InvalidParameterValue'],
  ])('%s refuses %j with %s', async (action, parameters, code) => {
    expect((await lab.faceId(action, parameters)).error?.code).toBe(code);
  });

  it.each([
    ['no picture', Buffer.from('no picture'), '2014'],
    ['a part of a picture', sampleImage().subarray(0, 2_000), '2014'],
  ])('takes a photo that is %s, with which every comparison fails', async (_what, photo, code) => {
    const { ok } = await lab.faceId('GetFaceIdTokenIntl', { CheckMode: 'compare', Image: base64(photo) });
    const SdkToken = String(ok?.SdkToken);
    await lab.control.play({ token: SdkToken, step: 'finish' });
    expect((await lab.faceId('GetFaceIdResultIntl', { SdkToken })).ok).toMatchObject({ Result: code, Similarity: 0 });
  });

  it('is limited per action and region', async () => {
    await lab.control.settings({ qps: { ApplyLivenessToken: 1 } });
    expect((await lab.faceId('ApplyLivenessToken', {})).error).toBeUndefined();
    expect((await lab.faceId('ApplyLivenessToken', {})).error?.code).toBe('RequestLimitExceeded');
    expect((await lab.faceId('ApplyLivenessToken', {}, { region: 'ap-jakarta' })).error).toBeUndefined();
    expect((await lab.faceId('ApplyLivenessToken', {}, { region: 'sa-saopaulo' })).error?.code).toBe(
      'UnsupportedRegion',
    );
    expect((await lab.faceId('GetFaceIdTokenIntl', {}, { region: 'sa-saopaulo' })).error).toBeUndefined();
    await lab.control.reset();
  });
});
