/** Tests which answers Tencent bills: the documented codes, and codes that only look like them. */
import { describe, expect, it } from 'vitest';
import { hintWords } from '../../../src/domain/errors/entry.ts';
import { classify, documentedBilling, explain, failureCode } from '../../../src/domain/errors/index.ts';

describe('a call of the pure API', () => {
  it.each(['Success', 'FailedOperation.CompareLowSimilarity', 'InternalError.CompareLowSimilarity'])(
    '%s is billed',
    (code) => {
      expect(documentedBilling(code, 'pure-api')).toBe('yes');
    },
  );

  it.each([
    'InvalidParameter',
    'InvalidParameter.Anything',
    'InvalidParameterValue',
    'InvalidParameterValue.Anything',
    'UnauthorizedOperation',
    'UnauthorizedOperation.Arrears',
    'OperationDenied',
    'OperationDenied.X',
    'InternalError',
    'FailedOperation.ImageSizeTooLarge',
    ...['DownLoadError', 'UnKnown', 'CompareFail', 'LivessSystemError'].map((name) => `FailedOperation.${name}`),
    ...['DetectFaces', 'DetectFake', 'DetectNoFaces', 'PoorQuality', 'SizeError'].flatMap((name) => [
      `FailedOperation.LifePhoto${name}`,
      `InternalError.LifePhoto${name}`,
    ]),
    ...['CoveredFace', 'DetectEngineSystemError', 'ImageDecodeFailed'].map((name) => `FailedOperation.${name}`),
    ...['AuthFailure', 'RequestLimitExceeded', 'MissingParameter', 'LimitExceeded', 'UnsupportedOperation'].flatMap(
      (name) => [name, `${name}.X`],
    ),
    ...['ActionOffline', 'InvalidAction', 'InvalidRequest', 'IpInBlacklist', 'IpNotInWhitelist', 'NoSuchProduct'],
    ...['NoSuchVersion', 'RequestSizeLimitExceeded', 'UnknownParameter', 'UnsupportedProtocol', 'UnsupportedRegion'],
    'FailedOperation.RequestLimitExceeded',
    'FailedOperation.UnOpenError',
    'ResourceUnavailable.InArrears',
    'ResourceUnavailable.ResourcePackageRunOut',
  ])('%s is not billed', (code) => {
    expect(documentedBilling(code, 'pure-api')).toBe('no');
  });

  it('of the AI face shield has a table of its own', () => {
    const billedAs = (name: string) => documentedBilling(name, 'face-shield');
    expect([billedAs('Success'), billedAs('FailedOperation.IncompleteFace')]).toEqual(['yes', 'no']);
    expect(documentedBilling('FailedOperation.IncompleteFace', 'pure-api')).toBe('unknown');
    expect([billedAs('InternalError'), billedAs('FailedOperation.CompareLowSimilarity')]).toEqual(['no', 'unknown']);
  });

  it.each([
    '',
    'success',
    'xSuccess',
    'Success.X',
    'CompareLowSimilarity',
    'FailedOperation.CompareLowSimilarity.X',
    'xInvalidParameter',
    'InvalidParameters',
    'xInvalidParameterValue.A',
    'InvalidParameterValues',
    'xUnauthorizedOperation',
    'UnauthorizedOperations',
    'xOperationDenied',
    'OperationDenieds',
    'xInternalError',
    'InternalError.X',
    'xFailedOperation.ImageSizeTooLarge',
    'FailedOperation.ImageSizeTooLarge.X',
    'xFailedOperation.UnKnown',
    'FailedOperation.UnKnown.X',
    'FailedOperationxUnKnown',
    'LifePhotoSizeError',
    'FailedOperation.LifePhotoSizeError.X',
    'xFailedOperation.CoveredFace',
    'FailedOperation.CoveredFace.X',
    'xAuthFailure',
    'AuthFailures',
    'xInvalidAction',
    'InvalidAction.X',
    'xUnsupportedRegion',
    'UnsupportedRegion.X',
    'xFailedOperation.UnOpenError',
    'FailedOperation.UnOpenError.X',
    'xResourceUnavailable.InArrears',
    'ResourceUnavailable.InArrears.X',
    'ResourceUnavailable',
    'Vendor.NeverSeen',
  ])('%j is possibly billed', (code) => {
    expect(documentedBilling(code, 'pure-api')).toBe('unknown');
  });
});

it('a free call is never billed', () => {
  for (const code of ['Success', 'InternalError', 'Vendor.NeverSeen'])
    expect(documentedBilling(code, 'free')).toBe('no');
});

it('only the vendor’s code says whether a call is billed, and not its message', () => {
  const facts = { service: 'faceid', channel: 'error', message: 'MD5 Error' } as const;
  expect(classify({ ...facts, code: 'InvalidParameterValue' })).toMatchObject({ class: 'reupload', billed: 'no' });
  expect(classify({ ...facts, code: 'Vendor.NeverSeen' })).toMatchObject({ class: 'reupload', billed: 'unknown' });
  expect(classify({ ...facts, code: 'Vendor.NeverSeen', message: 'odd' })).toMatchObject({
    class: 'unknown',
    billed: 'unknown',
  });
});

it('the code of a record is the vendor’s, or the message that says more', () => {
  const facts = { service: 'faceid', channel: 'error' } as const;
  expect(failureCode({ ...facts, code: 'InvalidParameterValue', message: ' invalid resourceUrl ' })).toBe(
    'invalid resourceUrl',
  );
  expect(failureCode({ ...facts, code: 'InvalidParameterValue', message: 'odd' })).toBe('InvalidParameterValue');
  expect(failureCode({ ...facts, code: 'Vendor.NeverSeen' })).toBe('Vendor.NeverSeen');
  expect(failureCode({ ...facts, code: 'InternalError', message: 'MD5 Error' })).toBe('InternalError');
});

it('a code is explained wherever it comes from, in the language that was asked for', () => {
  for (const code of ['TIMEOUT', 'FailedOperation.ImageBlur', 'RequestLimitExceeded', 'NoSuchKey', 'MD5 Error']) {
    const [english, chinese] = [explain(code), explain(code, 'zh')];
    expect(explain(code, 'en')).toBe(english);
    expect(chinese).toMatchObject({ match: english?.match, explanation: english?.explanation });
    expect(chinese?.title).toMatch(/\p{Script=Han}/u);
  }
  expect([explain('Vendor.NeverSeen'), explain('Vendor.NeverSeen', 'zh')]).toEqual([null, null]);
  // The longest prefix wins, and a code that only begins like one has no entry.
  expect(explain('RequestLimitExceeded.Novel')?.match).toBe('RequestLimitExceeded.*');
  expect(explain('RequestLimitExceededNovel')).toBeNull();
});

describe('a hint', () => {
  it.each(['caller', 'rejected'] as const)('of class %s is for the caller', (kind) => {
    expect(hintWords(kind, 'do it')).toEqual({ person: '', caller: 'do it', operator: '' });
  });

  it.each(['transient', 'throttled', 'reupload', 'account', 'machine', 'unknown'] as const)(
    'of class %s is for the operator',
    (kind) => expect(hintWords(kind, 'do it')).toEqual({ person: '', caller: '', operator: 'do it' }),
  );

  it('may be words for several readers', () => {
    expect(hintWords('caller', { person: 'a', operator: 'b' })).toEqual({ person: 'a', caller: '', operator: 'b' });
    expect(hintWords('account', {})).toEqual({ person: '', caller: '', operator: '' });
  });
});
