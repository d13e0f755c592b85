import { describe, expect, it } from 'vitest';
import { Failure } from '../../../src/domain/failure.ts';
import {
  deadlineOf,
  LANES,
  parseVerification,
  UPLOAD_WAYS,
  verificationJsonSchema,
} from '../../../src/domain/verification.ts';
import { NOW, REFLECT, VIDEO, withResources } from './requests.ts';

const MD5 = '0123456789abcdef0123456789abcdef';
const at = (ms: number) => new Date(NOW + ms).toISOString();

function refusal(input: unknown): Failure {
  try {
    parseVerification(input, NOW);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

type Bad = readonly [what: string, input: unknown, field: string, fault: string, cure: string];

const entries = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`name${i}`, 'x']));

/** The fault and the cure must both be in the message. */
const BAD: readonly Bad[] = [
  ['a missing resource', withResources({ image: undefined }), 'resources.image', 'is missing', 'liveData and image'],
  ['no resources', { ...REFLECT, resources: {} }, 'resources.liveData', 'is missing', 'liveData and image'],
  ['an unknown action', { ...REFLECT, action: 'Guess' }, 'action', 'is not known', 'VideoLivenessCompare'],
  ['an unknown region', { ...REFLECT, region: 'ap-tokyo' }, 'region', 'is not known', 'ap-singapore, ap-hongkong'],
  ['no region', { ...REFLECT, region: undefined }, 'region', 'is not known', 'ap-singapore, ap-hongkong'],
  ['an unknown upload way', { ...REFLECT, upload: 'ftp' }, 'upload', 'is not known', 'own-bucket, create-upload-url'],
  ['an unknown lane', { ...REFLECT, lane: 'slow' }, 'lane', 'is not known', 'interactive, batch'],
  ['an extra field', { ...REFLECT, deadlin: at(1) }, '', 'unknown field "deadlin"', 'correct its name'],
  [
    'an extra field of a resource',
    withResources({ image: { from: 'file', path: '/p.jpg', MD5 } }),
    'resources.image',
    'unknown field "MD5"',
    'correct its name',
  ],
  ['an extra resource', withResources({ selfie: {} }), 'resources', 'unknown field "selfie"', 'remove it'],
  ['a threshold below 0', { ...REFLECT, similarityThreshold: -0.1 }, 'similarityThreshold', 'below 0', '0 to 100'],
  ['a threshold above 100', { ...REFLECT, similarityThreshold: 100.1 }, 'similarityThreshold', 'above 100', '0 to 100'],
  ['a threshold as text', { ...REFLECT, similarityThreshold: '70' }, 'similarityThreshold', '', 'give a number'],
  [
    'a threshold that is no number',
    { ...REFLECT, similarityThreshold: Number.NaN },
    'similarityThreshold',
    '',
    'number',
  ],
  ['a deadline in the past', { ...REFLECT, deadline: at(-1) }, 'deadline', 'in the past', 'ahead of now'],
  ['a deadline too near', { ...REFLECT, deadline: at(999) }, 'deadline', 'in the past', 'ahead of now'],
  ['a deadline too far', { ...REFLECT, deadline: at(7 * 86_400_000 + 1) }, 'deadline', '7 days', 'earlier time'],
  ['a deadline that is no date', { ...REFLECT, deadline: 'tomorrow' }, 'deadline', 'not a time', 'ISO 8601'],
  ['a deadline without a zone', { ...REFLECT, deadline: '2030-01-01T00:01:00' }, 'deadline', 'not a time', 'ISO 8601'],
  ['an empty key', { ...REFLECT, key: '' }, 'key', 'is empty', 'give a key'],
  ['a key that is too long', { ...REFLECT, key: 'k'.repeat(129) }, 'key', 'longer than 128', 'use a shorter id'],
  ['a key with a space', { ...REFLECT, key: 'a b' }, 'key', 'forbidden character', 'printable ASCII'],
  ['a key with a line end', { ...REFLECT, key: 'a\n' }, 'key', 'forbidden character', 'printable ASCII'],
  ['a key beyond ASCII', { ...REFLECT, key: 'schlüssel' }, 'key', 'forbidden character', 'printable ASCII'],
  ['no key', { ...REFLECT, key: undefined }, 'key', 'is missing', 'give a string'],
  [
    'an http URL',
    withResources({ image: { from: 'https', url: 'http://photos.example/p.jpg' } }),
    'resources.image.url',
    'is http',
    'use an https URL',
  ],
  [
    'a URL with credentials',
    withResources({ image: { from: 'https', url: 'https://me:secret@photos.example/p.jpg' } }),
    'resources.image.url',
    'user name or password',
    'use a signed link',
  ],
  [
    'an unknown kind of source',
    withResources({ image: { from: 's3', url: 'https://photos.example' } }),
    'resources.image.from',
    'no known kind',
    '"file", "https" or "cos"',
  ],
  ['an empty path', withResources({ image: { from: 'file', path: '' } }), 'resources.image.path', 'is empty', 'give'],
  [
    'a bucket without APPID',
    withResources({ image: { from: 'cos', bucket: 'faces', region: 'ap-singapore', key: 'k' } }),
    'resources.image.bucket',
    'not a bucket name',
    'name-appid',
  ],
  [
    'an MD5 in Base64',
    withResources({ image: { from: 'file', path: '/p.jpg', md5: '1B2M2Y8AsgTpgAmY7PhCfg==' } }),
    'resources.image.md5',
    'is not an MD5',
    '32 hexadecimal digits',
  ],
  [
    'the same file twice',
    withResources({ image: { from: 'file', path: '/in/live.gz' } }),
    'resources.image',
    'same resource as resources.liveData',
    'two different ones',
  ],
  [
    'the same URL under two signatures',
    withResources({
      liveData: { from: 'https', url: 'https://h.example/o?q-signature=1' },
      image: { from: 'https', url: 'https://h.example/o?q-signature=2' },
    }),
    'resources.image',
    'same resource as resources.liveData',
    'two different ones',
  ],
  [
    'the same object twice',
    withResources({
      liveData: { from: 'cos', bucket: 'in-1250000000', region: 'ap-singapore', key: 'k' },
      image: { from: 'cos', bucket: 'in-1250000000', region: 'ap-singapore', key: 'k', md5: MD5 },
    }),
    'resources.image',
    'same resource as resources.liveData',
    'two different ones',
  ],
  [
    'the same MD5 twice, in another case',
    withResources({
      liveData: { from: 'file', path: '/a', md5: MD5.toUpperCase() },
      image: { from: 'file', path: '/b', md5: MD5 },
    }),
    'resources.image.md5',
    'is the MD5 of resources.liveData',
    'the same bytes twice',
  ],
  ['17 entries of metadata', { ...REFLECT, metadata: entries(17) }, 'metadata', 'more than 16', '16'],
  [
    'a resource of another action',
    withResources({ video: { from: 'file', path: '/v.mp4' } }),
    'resources.video',
    'not a resource of DetectReflectLivenessAndCompare',
    'liveData and image',
  ],
  ['liveness where it is not taken', { ...REFLECT, liveness: { type: 'LIP' } }, 'liveness', 'is not taken', 'leave it'],
  ['no liveness where it is', { ...VIDEO, liveness: undefined }, 'liveness', 'is missing', 'SILENT, ACTION or LIP'],
  ['an unknown liveness', { ...VIDEO, liveness: { type: 'WINK' } }, 'liveness.type', 'is not known', 'SILENT, ACTION'],
  [
    'a frame name with a path',
    { ...REFLECT, frame: { to: 'file', name: '../frame.jpg' } },
    'frame.name',
    'not a plain file name',
    'letters, digits',
  ],
  [
    'a frame that is called like a receipt',
    { ...REFLECT, frame: { to: 'file', name: 'a.jpg.receipt.json' } },
    'frame.name',
    'as receipts of other frames do',
    'another ending',
  ],
  [
    'an object that is called like a receipt',
    { ...REFLECT, frame: { to: 'cos', bucket: 'x-1250000000', region: 'ap-singapore', key: 'a.jpg.receipt.json' } },
    'frame.key',
    'as receipts of other frames do',
    'another ending',
  ],
  ['a frame to nowhere', { ...REFLECT, frame: { to: 'mail' } }, 'frame.to', 'no known kind', '"none"'],
  ['nothing', undefined, '', 'the verification', 'give a'],
  ['a list', [], '', 'the verification', 'give a'],
  ['a key that is a number', { ...REFLECT, key: 5 }, 'key', 'has the wrong type', 'give a string'],
  [
    'a path that is too long',
    withResources({ image: { from: 'file', path: 'p'.repeat(4097) } }),
    'resources.image.path',
    'is longer than 4096',
    'shorter',
  ],
  ['a metadata name with a space', { ...REFLECT, metadata: { 'a b': 'x' } }, 'metadata.a b', 'name', 'letters'],
  ['metadata that is too long', { ...REFLECT, metadata: { a: 'x'.repeat(257) } }, 'metadata.a', 'longer', 'shorter'],
  [
    'a malformed URL',
    withResources({ image: { from: 'https', url: 'photos.example/p.jpg' } }),
    'resources.image.url',
    'is not a URL',
    'write it whole',
  ],
];

/** Refused, and the field is named; what is said of it is not good enough yet. */
describe('a bad request is refused, naming field, fault and cure', () => {
  it.each(BAD)('%s', (_what, input, field, fault, cure) => {
    const failure = refusal(input);
    expect(failure).toMatchObject({ code: 'INVALID_VERIFICATION', service: 'bestframe', channel: 'local', sent: 'no' });
    expect(failure.field).toBe(field);
    expect(failure.message).toContain(field === '' ? 'the verification' : field);
    expect(failure.message).toContain(fault);
    expect(failure.message).toContain(cure);
  });

  it('never repeats what was given', () => {
    const url = 'http://photos.example/p.jpg?q-signature=topsecret';
    expect(refusal(withResources({ image: { from: 'https', url } })).message).not.toContain('topsecret');
  });
});

describe('a good request', () => {
  it('gets its defaults', () => {
    expect(parseVerification(REFLECT, NOW)).toEqual({
      ...REFLECT,
      action: 'DetectReflectLivenessAndCompare',
      lane: 'interactive',
      similarityThreshold: 70,
      frame: { to: 'file' },
    });
    expect(parseVerification(VIDEO, NOW).liveness).toEqual({ type: 'SILENT' });
  });

  it('has a minute where it is interactive and a day where it is batch', () => {
    expect(deadlineOf(parseVerification(REFLECT, NOW), NOW)).toBe(NOW + 60_000);
    expect(deadlineOf(parseVerification({ ...REFLECT, lane: 'batch' }, NOW), NOW)).toBe(NOW + 86_400_000);
    expect(deadlineOf(parseVerification({ ...REFLECT, deadline: at(5_000) }, NOW), NOW)).toBe(NOW + 5_000);
  });

  it.each([
    ['a threshold of 0', { similarityThreshold: 0 }],
    ['a threshold of 100', { similarityThreshold: 100 }],
    ['a deadline a second ahead', { deadline: at(1_000) }],
    ['a deadline seven days ahead', { deadline: at(7 * 86_400_000) }],
    ['a deadline in another zone', { deadline: '2030-01-01T08:00:05+08:00' }],
    ['a key of 128 characters', { key: '~'.repeat(128) }],
    ['a key of one character', { key: '!' }],
    ['16 entries of metadata', { metadata: entries(16) }],
    ['metadata of the greatest length', { metadata: { [`${'n'.repeat(64)}`]: 'x'.repeat(256) } }],
    ['no frame', { frame: { to: 'none' } }],
  ])('may have %s', (_what, more) => {
    expect(parseVerification({ ...REFLECT, ...more }, NOW)).toMatchObject(more);
  });

  it.each(UPLOAD_WAYS)('may be uploaded by %s', (upload) => {
    for (const lane of LANES)
      expect(parseVerification({ ...REFLECT, upload, lane }, NOW)).toMatchObject({ upload, lane });
  });

  it('has its MD5 in small letters', () => {
    const input = withResources({ image: { from: 'file', path: '/p.jpg', md5: MD5.toUpperCase() } });
    expect(parseVerification(input, NOW).resources.image?.md5).toBe(MD5);
  });

  it('may name the same path on two hosts', () => {
    const input = withResources({
      liveData: { from: 'https', url: 'https://a.example/o' },
      image: { from: 'https', url: 'https://b.example/o' },
    });
    expect(() => parseVerification(input, NOW)).not.toThrow();
  });
});

describe('the JSON Schema', () => {
  const schema = verificationJsonSchema() as {
    properties: Record<string, { properties?: object }>;
    required: string[];
    additionalProperties: boolean;
  };

  it('names every field of a request, and no other', () => {
    expect(Object.keys(schema.properties).sort()).toEqual(
      [
        'action',
        'deadline',
        'frame',
        'key',
        'lane',
        'liveness',
        'metadata',
        'region',
        'resources',
        'similarityThreshold',
        'upload',
        'subject',
        'purpose',
        'consent',
        'webhook',
      ].sort(),
    );
    expect(Object.keys(schema.properties.resources?.properties ?? {}).sort()).toEqual(['image', 'liveData', 'video']);
    expect(schema.additionalProperties).toBe(false);
  });

  it('requires what has no default', () => {
    expect([...schema.required].sort()).toEqual(['key', 'region', 'resources', 'upload']);
  });

  it('is plain JSON', () => expect(JSON.parse(JSON.stringify(schema))).toEqual(schema));
});

describe('whom it is about, what for, and on which consent', () => {
  const consent = { ref: 'consents/1', version: '2026-03', at: '2026-01-01T00:00:00+08:00' };

  it('are taken, and demanded where a deployment does so', () => {
    const given = { ...REFLECT, subject: 'customer-1', purpose: 'account-opening', consent };
    expect(parseVerification(given, NOW, ['subject', 'purpose', 'consent'])).toMatchObject({
      subject: 'customer-1',
      consent,
    });
    expect(() => parseVerification(REFLECT, NOW)).not.toThrow();
    for (const field of ['subject', 'purpose', 'consent'] as const) {
      const { [field]: _out, ...rest } = given;
      expect(() => parseVerification(rest, NOW, ['subject', 'purpose', 'consent'])).toThrow(
        expect.objectContaining({ code: 'INVALID_VERIFICATION', field }),
      );
    }
  });

  it.each([
    [{ subject: '' }, 'subject is empty'],
    [{ subject: 'maria lopez' }, 'subject has a forbidden character'],
    [{ purpose: 'x'.repeat(65) }, 'purpose is longer than 64 characters'],
    [{ consent: { ...consent, at: 'yesterday' } }, 'consent.at is not a time'],
    [{ consent: { ref: 'r', at: consent.at } }, 'consent.version is missing'],
    [{ consent: { ...consent, text: '…' } }, 'consent has an unknown field "text"'],
  ])('%j is refused by its field', (more, words) => {
    expect(() => parseVerification({ ...REFLECT, ...more }, NOW)).toThrow(words);
  });
});
