import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../../../src/app/settings.ts';
import { hintWords } from '../../../src/domain/errors/entry.ts';
import {
  AUDIENCES,
  type Audience,
  CODES,
  classify,
  ERROR_CLASSES,
  ERROR_TABLE,
  type ErrorClass,
  explain,
  RETAKES,
} from '../../../src/domain/errors/index.ts';
import { findChinese } from '../../../src/domain/errors/zh.ts';
import { DECISIONS } from '../../../src/domain/verification/states.ts';
import { PROPERTY_RUNS } from '../../support/property-runs.ts';
import { DOCUMENTED, type Kind } from './documented-codes.ts';
import { errorsPage } from './errors-page.ts';

/** Matches Chinese text with punctuation and embedded Latin terms. */
const CHINESE = /\p{Script=Han}/u;

const CHANNELS = ['error', 'result'] as const;

const CLASS_OF: Readonly<Record<Kind, ErrorClass>> = {
  content: 'rejected',
  retryable: 'transient',
  reupload: 'reupload',
  throttled: 'throttled',
  caller: 'caller',
  account: 'account',
};

/** Codes that every Tencent Cloud API can return and that the FaceID pages do not repeat. */
const TENCENT_CLOUD: Readonly<Partial<Record<ErrorClass, readonly string[]>>> = {
  account: [
    'AuthFailure.SignatureExpire',
    'AuthFailure.SignatureFailure',
    'AuthFailure.SecretIdNotFound',
    'AuthFailure.TokenFailure',
    'AuthFailure.SomethingNew',
    'UnauthorizedOperation.SomethingNew',
    'OperationDenied',
    'IpInBlacklist',
    'IpNotInWhitelist',
    'ActionOffline',
    'UnsupportedRegion',
    'NoSuchVersion',
    'NoSuchProduct',
    'InvalidAction',
    'FailedOperation.UnOpenError',
    'ResourceUnavailable.InArrears',
    'ResourceUnavailable.ResourcePackageRunOut',
    'LimitExceeded',
  ],
  throttled: [
    'RequestLimitExceeded',
    'RequestLimitExceeded.UinLimitExceeded',
    'RequestLimitExceeded.GlobalRegionUinLimitExceeded',
    'FailedOperation.RequestLimitExceeded',
  ],
  transient: [
    'InternalError',
    'ServiceUnavailable',
    'ResourceInsufficient',
    'ResourceUnavailable',
    'ResourceInUse',
    'UnauthorizedOperation.Activating',
  ],
  caller: [
    'MissingParameter',
    'UnknownParameter',
    'InvalidRequest',
    'InvalidParameter.Anything',
    'InvalidParameterValue.Anything',
    'RequestSizeLimitExceeded',
    'UnsupportedProtocol',
  ],
};

const COS: Readonly<Record<string, ErrorClass>> = {
  BadDigest: 'transient',
  InvalidDigest: 'caller',
  EntitySizeNotMatch: 'transient',
  EntityTooLarge: 'caller',
  ExpiredToken: 'account',
  RequestTimeout: 'transient',
  AccessDenied: 'account',
  RequestTimeTooSkewed: 'account',
  InvalidAccessKeyId: 'account',
  SignatureDoesNotMatch: 'account',
  NoSuchKey: 'reupload',
  NoSuchBucket: 'account',
  InternalError: 'transient',
  SlowDown: 'throttled',
  ServiceUnavailable: 'transient',
};

/** Only these documented codes lead to a decision other than `recapture`. */
const REFUSALS: Readonly<Record<string, string>> = {
  'FailedOperation.CompareLowSimilarity': 'no_match',
  'InternalError.CompareLowSimilarity': 'no_match',
  'FailedOperation.LifePhotoDetectFake': 'not_live',
  'FailedOperation.LivessDetectFail': 'not_live',
  'FailedOperation.LivessDetectFake': 'not_live',
  'FailedOperation.SilentDetectFail': 'not_live',
  'FailedOperation.SilentPictureLiveFail': 'not_live',
  'FailedOperation.SilentThreshold': 'not_live',
};

describe.each(CHANNELS)('a documented code on the %s channel', (channel) => {
  it('is one of 72 codes', () => expect(new Set(DOCUMENTED.map(([code]) => code)).size).toBe(72));

  it.each(DOCUMENTED)('%s is %s', (code, kind) => {
    const found = classify({ service: 'faceid', channel, code });
    expect(found.class).toBe(code === 'UnauthorizedOperation.Activating' ? 'transient' : CLASS_OF[kind]);
    expect(found.decision).toBe(kind === 'content' ? (REFUSALS[code] ?? 'recapture') : null);
    expect(found.entry?.match).toBe(code);
  });

  it.each(Object.entries(TENCENT_CLOUD).flatMap(([kind, codes]) => codes.map((code) => [code, kind] as const)))(
    'classifies the common Tencent Cloud code %s as %s',
    (code, kind) => {
      const found = classify({ service: 'faceid', channel, code });
      expect(found.class).toBe(kind);
      expect(found.decision).toBeNull();
    },
  );
});

describe('InternalError', () => {
  const ABOUT_THE_PERSON = [
    'ActionLightDark',
    'ActionLightStrong',
    'ActionNodetectFace',
    'CompareLowSimilarity',
    'LifePhotoPoorQuality',
    'LifePhotoSizeError',
  ];

  it.each(ABOUT_THE_PERSON)('InternalError.%s is an answer about the person and is not retried', (name) => {
    expect(classify({ service: 'faceid', channel: 'error', code: `InternalError.${name}` }).class).toBe('rejected');
  });

  it('without a suffix says nothing about the person', () => {
    expect(classify({ service: 'faceid', channel: 'error', code: 'InternalError' })).toMatchObject({
      class: 'transient',
      decision: null,
    });
  });

  it('with an unknown suffix is not an answer about the person', () => {
    expect(classify({ service: 'faceid', channel: 'error', code: 'InternalError.Novel' }).decision).toBeNull();
  });
});

describe('messages without a code', () => {
  const CARRIERS = ['InvalidParameter', 'InvalidParameterValue', 'InvalidParameterValue.Novel', 'NeverHeardOf'];
  const STATED = [
    ['invalid resourceUrl', 'account', '/^invalid resource ?url/i'],
    ['Invalid Resource URL.', 'account', '/^invalid resource ?url/i'],
    ['MD5 Error', 'reupload', '/^md5 ?(?:error|错误)/i'],
    ['md5错误', 'reupload', '/^md5 ?(?:error|错误)/i'],
  ] as const;

  it.each(STATED)('"%s" takes precedence over a general code, and is %s', (message, kind, match) => {
    for (const channel of CHANNELS) {
      for (const code of CARRIERS) {
        const found = classify({ service: 'faceid', channel, code, message });
        expect([code, found.class, found.entry?.match, found.decision]).toEqual([code, kind, match, null]);
      }
    }
  });

  const general = (code: string) => /^InvalidParameter(?:Value)?(?:\.|$)/.test(code);
  const specific = ERROR_TABLE.filter(({ service }) => service === 'faceid')
    .map(({ match }) => match.replace(/\.\*$/, '.Novel'))
    .filter((code) => !code.startsWith('/') && !general(code));

  it.each([...STATED.map(([message]) => message), 'The request lacks the parameter `ImageMd5`.'])(
    '"%s" never takes precedence over a specific code of the table',
    (message) => {
      expect(specific.length).toBeGreaterThan(90);
      for (const channel of CHANNELS) {
        for (const code of specific) {
          const alone = classify({ service: 'faceid', channel, code });
          expect([code, classify({ service: 'faceid', channel, code, message })]).toEqual([code, alone]);
        }
      }
    },
  );

  it.each([
    ['MissingParameter', 'The request is missing a required parameter `ImageMd5`.'],
    ['InvalidParameter', 'LiveDataMd5 is not valid.'],
    ['InvalidParameter', 'The length of LiveDataMd5 must be 32: MD5 Error'],
    ['InvalidParameterValue', 'The value of ImageMd5 is not valid.'],
    ['InvalidParameterValue', 'The value of resourceUrl is too long.'],
    ['UnknownParameter', 'The parameter `VideoMd5` is not recognized.'],
  ])('%s: "%s" only mentions a parameter, and is of class caller', (code, message) => {
    expect(classify({ service: 'faceid', channel: 'error', code, message }).class).toBe('caller');
  });

  it('are recognized in place of a code', () => {
    expect(classify({ service: 'faceid', channel: 'result', code: 'MD5 Error' }).class).toBe('reupload');
    expect(classify({ service: 'faceid', channel: 'result', code: 'invalid resourceUrl' }).class).toBe('account');
  });

  it('come first in the table', () => {
    expect(ERROR_TABLE.slice(0, 2).map(({ match }) => match)).toEqual([
      '/^invalid resource ?url/i',
      '/^md5 ?(?:error|错误)/i',
    ]);
  });

  it('can be explained', () => {
    expect(explain('invalid resourceUrl')?.title).toBe('invalid resourceUrl');
    expect(explain('MD5 Error')?.title).toBe('MD5 Error');
  });

  it('are ignored in COS answers and local failures', () => {
    const message = 'MD5 Error of a resource URL';
    expect(classify({ service: 'cos', channel: 'error', code: 'AccessDenied', message }).class).toBe('account');
    expect(classify({ service: 'source', channel: 'local', code: 'SOURCE_MD5_MISMATCH', message }).class).toBe(
      'caller',
    );
  });
});

describe('COS', () => {
  it.each(Object.entries(COS))('%s is %s', (code, kind) => {
    expect(classify({ service: 'cos', channel: 'error', code })).toMatchObject({ class: kind, billed: 'no' });
  });
});

describe('a code of Bestframe', () => {
  it.each(Object.values(CODES))('%s can be explained', (code) => {
    const { entry } = classify({ service: 'bestframe', channel: 'local', code });
    expect(entry?.match).toBe(code);
    expect(explain(code)).toBe(entry);
  });

  it('is also classified on the channel of an unusable answer', () => {
    expect(classify({ service: 'faceid', channel: 'result', code: CODES.MALFORMED_REPLY }).class).toBe('transient');
  });
});

describe('classify', () => {
  it('classifies a code outside the table as unknown, without a decision', () => {
    for (const channel of [...CHANNELS, 'local'] as const) {
      for (const service of ['faceid', 'cos', 'http', 'bestframe'] as const) {
        const found = classify({ service, channel, code: 'NeverHeardOf', message: 'an unknown message' });
        expect(found).toEqual({ class: 'unknown', decision: null, billed: 'unknown', entry: null });
      }
    }
  });

  it('prefers an exact code to the longest prefix', () => {
    const match = (code: string) => classify({ service: 'faceid', channel: 'error', code }).entry?.match;
    expect(match('AuthFailure.SignatureExpire')).toBe('AuthFailure.SignatureExpire');
    expect(match('AuthFailure.SignatureExpired')).toBe('AuthFailure.*');
    expect(match('AuthFailures')).toBeUndefined();
    expect(match('UnauthorizedOperation')).toBe('UnauthorizedOperation');
  });

  it('gives every string a class, and only a rejection a decision', () => {
    const code = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(...DOCUMENTED.map(([known]) => known)),
      fc.constantFrom(...ERROR_TABLE.map(({ match }) => match)),
      fc.constantFrom('constructor', '__proto__', 'toString', '', '.', '*', '.*'),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('faceid', 'cos', 'http', 'source', 'sink', 'bestframe'),
        fc.constantFrom('error', 'result', 'local'),
        code,
        fc.option(fc.string({ unit: 'binary' }), { nil: undefined }),
        (service, channel, anyCode, message) => {
          const facts = { service, channel, code: anyCode, ...(message === undefined ? {} : { message }) };
          const found = classify(facts);
          expect(ERROR_CLASSES).toContain(found.class);
          expect(found.decision !== null).toBe(found.class === 'rejected');
          expect(found.entry === null ? 'unknown' : found.entry.class).toBe(found.class);
        },
      ),
      { numRuns: PROPERTY_RUNS },
    );
  });
});

describe('the table', () => {
  it('contains each code of a service once', () => {
    const names = ERROR_TABLE.map(({ service, match }) => `${service} ${match}`);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it.each(ERROR_TABLE.map((entry) => [entry.service, entry.match, entry] as const))(
    '%s %s has complete texts and valid facts',
    (_service, _match, entry) => {
      const { title, explanation, advice, retry, retake, decision, channel, billed } = entry;
      for (const text of [title, explanation, retry]) expect(text.trim()).not.toBe('');
      expect(title).not.toMatch(/\.$/);
      expect(explanation).toMatch(/[.!]$/);
      for (const text of Object.values(advice)) expect(text).toMatch(/^$|[.!]$/);
      expect(RETAKES).toContain(retake);
      const again = ['recapture', 'not_started', 'abandoned', 'expired'].includes(decision ?? '');
      expect(retake !== 'none').toBe(again || entry.match === CODES.REUSED_LIVE_DATA);
      expect(ERROR_CLASSES).toContain(entry.class);
      expect(['error', 'both', 'local']).toContain(channel);
      expect(['yes', 'no', 'unknown']).toContain(billed);
      expect([null, ...DECISIONS]).toContain(decision);
      expect(decision !== null).toBe(entry.class === 'rejected');
      expect(decision).not.toBe('match');
    },
  );

  it('mentions only settings that exist', () => {
    const named = ERROR_TABLE.flatMap(({ explanation, advice }) =>
      `${explanation} ${Object.values(advice).join(' ')}`.match(/\b(?:BESTFRAME|TENCENTCLOUD)_[A-Z_]+/g),
    ).filter((name) => name !== null);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !(name in SETTINGS))).toEqual([]);
  });

  it('marks a failure as billed only if Tencent documents it', () => {
    expect(ERROR_TABLE.filter(({ billed }) => billed === 'yes').map(({ match }) => match)).toEqual([
      'FailedOperation.CompareLowSimilarity',
      'InternalError.CompareLowSimilarity',
      ...['Result.1002', 'Result.1005', 'Result.1201', 'Result.2017'], // of the App SDKs
      ...[CODES.BELOW_THRESHOLD, CODES.FAKE_SUSPECTED], // Tencent answered Success
    ]);
  });

  it.each([
    'FailedOperation.DownLoadError',
    'FailedOperation.UnKnown',
    'FailedOperation.CompareFail',
    'FailedOperation.LivessSystemError',
    'FailedOperation.LifePhotoSizeError',
    'InternalError.LifePhotoPoorQuality',
    'InvalidParameter',
    'InvalidParameterValue',
  ])('marks %s as not billed', (code) => {
    expect(classify({ service: 'faceid', channel: 'error', code }).billed).toBe('no');
  });

  it('has the fields that `errors --json` documents', () => {
    for (const entry of JSON.parse(JSON.stringify(ERROR_TABLE)) as Record<string, unknown>[]) {
      expect(Object.keys(entry)).toEqual(
        expect.arrayContaining(['match', 'channel', 'class', 'decision', 'retry', 'billed', 'title', 'advice']),
      );
    }
  });

  it('matches docs/errors.md (to update: npx vitest run --project unit test/unit/domain/errors.test.ts -u)', async () => {
    await expect(errorsPage()).toMatchFileSnapshot('../../../docs/errors.md');
  });

  it('is complete on docs/errors.md', () => {
    const page = errorsPage();
    for (const { match } of ERROR_TABLE) expect(page).toContain(`**\`${match}\`**`);
    expect(page.match(/^- \*\*/gm)).toHaveLength(ERROR_TABLE.length);
  });
});

describe('explain in Chinese', () => {
  it.each(ERROR_TABLE.map((entry) => [entry.service, entry.match, entry] as const))(
    '%s %s has a Chinese title, and Chinese advice for the same readers',
    (_service, _match, entry) => {
      const [title] = findChinese(entry) ?? [];
      expect(title).toMatch(CHINESE);
      expect(title).not.toMatch(/[。.]$/);
      const advice = hintWords(entry.class, findChinese(entry)?.[1] ?? '');
      for (const [reader, english] of Object.entries(entry.advice)) {
        const text = advice[reader as Audience];
        expect([reader, text === '']).toEqual([reader, english === '']);
        expect(text).toMatch(/^$|\p{Script=Han}.*。$/u);
      }
    },
  );

  it('translates title and advice, and keeps everything else', () => {
    const english = explain('FailedOperation.ImageBlur');
    expect(explain('FailedOperation.ImageBlur', 'en')).toBe(english);
    expect(explain('FailedOperation.ImageBlur', 'zh')).toEqual({
      ...english,
      title: '图片模糊',
      advice: { caller: expect.stringMatching(CHINESE), person: expect.stringMatching(CHINESE), operator: '' },
    });
  });

  it('covers prefixes, messages without a code, and COS codes', () => {
    expect(explain('AuthFailure.SecretIdNotFound', 'zh')?.title).toBe('腾讯云拒绝了密钥');
    expect(explain('MD5 Error', 'zh')?.title).toMatch(CHINESE);
    expect(explain('NoSuchBucket', 'zh')?.title).toBe('存储桶不存在');
    expect(explain('NeverHeardOf', 'zh')).toBeNull();
  });

  it('mentions the same settings, commands and pages as the English advice', () => {
    const named = (text: string) => text.match(/\b(?:BESTFRAME|TENCENTCLOUD)_[A-Z_]+|`[^`]+`|docs\/[\w-]+\.md/g) ?? [];
    for (const entry of ERROR_TABLE) {
      for (const reader of AUDIENCES) {
        const advice = hintWords(entry.class, findChinese(entry)?.[1] ?? '')[reader];
        expect([entry.match, reader, named(advice).sort()]).toEqual([
          entry.match,
          reader,
          named(entry.advice[reader]).sort(),
        ]);
      }
    }
  });
});
