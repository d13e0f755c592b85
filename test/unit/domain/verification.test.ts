import { describe, expect, it } from 'vitest';
import { Failure } from '../../../src/domain/errors/failure.ts';
import {
  checkDeadline,
  checkRequired,
  deadlineOf,
  LANES,
  MAX_DEADLINE_MS,
  parseVerification,
  UPLOAD_WAYS,
  type Verification,
  verificationJsonSchema,
} from '../../../src/domain/verification/request.ts';
import { NOW, REFLECT, VIDEO, withResources } from './requests.ts';

const MD5 = '0123456789abcdef0123456789abcdef';
const at = (ms: number) => new Date(NOW + ms).toISOString();

function accepted(input: unknown): Verification {
  const verification = parseVerification(input);
  checkDeadline(verification.deadline, NOW, MAX_DEADLINE_MS);
  return verification;
}

function refusal(input: unknown): Failure {
  try {
    accepted(input);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('the request was accepted');
}

type InvalidRequest = readonly [title: string, input: unknown, field: string, fault: string, cure: string];

const entries = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`name${i}`, 'x']));

/** Each error message must contain both the fault and the cure. */
const INVALID: readonly InvalidRequest[] = [
  ['a missing resource', withResources({ image: undefined }), 'resources.image', 'is missing', 'liveData and image'],
  ['no resources', { ...REFLECT, resources: {} }, 'resources.liveData', 'is missing', 'liveData and image'],
  ['an unknown action', { ...REFLECT, action: 'Guess' }, 'action', 'is not known', 'VideoLivenessCompare'],
  ['an unknown region', { ...REFLECT, region: 'ap-tokyo' }, 'region', 'is not known', 'ap-singapore, ap-hongkong'],
  [
    'a region that does not serve the action',
    { ...REFLECT, region: 'ap-jakarta' },
    'region',
    'does not serve DetectReflectLivenessAndCompare',
    'use one of ap-singapore, ap-hongkong, ap-bangkok',
  ],
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
  ['a threshold that is NaN', { ...REFLECT, similarityThreshold: Number.NaN }, 'similarityThreshold', '', 'number'],
  ['a deadline in the past', { ...REFLECT, deadline: at(-1) }, 'deadline', 'in the past', 'at least 1 second ahead'],
  ['a deadline too near', { ...REFLECT, deadline: at(999) }, 'deadline', 'in the past', 'at least 1 second ahead'],
  ['a deadline too far', { ...REFLECT, deadline: at(7 * 86_400_000 + 1) }, 'deadline', '7 days', 'earlier time'],
  ['a deadline that is not a date', { ...REFLECT, deadline: 'tomorrow' }, 'deadline', 'not a time', 'ISO 8601'],
  ['a deadline without a zone', { ...REFLECT, deadline: '2030-01-01T00:01:00' }, 'deadline', 'not a time', 'ISO 8601'],
  ['an empty key', { ...REFLECT, key: '' }, 'key', 'is empty', 'give a key'],
  ['a key that is too long', { ...REFLECT, key: 'k'.repeat(129) }, 'key', 'longer than 128', 'use a shorter id'],
  ['a key with a space', { ...REFLECT, key: 'a b' }, 'key', 'forbidden character', 'printable ASCII'],
  ['a key with a line break', { ...REFLECT, key: 'a\n' }, 'key', 'forbidden character', 'printable ASCII'],
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
    'not a known kind',
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
    'the same MD5 twice, in upper and lower case',
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
  [
    'liveness for an action without it',
    { ...REFLECT, liveness: { type: 'LIP' } },
    'liveness',
    'is not a parameter of',
    'omit it',
  ],
  [
    'a second opinion that is no boolean',
    { ...REFLECT, secondOpinion: 'yes' },
    'secondOpinion',
    'wrong type',
    'boolean',
  ],
  [
    'a second opinion without a frame',
    { ...REFLECT, secondOpinion: true, frame: { to: 'none' } },
    'secondOpinion',
    'needs the frame',
    'omit secondOpinion',
  ],
  [
    'no liveness for an action with it',
    { ...VIDEO, liveness: undefined },
    'liveness',
    'is missing',
    'one of LIP, ACTION, SILENT',
  ],
  ...(
    [
      ['SILENT', '1234', 'is not empty', 'omit it'],
      ['LIP', undefined, 'is not a code', 'four digits'],
      ['LIP', '12345', 'is not a code', 'four digits'],
      ['LIP', '2,1', 'is not a code', 'four digits'],
      ['LIP', 'x1234', 'is not a code', 'four digits'],
      ['LIP', '123', 'is not a code', 'four digits'],
      ['ACTION', '5', 'is not a sequence', 'e.g. 2,1'],
      ['ACTION', 'x1', 'is not a sequence', 'e.g. 2,1'],
      ['ACTION', '1,', 'is not a sequence', 'e.g. 2,1'],
      ['ACTION', '1,5', 'is not a sequence', 'e.g. 2,1'],
      ['ACTION', undefined, 'is not a sequence', 'e.g. 2,1'],
      ['ACTION', '1,2,3', 'is not a sequence', 'e.g. 2,1'],
      ['ACTION', '1 2', 'is not a sequence', 'e.g. 2,1'],
    ] as const
  ).map(
    ([type, validateData, fault, cure]): InvalidRequest => [
      `${type} with validateData ${validateData}`,
      { ...VIDEO, liveness: { type, validateData } },
      'liveness.validateData',
      fault,
      cure,
    ],
  ),
  ['an unknown liveness', { ...VIDEO, liveness: { type: 'WINK' } }, 'liveness.type', 'is not known', 'LIP, ACTION'],
  [
    'a frame name with a path',
    { ...REFLECT, frame: { to: 'file', name: '../frame.jpg' } },
    'frame.name',
    'not a plain file name',
    'letters, digits',
  ],
  [
    'a frame with the name of a receipt',
    { ...REFLECT, frame: { to: 'file', name: 'a.jpg.receipt.json' } },
    'frame.name',
    'reserved for receipts',
    'another ending',
  ],
  [
    'an object with the name of a receipt',
    { ...REFLECT, frame: { to: 'cos', bucket: 'x-1250000000', region: 'ap-singapore', key: 'a.jpg.receipt.json' } },
    'frame.key',
    'reserved for receipts',
    'another ending',
  ],
  ['an unknown frame destination', { ...REFLECT, frame: { to: 'mail' } }, 'frame.to', 'not a known kind', '"none"'],
  ['an undefined request', undefined, '', 'the verification', 'give a'],
  ['an array', [], '', 'the verification', 'give a'],
  ['a key that is a number', { ...REFLECT, key: 5 }, 'key', 'has the wrong type', 'give a string'],
  [
    'a path that is too long',
    withResources({ image: { from: 'file', path: 'p'.repeat(4097) } }),
    'resources.image.path',
    'is longer than 4096',
    'shorter',
  ],
  ['a metadata name with a space', { ...REFLECT, metadata: { 'a b': 'x' } }, 'metadata.a b', 'invalid name', 'letters'],
  ...['', 'n'.repeat(65), 'ü'].map(
    (name): InvalidRequest => [
      `metadata named ${JSON.stringify(name)}`,
      { ...REFLECT, metadata: { [name]: 'x' } },
      `metadata.${name}`,
      'invalid name',
      'up to 64 letters',
    ],
  ),
  ['metadata that is too long', { ...REFLECT, metadata: { a: 'x'.repeat(257) } }, 'metadata.a', 'longer', 'shorter'],
  [
    'a URL that is too long',
    withResources({ image: { from: 'https', url: `https://photos.example/${'p'.repeat(8_170)}` } }),
    'resources.image.url',
    'longer than 8192',
    'shorter',
  ],
  [
    'a URL with a user name',
    withResources({ image: { from: 'https', url: 'https://me@photos.example/p.jpg' } }),
    'resources.image.url',
    'user name or password',
    'use a signed link',
  ],
  [
    'a URL with a password',
    withResources({ image: { from: 'https', url: 'https://:secret@photos.example/p.jpg' } }),
    'resources.image.url',
    'user name or password',
    'use a signed link',
  ],
  ...[
    ['-faces-1250000000', 'a hyphen in front'],
    ['faces--1250000000', 'a hyphen before the APPID'],
    ['Faces-1250000000', 'a capital letter'],
    ['faces-12500', 'an APPID of five digits'],
    ['faces-1250000000123', 'an APPID of 13 digits'],
    ['xfaces-1250000000/', 'a slash'],
    [`${'f'.repeat(51)}-1250000000`, 'a name of 51 characters'],
  ].map(
    ([bucket, what]): InvalidRequest => [
      `a bucket with ${what}`,
      withResources({ image: { from: 'cos', bucket, region: 'ap-singapore', key: 'k' } }),
      'resources.image.bucket',
      'not a bucket name',
      'name-appid',
    ],
  ),
  ...[`x${MD5}`, `${MD5}0`, MD5.slice(1)].map(
    (md5): InvalidRequest => [
      `an MD5 like ${md5}`,
      withResources({ image: { from: 'file', path: '/p.jpg', md5 } }),
      'resources.image.md5',
      'is not an MD5',
      '32 hexadecimal digits',
    ],
  ),
  ...['.hidden', 'a b.jpg', 'f'.repeat(121), '', 'a/b.jpg', 'x\n'].map(
    (name): InvalidRequest => [
      `a frame named ${JSON.stringify(name)}`,
      { ...REFLECT, frame: { to: 'file', name } },
      'frame.name',
      'not a plain file name',
      'letters, digits',
    ],
  ),
  ...['Shop', '-shop', 'shop-', 'https://a.example', 's'.repeat(41), ''].map(
    (webhook): InvalidRequest => [
      `a webhook named ${JSON.stringify(webhook)}`,
      { ...REFLECT, webhook },
      'webhook',
      'is not an endpoint name',
      'registered endpoint',
    ],
  ),
  [
    'validateData that is too long',
    { ...VIDEO, liveness: { type: 'LIP', validateData: '1'.repeat(33) } },
    'liveness.validateData',
    'longer than 32',
    'shorter',
  ],
  [
    'a malformed URL',
    withResources({ image: { from: 'https', url: 'photos.example/p.jpg' } }),
    'resources.image.url',
    'is not a URL',
    'write it in full',
  ],
];

describe('an invalid request is refused with its field, the fault and the cure', () => {
  it.each(INVALID)('%s', (_title, input, field, fault, cure) => {
    const failure = refusal(input);
    expect(failure).toMatchObject({ code: 'INVALID_VERIFICATION', service: 'bestframe', channel: 'local', sent: 'no' });
    expect(failure.field).toBe(field);
    expect(failure.message).toContain(field === '' ? 'the verification' : field);
    expect(failure.message).toContain(fault);
    expect(failure.message).toContain(cure);
  });

  it('does not repeat the input in the message', () => {
    const url = 'http://photos.example/p.jpg?q-signature=topsecret';
    expect(refusal(withResources({ image: { from: 'https', url } })).message).not.toContain('topsecret');
  });
});

describe('a valid request', () => {
  it('gets the defaults', () => {
    expect(parseVerification(REFLECT)).toEqual({
      ...REFLECT,
      action: 'DetectReflectLivenessAndCompare',
      lane: 'interactive',
      frame: { to: 'file' },
    });
    expect(parseVerification(VIDEO).liveness).toEqual({ type: 'SILENT' });
  });

  it('has a deadline of one minute in lane interactive and one day in lane batch', () => {
    expect(deadlineOf(parseVerification(REFLECT), NOW)).toBe(NOW + 60_000);
    expect(deadlineOf(parseVerification({ ...REFLECT, lane: 'batch' }), NOW)).toBe(NOW + 86_400_000);
    expect(deadlineOf(parseVerification({ ...REFLECT, deadline: at(5_000) }), NOW)).toBe(NOW + 5_000);
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
    ['metadata of the maximum length', { metadata: { [`${'n'.repeat(64)}`]: 'x'.repeat(256) } }],
    ['no frame', { frame: { to: 'none' } }],
    ['a frame with a name', { frame: { to: 'file', name: 'Frame_1.a-b.jpg' } }],
    ['a frame with a long name', { frame: { to: 'file', name: 'f'.repeat(120) } }],
    ['a frame in a bucket', { frame: { to: 'cos', bucket: 'f-125000', region: 'ap-bangkok', key: 'a/b.jpg' } }],
    ['an endpoint', { webhook: 'shop-1' }],
    ['an endpoint of one letter', { webhook: 's' }],
    ['an endpoint of 40 letters', { webhook: 's'.repeat(40) }],
    ['a subject of 128 characters', { subject: 's'.repeat(128) }],
    ['a purpose of 64 characters', { purpose: 'p'.repeat(64) }],
  ])('may have %s', (_title, more) => {
    expect(accepted({ ...REFLECT, ...more })).toMatchObject(more);
  });

  it.each(UPLOAD_WAYS)('may use upload method %s', (upload) => {
    for (const lane of LANES) expect(parseVerification({ ...REFLECT, upload, lane })).toMatchObject({ upload, lane });
  });

  it('has its MD5s converted to lower case', () => {
    const input = withResources({ image: { from: 'file', path: '/p.jpg', md5: MD5.toUpperCase() } });
    expect(parseVerification(input).resources.image?.md5).toBe(MD5);
  });

  it.each([
    ['SILENT', undefined],
    ['SILENT', ''],
    ['LIP', '0123'],
    ['ACTION', '1'],
    ['ACTION', '4,1'],
  ])('may have the liveness type %s with %s', (type, validateData) => {
    const liveness = { type, ...(validateData === undefined ? {} : { validateData }) };
    expect(parseVerification({ ...VIDEO, liveness }).liveness).toEqual(liveness);
  });

  it.each(['a-125000', `${'f'.repeat(50)}-125000000000`, '9-125000'])('may name the bucket %s', (bucket) => {
    const image = { from: 'cos', bucket, region: 'ap-singapore', key: 'k' };
    expect(() => parseVerification(withResources({ image }))).not.toThrow();
  });

  it('may name the same key in two buckets or regions, or a file like an object', () => {
    const object = { from: 'cos', bucket: 'in-1250000000', region: 'ap-singapore', key: 'k' };
    const others = [
      { ...object, bucket: 'to-1250000000' },
      { ...object, region: 'ap-bangkok' },
      { ...object, key: 'l' },
      { from: 'file', path: 'k' },
    ];
    for (const image of others)
      expect(() => parseVerification(withResources({ liveData: object, image }))).not.toThrow();
  });

  it('may have a different MD5 for each resource, or an MD5 for one', () => {
    const [liveData, image] = [
      { from: 'file', path: '/a', md5: MD5 },
      { from: 'file', path: '/b', md5: 'f'.repeat(32) },
    ];
    expect(() => parseVerification(withResources({ liveData, image }))).not.toThrow();
    expect(() => parseVerification(withResources({ liveData }))).not.toThrow();
  });

  it('may use the same path on two hosts', () => {
    const input = withResources({
      liveData: { from: 'https', url: 'https://a.example/o' },
      image: { from: 'https', url: 'https://b.example/o' },
    });
    expect(() => parseVerification(input)).not.toThrow();
  });
});

describe('the JSON Schema', () => {
  const schema = verificationJsonSchema() as {
    properties: Record<string, { properties?: object }>;
    required: string[];
    additionalProperties: boolean;
  };

  it('contains exactly the fields of a request', () => {
    expect(Object.keys(schema.properties).sort()).toEqual(
      [
        'action',
        'deadline',
        'frame',
        'secondOpinion',
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

  it('requires the fields that have no default', () => {
    expect([...schema.required].sort()).toEqual(['key', 'region', 'resources']);
  });

  it('describes every field for a reader', () => {
    const fields = Object.entries(schema.properties as Record<string, { description?: string }>);
    const undescribed = fields.filter(([, { description = '' }]) => !/[.?]$/.test(description)).map(([name]) => name);
    expect(undescribed).toEqual([]);
  });

  it('is plain JSON', () => expect(JSON.parse(JSON.stringify(schema))).toEqual(schema));
});

describe('subject, purpose and consent', () => {
  const consent = { ref: 'consents/1', version: '2026-03', at: '2026-01-01T00:00:00+08:00' };

  it('are accepted, and are required if the deployment requires them', () => {
    const given = { ...REFLECT, subject: 'customer-1', purpose: 'account-opening', consent };
    const required = ['subject', 'purpose', 'consent'] as const;
    const parsed = parseVerification(given);
    expect(parsed).toMatchObject({ subject: 'customer-1', consent });
    expect(() => checkRequired(parsed, required)).not.toThrow();
    expect(() => checkRequired(parseVerification(REFLECT), [])).not.toThrow();
    for (const field of required) {
      const { [field]: _removed, ...rest } = given;
      expect(() => checkRequired(parseVerification(rest), required)).toThrow(
        expect.objectContaining({ code: 'INVALID_VERIFICATION', field }),
      );
    }
  });

  it.each([
    [{ subject: '' }, 'subject is empty: give an id of your own, or omit the field'],
    [{ subject: 's'.repeat(129) }, 'subject is longer than 128 characters'],
    [{ purpose: '' }, 'purpose is empty: give a word, or omit the field'],
    [{ consent: { ...consent, ref: '' } }, 'consent.ref is empty: give a reference to the stored consent'],
    [{ consent: { ...consent, ref: 'r'.repeat(129) } }, 'consent.ref is longer than 128'],
    [{ consent: { ...consent, version: '' } }, 'consent.version is empty: give the version of the consent text'],
    [{ consent: { ...consent, version: 'v'.repeat(65) } }, 'consent.version is longer than 64'],
    [{ consent: { ...consent, at: '2026-01-01T00:00:00' } }, 'consent.at is not a time: write ISO 8601'],
    [{ subject: 'maria lopez' }, 'subject has a forbidden character'],
    [{ purpose: 'x'.repeat(65) }, 'purpose is longer than 64 characters'],
    [{ consent: { ...consent, at: 'yesterday' } }, 'consent.at is not a time'],
    [{ consent: { ref: 'r', at: consent.at } }, 'consent.version is missing'],
    [{ consent: { ...consent, text: '…' } }, 'consent has an unknown field "text"'],
  ])('%j is refused: %s', (more, message) => {
    expect(() => parseVerification({ ...REFLECT, ...more })).toThrow(message);
  });
});
