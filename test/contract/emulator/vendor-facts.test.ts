/**
 * Calls the emulator through Tencent's SDK, and compares it with Tencent's documentation: parameters, values, regions, rates and
 * answers. Then gives the emulator one wrong shape at a time. The comparison must notice each wrong shape.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Fault } from '../../../src/emulator/control.ts';
import { ACTIONS } from '../../../src/emulator/faceid-actions.ts';
import { sampleImage, sampleVideo } from '../../../src/emulator/samples.ts';
import { DEFAULT_SETTINGS } from '../../../src/emulator/settings.ts';
import { answerDifferences, factsOf, parameterDifferences, VENDOR_FACTS } from '../../support/vendor-facts.ts';
import { DETECT, type Lab, openLab, SEQUENCE, VIDEO } from './lab.ts';

const CALLS = Object.keys(VENDOR_FACTS);

/** The calls that issue the tokens of the calls that report results. */
const STARTS: Readonly<Record<string, string>> = {
  GetSdkVerificationResult: 'ApplySdkVerificationToken',
  GetFaceIdResultIntl: 'GetFaceIdTokenIntl',
  GetLivenessResult: 'ApplyLivenessToken',
  GetWebVerificationResultIntl: 'ApplyWebVerificationBizTokenIntl',
};

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
});
afterEach(() => lab.control.clearFaults());
afterAll(() => lab.close());

/** Valid parameters of a call. @param card the test card, which determines the result of a paid call */
async function parametersOf(call: string, card = 'match'): Promise<Record<string, unknown>> {
  const base64 = (content: Buffer) => content.toString('base64');
  const startCall = STARTS[call];
  if (startCall !== undefined) {
    const { ok } = await lab.faceId(startCall, await parametersOf(startCall));
    const token = String(ok?.SdkToken ?? ok?.BizToken);
    await lab.control.play({ token, step: 'try', card: 'badLight', tags: ['09'] });
    await lab.control.play({ token, step: 'finish', card });
    return { [call === 'GetWebVerificationResultIntl' ? 'BizToken' : 'SdkToken']: token };
  }
  switch (call) {
    case 'CompareFaceLiveness':
      return { ImageBase64: base64(sampleImage()), VideoBase64: base64(sampleVideo({ card })), LivenessType: 'SILENT' };
    case 'DetectAIFakeFaces':
      return { FaceInput: base64(sampleVideo({ card })), FaceInputType: 2 };
    case 'ApplySdkVerificationToken':
      return { SdkVersion: 'PLUS', Extra: 'order 7' };
    case 'GetFaceIdTokenIntl':
      return { CheckMode: 'compare', Image: base64(sampleImage()), SdkVersion: 'PLUS', Extra: 'order 7' };
    case 'ApplyLivenessToken':
      return {};
    case 'ApplyWebVerificationBizTokenIntl':
      return {
        RedirectURL: 'https://shop.example.com/done',
        Config: { CheckMode: 1, Version: 'PLUS' },
        Extra: 'order 7',
      };
    case DETECT:
      return lab.inputs({ card });
    case VIDEO:
      return lab.videoInputs({ card });
    case SEQUENCE:
      return lab.deviceInputs({ card });
    default:
      return { TargetAction: VIDEO };
  }
}

it('emulates exactly the documented calls', () => {
  expect(Object.keys(ACTIONS).sort()).toEqual([...CALLS].sort());
});

describe.each(CALLS)('%s', (call) => {
  const facts = factsOf(call);

  it('has the documented parameters, regions and rate', () => {
    const rule = ACTIONS[call];
    expect(rule && parameterDifferences(call, rule)).toEqual([]);
    expect(rule?.regions === null ? null : [...(rule?.regions ?? [])].sort()).toEqual(facts.regions);
    expect(DEFAULT_SETTINGS.qps[call]).toBe(facts.callsPerSecond);
  });

  it('has the documented lifetimes', () => {
    const { tokenTtlMs, resultTtlMs, mediaTtlMs } = DEFAULT_SETTINGS;
    if (facts.linkMinutes !== undefined) expect(mediaTtlMs).toBe(facts.linkMinutes * 60_000);
    const { lifetimes } = facts;
    expect(resultTtlMs[call]).toBe(lifetimes && lifetimes.resultHours * 3_600_000);
    if (lifetimes !== undefined) expect(tokenTtlMs).toBe(lifetimes.tokenMinutes * 60_000);
  });

  it('refuses a request without a required parameter, and values that are not documented', async () => {
    const parameters = await parametersOf(call);
    for (const name of facts.required) {
      const { [name]: _left, ...rest } = parameters;
      const { error } = await lab.faceId(call, rest);
      expect(error).toMatchObject({ code: 'MissingParameter', message: expect.stringContaining(name) });
    }
    for (const name of Object.keys(facts.values)) {
      const wrong = typeof facts.values[name]?.[0] === 'number' ? 1_000 : 'SOMETHING';
      const { error } = await lab.faceId(call, withValue(parameters, name, wrong));
      expect([name, error?.code]).toEqual([name, facts.invalid ?? 'InvalidParameterValue']);
    }
  });

  it('accepts every documented value', async () => {
    const data: Readonly<Record<string, string>> = { LIP: '1234', ACTION: '2,1' };
    for (const [name, values] of Object.entries(facts.values)) {
      for (const value of values) {
        const more = data[value] === undefined ? {} : { ValidateData: data[value] };
        const photo = call === 'ApplySdkVerificationToken' ? { CompareImage: sampleImage().toString('base64') } : {};
        const face = value === 1 && name === 'FaceInputType' ? { FaceInput: sampleImage().toString('base64') } : {};
        const parameters = { ...(await parametersOf(call)), ...more, ...photo, ...face };
        const { ok, error } = await lab.faceId(call, withValue(parameters, name, value));
        expect([name, value, ok === undefined ? error : null]).toEqual([name, value, null]);
      }
    }
  });

  it('answers the documented shape', async () => {
    const { ok } = await lab.faceId(call, await parametersOf(call));
    expect(answerDifferences(call, ok ?? {})).toEqual([]);
    for (const link of facts.links.filter((name) => name in facts.response && !name.includes('[]'))) {
      const value = link.split('.').reduce<unknown>((inner, name) => Object(inner)[name], ok);
      expect([link, typeof value]).toEqual([link, 'string']);
    }
  });
});

/** Replaces a parameter, or a field of one: `Config.CheckMode`. */
function withValue(parameters: object, name: string, value: unknown): object {
  const [holder = '', field] = name.split('.');
  const inner = (parameters as Record<string, object>)[holder];
  return { ...parameters, [holder]: field === undefined ? value : { ...inner, [field]: value } };
}

it.each([DETECT, VIDEO])(
  '%s answers the documented shape without a frame, and with a result that a fault sets',
  async (call) => {
    const { ok: refused } = await lab.faceId(call, await parametersOf(call, 'spoof'));
    expect(answerDifferences(call, refused ?? {})).toEqual([]);
    await lab.control.fault({ kind: 'result', action: call, code: 'FailedOperation.ImageBlur' });
    const { ok: faulty } = await lab.faceId(call, await parametersOf(call));
    expect(answerDifferences(call, faulty ?? {})).toEqual([]);
  },
);

/** Changes that make an answer of the emulator wrong. */
const WRONG_ANSWERS: readonly (readonly [call: string, shape: Omit<Extract<Fault, { kind: 'shape' }>, 'kind'>])[] = [
  [VIDEO, { move: { 'BestFrame.Url': 'BestFrameUrl', 'BestFrame.MD5': 'BestFrameMd5' }, remove: ['BestFrame'] }],
  [VIDEO, { move: { 'BestFrame.Url': 'BestFrame.URL' } }],
  [VIDEO, { move: { 'BestFrame.MD5': 'BestFrame.Md5' } }],
  [VIDEO, { remove: ['BestFrame.Size'] }],
  [VIDEO, { remove: ['BestFrame'] }],
  [VIDEO, { set: { 'BestFrame.Size': '17' } }],
  [VIDEO, { set: { 'BestFrame.MD5': '1B2M2Y8AsgTpgAmY7PhCfg==' } }],
  [VIDEO, { set: { 'BestFrame.Url': 'http://a/b' } }],
  [VIDEO, { set: { BestFrame: 'https://a/b' } }],
  [VIDEO, { set: { BestFrame: [] } }],
  [VIDEO, { set: { Sim: '92.61' } }],
  [VIDEO, { move: { Sim: 'Similarity' } }],
  [DETECT, { move: { BestFrameUrl: 'BestFrame.Url', BestFrameMd5: 'BestFrame.MD5' } }],
  [DETECT, { move: { BestFrameMd5: 'BestFrameMD5' } }],
  [DETECT, { remove: ['BestFrameUrl'] }],
  [DETECT, { set: { BestFrameMd5: '0123' } }],
  [DETECT, { set: { Sim: 9_261 } }],
  [DETECT, { set: { Result: 0 } }],
  [DETECT, { move: { Description: 'Message' } }],
  [DETECT, { remove: ['RequestId'] }],
  ['CreateUploadUrl', { set: { ExpiredTimestamp: '1800000000' } }],
  ['CreateUploadUrl', { move: { ExpiredTimestamp: 'ExpiredTime' } }],
  ['CreateUploadUrl', { set: { ResourceUrl: 'a/b' } }],
  ['CreateUploadUrl', { remove: ['UploadUrl'] }],
  [SEQUENCE, { set: { ReflectSequenceMd5: 17 } }],
  [SEQUENCE, { move: { ReflectSequenceUrl: 'Url' } }],
];

it.each(WRONG_ANSWERS)('notices a wrong answer of %s: %j', async (call, shape) => {
  await lab.control.fault({ kind: 'shape', action: call, ...shape });
  const { ok } = await lab.faceId(call, await parametersOf(call));
  expect(answerDifferences(call, ok ?? {})).not.toEqual([]);
});

/** Changes to the emulator's required or accepted parameters. Each change contradicts the documentation. */
const WRONG_PARAMETERS: readonly (readonly [call: string, change: { required?: string[]; optional?: string[] }])[] = [
  ['CreateUploadUrl', { required: [] }],
  ['CreateUploadUrl', { required: ['Target'] }],
  [SEQUENCE, { optional: [] }],
  [SEQUENCE, { required: ['DeviceDataUrl', 'DeviceDataMd5', 'SecurityLevel'], optional: [] }],
  [DETECT, { optional: ['SecurityLevel'] }],
  [DETECT, { required: ['LiveDataUrl', 'ImageUrl'], optional: ['LiveDataMd5', 'ImageMd5'] }],
  [VIDEO, { optional: ['Validate'] }],
  [VIDEO, { required: ['VideoUrl', 'VideoMd5', 'ImageUrl', 'ImageMd5'], optional: ['LivenessType', 'ValidateData'] }],
];

it.each(WRONG_PARAMETERS)('notices wrong parameters of %s: %j', (call, change) => {
  const rule = ACTIONS[call] ?? { required: [], optional: [] };
  expect(parameterDifferences(call, { ...rule, ...change })).not.toEqual([]);
});
