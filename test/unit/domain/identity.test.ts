import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fingerprint,
  objectKey,
  questionFingerprint,
  sequenceFingerprint,
  sequenceId,
  subjectHash,
  tenantNamespace,
  verificationId,
} from '../../../src/domain/verification/identity.ts';
import { parseVerification, type VerificationRequest } from '../../../src/domain/verification/request.ts';
import { NOW, REFLECT, VIDEO } from './requests.ts';

const word = fc.stringMatching(/^[a-z0-9]{1,12}$/);
const print = (request: object, namespace = 'bestframe') => fingerprint(namespace, parseVerification(request));

describe('verificationId', () => {
  it('never changes, so records of earlier versions are found', () => {
    expect(verificationId('bestframe', 'order-1')).toBe(verificationId('bestframe', 'order-1'));
    expect(verificationId('bestframe', 'order-1')).toBe('v893msmdtdd6uwhottcw14wytl');
  });

  it('has a form that BullMQ accepts, and does not reveal the key', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (namespace, key) => {
        expect(verificationId(namespace, key)).toMatch(/^v[0-9a-z]{25}$/);
      }),
    );
  });

  it('differs by key and by namespace', () => {
    fc.assert(
      fc.property(word, word, word, (namespace, other, key) => {
        fc.pre(namespace !== other);
        expect(verificationId(namespace, key)).not.toBe(verificationId(other, key));
        expect(verificationId(namespace, namespace)).not.toBe(verificationId(namespace, other));
      }),
    );
  });
});

describe('fingerprint', () => {
  const url = fc.record({ host: word, path: word });
  const link = (of: { host: string; path: string }, query: string) => `https://${of.host}.example/${of.path}${query}`;
  const query = fc.oneof(
    fc.constant(''),
    word.map((text) => `?q-signature=${text}`),
  );

  it('is short, and is equal for equal requests', () => {
    expect(print(REFLECT)).toMatch(/^[\w-]{22}$/);
    expect(print(structuredClone(REFLECT))).toBe(print(REFLECT));
  });

  it('is keyed, so that a guessed payload cannot be checked without the namespace', () => {
    fc.assert(
      fc.property(word, (namespace) => {
        expect(print(REFLECT, `${namespace}.`)).not.toBe(print(REFLECT, namespace));
      }),
    );
  });

  it('ignores signatures, the deadline and the key', () => {
    fc.assert(
      fc.property(url, query, query, fc.integer({ min: 1_000, max: 86_400_000 }), word, (of, one, two, ahead, key) => {
        const request = (text: string): VerificationRequest => ({
          ...REFLECT,
          resources: { ...REFLECT.resources, image: { from: 'https', url: link(of, text) } },
        });
        const later = { ...request(two), key, deadline: new Date(NOW + ahead).toISOString() };
        expect(print(later)).toBe(print(request(one)));
      }),
    );
  });

  it('ignores the order of fields and explicit defaults', () => {
    const { resources, ...rest } = REFLECT;
    const { liveData, image } = resources;
    expect(print({ resources: { image, liveData }, ...rest })).toBe(print(REFLECT));
    expect(
      print({
        ...REFLECT,
        action: 'DetectReflectLivenessAndCompare',
        lane: 'interactive',
        frame: { to: 'file' },
        liveness: undefined,
      }),
    ).toBe(print(REFLECT));
  });

  it('differs for different links', () => {
    fc.assert(
      fc.property(url, url, (one, two) => {
        fc.pre(one.host !== two.host || one.path !== two.path);
        const of = (place: typeof one) => ({
          ...REFLECT,
          resources: { ...REFLECT.resources, image: { from: 'https', url: link(place, '') } },
        });
        expect(print(of(one))).not.toBe(print(of(two)));
      }),
    );
  });

  const MD5 = 'a'.repeat(32);
  const { liveData, image } = REFLECT.resources;
  const CHANGES: readonly (readonly [string, object])[] = [
    ['region', { region: 'ap-bangkok' }],
    ['upload way', { upload: 'create-upload-url' }],
    ['lane', { lane: 'batch' }],
    ['threshold', { similarityThreshold: 71 }],
    ['metadata', { metadata: { a: '1' } }],
    ['metadata value', { metadata: { a: '2' } }],
    ['frame', { frame: { to: 'none' } }],
    ['frame name', { frame: { to: 'file', name: 'a.jpg' } }],
    ['path', { resources: { liveData: { from: 'file', path: '/in/other.gz' }, image } }],
    ['MD5 of one', { resources: { liveData, image: { ...image, md5: MD5 } } }],
    ['MD5 of the other', { resources: { liveData: { ...liveData, md5: MD5 }, image } }],
    ['kind of source', { resources: { liveData, image: { from: 'file', path: '/p/1.jpg' } } }],
    ['swapped sources', { resources: { liveData: image, image: liveData } }],
    ['action', VIDEO],
    ['liveness', { ...VIDEO, liveness: { type: 'LIP', validateData: '1234' } }],
  ];

  it('differs for every other change to the request', () => {
    const prints = [print(REFLECT), ...CHANGES.map(([, change]) => print({ ...REFLECT, ...change }))];
    const names = ['none', ...CHANGES.map(([name]) => name)];
    expect(prints.map((text, index) => names[prints.indexOf(text)] === names[index] || names[index])).toEqual(
      names.map(() => true),
    );
  });
});

describe('a keyed hash', () => {
  it('of a sequence differs by namespace, mode and key', () => {
    const id = sequenceId('n', 'live', 'k');
    expect(id).toMatch(/^[\w-]{22}$/);
    expect(id).toMatchInlineSnapshot(`"YNAW0lPP-F_RXxZ3Ue27ss"`);
    const others = [sequenceId('m', 'live', 'k'), sequenceId('n', 'test', 'k'), sequenceId('n', 'live', 'l')];
    expect(new Set([id, ...others]).size).toBe(4);
  });

  it('of a sequence request differs by namespace and every part', () => {
    const print = sequenceFingerprint('n', ['a', 'b']);
    expect(print).toMatch(/^[\w-]{22}$/);
    expect(print).toMatchInlineSnapshot(`"5r3DXuuDbHGhNWYA3uQaiD"`);
    const others = [
      sequenceFingerprint('m', ['a', 'b']),
      sequenceFingerprint('n', ['ab']),
      sequenceFingerprint('n', ['b', 'a']),
    ];
    expect(new Set([print, ...others]).size).toBe(4);
  });

  it('of a subject differs by namespace and subject', () => {
    const hash = subjectHash('n', 's');
    expect(hash).toMatch(/^[\w-]{22}$/);
    expect(hash).toMatchInlineSnapshot(`"x6sB53RFCPX8z1lP9Re6kq"`);
    expect(new Set([hash, subjectHash('m', 's'), subjectHash('n', 't')]).size).toBe(3);
  });

  it('has a namespace of its own for each tenant', () => {
    expect(tenantNamespace('n', null)).toBe('n');
    expect(tenantNamespace('n', 'shop')).toBe('["n","shop"]');
    expect(tenantNamespace('n","a', 'b')).not.toBe(tenantNamespace('n', 'a","b'));
  });
});

describe('questionFingerprint', () => {
  const question = (more: object) => questionFingerprint(parseVerification({ ...REFLECT, ...more }));

  it('ignores what does not affect the vendor’s answer', () => {
    expect(question({})).toMatch(/^[\w-]{22}$/);
    for (const more of [{ lane: 'batch' }, { similarityThreshold: 1 }, { metadata: { a: 'b' } }, { key: 'other' }])
      expect(question(more)).toBe(question({}));
  });

  it('differs by action, resources and liveness', () => {
    const { liveData, image } = REFLECT.resources;
    const prints = [
      question({}),
      question({ resources: { liveData, image: { ...image, md5: 'a'.repeat(32) } } }),
      question({ resources: { liveData: image, image: liveData } }),
      question(VIDEO),
      question({ ...VIDEO, liveness: { type: 'LIP', validateData: '1234' } }),
      question({ ...VIDEO, liveness: { type: 'LIP', validateData: '1235' } }),
      print(REFLECT),
    ];
    expect(new Set(prints).size).toBe(prints.length);
  });
});

it('the fingerprint never changes, so that a repeated request is recognized after an update', () => {
  const request = { ...REFLECT, metadata: { b: '2', a: '1' }, frame: { to: 'file', name: 'a.jpg' } };
  expect(print(request)).toMatchInlineSnapshot(`"XENglL7sLos5fZcyev5TGw"`);
  expect(questionFingerprint(parseVerification(VIDEO))).toMatchInlineSnapshot(`"Nx7IDyB24PckrvkNZq2BU6"`);
});

describe('objectKey', () => {
  it('differs by generation and resource', () => {
    expect(objectKey('bestframe', 'v1', 0, 'image')).toBe('bestframe/v1/0/image');
    const keys = [0, 1, 2].flatMap((generation) =>
      ['image', 'liveData'].map((name) => objectKey('f', 'v1', generation, name)),
    );
    expect(new Set(keys).size).toBe(6);
  });
});
