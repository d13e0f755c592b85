import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fingerprint, objectKey, verificationId } from '../../../src/domain/identity.ts';
import { parseVerification, type VerificationRequest } from '../../../src/domain/verification.ts';
import { NOW, REFLECT, VIDEO } from './requests.ts';

const word = fc.stringMatching(/^[a-z0-9]{1,12}$/);
const print = (request: object) => fingerprint(parseVerification(request, NOW));

describe('verificationId', () => {
  it('is the same for ever: records of earlier versions must be found', () => {
    expect(verificationId('bestframe', 'order-1')).toBe(verificationId('bestframe', 'order-1'));
    expect(verificationId('bestframe', 'order-1')).toBe('v893msmdtdd6uwhottcw14wytl');
  });

  it('is one that BullMQ takes, and says nothing of the key', () => {
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

  it('is short and the same for the same request', () => {
    expect(print(REFLECT)).toMatch(/^[\w-]{22}$/);
    expect(print(structuredClone(REFLECT))).toBe(print(REFLECT));
  });

  it('overlooks signatures, the deadline and the key', () => {
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

  it('overlooks the order of fields and defaults that are written out', () => {
    const { resources, ...rest } = REFLECT;
    const { liveData, image } = resources;
    expect(print({ resources: { image, liveData }, ...rest })).toBe(print(REFLECT));
    expect(
      print({
        ...REFLECT,
        action: 'DetectReflectLivenessAndCompare',
        lane: 'interactive',
        similarityThreshold: 70,
        frame: { to: 'file' },
        liveness: undefined,
      }),
    ).toBe(print(REFLECT));
  });

  it('tells one link from another', () => {
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

  it('tells apart whatever else is asked', () => {
    const prints = [print(REFLECT), ...CHANGES.map(([, change]) => print({ ...REFLECT, ...change }))];
    const names = ['none', ...CHANGES.map(([name]) => name)];
    expect(prints.map((text, index) => names[prints.indexOf(text)] === names[index] || names[index])).toEqual(
      names.map(() => true),
    );
  });
});

describe('objectKey', () => {
  it('is another one for each generation and resource', () => {
    expect(objectKey('bestframe', 'v1', 0, 'image')).toBe('bestframe/v1/0/image');
    const keys = [0, 1, 2].flatMap((generation) =>
      ['image', 'liveData'].map((name) => objectKey('f', 'v1', generation, name)),
    );
    expect(new Set(keys).size).toBe(6);
  });
});
