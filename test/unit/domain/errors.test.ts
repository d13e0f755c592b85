import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../../../src/config.ts';
import {
  CODES,
  classify,
  ERROR_CLASSES,
  ERROR_TABLE,
  type ErrorClass,
  explain,
} from '../../../src/domain/errors/index.ts';
import { DECISIONS } from '../../../src/domain/states.ts';
import { DOCUMENTED, type Kind } from './documented-codes.ts';
import { errorsPage } from './errors-page.ts';

const CHANNELS = ['error', 'result'] as const;

const CLASS_OF: Readonly<Record<Kind, ErrorClass>> = {
  content: 'rejected',
  retryable: 'transient',
  reupload: 'reupload',
  throttled: 'throttled',
  caller: 'caller',
  account: 'account',
};

/** Common codes of Tencent Cloud that its FaceID pages do not repeat. */
const COMMON: Readonly<Partial<Record<ErrorClass, readonly string[]>>> = {
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

/** The only documented codes for which a decision other than "capture again" may be made. */
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
  it('has a list of 72 codes to go by', () => expect(new Set(DOCUMENTED.map(([code]) => code)).size).toBe(72));

  it.each(DOCUMENTED)('%s is %s', (code, kind) => {
    const found = classify({ service: 'faceid', channel, code });
    expect(found.class).toBe(code === 'UnauthorizedOperation.Activating' ? 'transient' : CLASS_OF[kind]);
    expect(found.decision).toBe(kind === 'content' ? (REFUSALS[code] ?? 'recapture') : null);
    expect(found.entry?.match).toBe(code);
  });

  it.each(Object.entries(COMMON).flatMap(([kind, codes]) => codes.map((code) => [code, kind] as const)))(
    '%s, which any Tencent API may answer, is %s',
    (code, kind) => {
      const found = classify({ service: 'faceid', channel, code });
      expect(found.class).toBe(kind);
      expect(found.decision).toBeNull();
    },
  );
});

describe('InternalError', () => {
  const ANSWERS = [
    'ActionLightDark',
    'ActionLightStrong',
    'ActionNodetectFace',
    'CompareLowSimilarity',
    'LifePhotoPoorQuality',
    'LifePhotoSizeError',
  ];

  it.each(ANSWERS)('InternalError.%s is an answer about the person and is not tried again', (name) => {
    expect(classify({ service: 'faceid', channel: 'error', code: `InternalError.${name}` }).class).toBe('rejected');
  });

  it('alone says nothing about the person', () => {
    expect(classify({ service: 'faceid', channel: 'error', code: 'InternalError' })).toMatchObject({
      class: 'transient',
      decision: null,
    });
  });

  it('with a name that nobody knows is not taken for an answer', () => {
    expect(classify({ service: 'faceid', channel: 'error', code: 'InternalError.Novel' }).decision).toBeNull();
  });
});

describe('messages that have no code of their own', () => {
  const codes = [...DOCUMENTED.map(([code]) => code), 'InternalError', 'ServiceUnavailable', 'NeverHeardOf'];

  it.each([
    ['invalid resourceUrl', 'account', '/resource ?url/i'],
    ['Invalid Resource URL.', 'account', '/resource ?url/i'],
    ['MD5 Error', 'reupload', '/md5/i'],
    ['md5错误', 'reupload', '/md5/i'],
  ])('"%s" beats every code and is %s', (message, kind, match) => {
    for (const channel of CHANNELS) {
      for (const code of codes) {
        const found = classify({ service: 'faceid', channel, code, message });
        expect([code, found.class, found.entry?.match, found.decision]).toEqual([code, kind, match, null]);
      }
    }
  });

  it('are found where the vendor says them in place of a code', () => {
    expect(classify({ service: 'faceid', channel: 'result', code: 'MD5 Error' }).class).toBe('reupload');
    expect(classify({ service: 'faceid', channel: 'result', code: 'invalid resourceUrl' }).class).toBe('account');
  });

  it('come first in the table', () => {
    expect(ERROR_TABLE.slice(0, 2).map(({ match }) => match)).toEqual(['/resource ?url/i', '/md5/i']);
  });

  it('are explained to whoever looks them up', () => {
    expect(explain('invalid resourceUrl')?.title).toBe('invalid resourceUrl');
    expect(explain('MD5 Error')?.title).toBe('MD5 Error');
  });

  it('are not looked for in what COS or Bestframe itself says', () => {
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

describe('what Bestframe itself says', () => {
  it.each(Object.values(CODES))('%s is explained', (code) => {
    const { entry } = classify({ service: 'bestframe', channel: 'local', code });
    expect(entry?.match).toBe(code);
    expect(explain(code)).toBe(entry);
  });

  it('is known on the channel of an answer that cannot be used, too', () => {
    expect(classify({ service: 'faceid', channel: 'result', code: CODES.MALFORMED_REPLY }).class).toBe('transient');
  });
});

describe('classify', () => {
  it('calls unknown what is in no table, and never a decision', () => {
    for (const channel of [...CHANNELS, 'local'] as const) {
      for (const service of ['faceid', 'cos', 'http', 'bestframe'] as const) {
        const found = classify({ service, channel, code: 'NeverHeardOf', message: 'nor of this' });
        expect(found).toEqual({ class: 'unknown', decision: null, billed: 'unknown', entry: null });
      }
    }
  });

  it('prefers the exact code, then the longest prefix', () => {
    const match = (code: string) => classify({ service: 'faceid', channel: 'error', code }).entry?.match;
    expect(match('AuthFailure.SignatureExpire')).toBe('AuthFailure.SignatureExpire');
    expect(match('AuthFailure.SignatureExpired')).toBe('AuthFailure.*');
    expect(match('AuthFailures')).toBeUndefined();
    expect(match('UnauthorizedOperation')).toBe('UnauthorizedOperation');
  });

  it('is total: any strings have a class, and only a rejection has a decision', () => {
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
      { numRuns: 10_000 },
    );
  });
});

describe('the table', () => {
  it('names each code of a service once', () => {
    const names = ERROR_TABLE.map(({ service, match }) => `${service} ${match}`);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it.each(ERROR_TABLE.map((entry) => [entry.service, entry.match, entry] as const))(
    '%s %s says what it means and what to do',
    (_service, _match, entry) => {
      const { title, explanation, advice, retry, decision, channel, billed } = entry;
      for (const words of [title, explanation, advice, retry]) expect(words.trim()).not.toBe('');
      expect(explanation).toMatch(/[.!]$/);
      expect(advice).toMatch(/[.!]$/);
      expect(ERROR_CLASSES).toContain(entry.class);
      expect(['error', 'both', 'local']).toContain(channel);
      expect(['yes', 'no', 'unknown']).toContain(billed);
      expect([null, ...DECISIONS]).toContain(decision);
      expect(decision !== null).toBe(entry.class === 'rejected');
      expect(decision).not.toBe('match');
    },
  );

  it('sends nobody to a setting that does not exist', () => {
    const named = ERROR_TABLE.flatMap(({ explanation, advice }) =>
      `${explanation} ${advice}`.match(/\b(?:BESTFRAME|TENCENTCLOUD)_[A-Z_]+/g),
    ).filter((name) => name !== null);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !(name in SETTINGS))).toEqual([]);
  });

  it('bills a failure only where Tencent documents it', () => {
    expect(ERROR_TABLE.filter(({ billed }) => billed === 'yes').map(({ match }) => match)).toEqual([
      'FailedOperation.CompareLowSimilarity',
      'InternalError.CompareLowSimilarity',
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
  ])('knows that %s is not billed', (code) => {
    expect(classify({ service: 'faceid', channel: 'error', code }).billed).toBe('no');
  });

  it('has in JSON the fields that `errors --json` promises', () => {
    for (const entry of JSON.parse(JSON.stringify(ERROR_TABLE)) as Record<string, unknown>[]) {
      expect(Object.keys(entry)).toEqual(
        expect.arrayContaining(['match', 'channel', 'class', 'decision', 'retry', 'billed', 'title', 'advice']),
      );
    }
  });

  it('is docs/errors.md (after a change: npx vitest run --project unit test/unit/domain/errors.test.ts -u)', async () => {
    await expect(errorsPage()).toMatchFileSnapshot('../../../docs/errors.md');
  });

  it('is on that page as a whole', () => {
    const page = errorsPage();
    for (const { match } of ERROR_TABLE) expect(page).toContain(`**\`${match}\`**`);
    expect(page.match(/^- \*\*/gm)).toHaveLength(ERROR_TABLE.length);
  });
});
