/**
 * Tests that a request is refused if COS would not receive one of its object keys exactly as signed, and that the error
 * names the field.
 */
import { describe, expect, it } from 'vitest';
import { Failure } from '../../../src/domain/errors/failure.ts';
import { objectKeyProblem, objectKeySchema } from '../../../src/domain/verification/object-key.ts';
import { parseVerification } from '../../../src/domain/verification/request.ts';
import { REFLECT, withResources } from './requests.ts';

const PLACE = { bucket: 'in-1250000000', region: 'ap-singapore' } as const;

function refusal(input: unknown): Failure {
  try {
    parseVerification(input);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  return expect.fail('the request was accepted');
}

describe.each([
  ['a source', 'resources.image.key', (key: string) => withResources({ image: { from: 'cos', ...PLACE, key } }), 850],
  ['a frame', 'frame.key', (key: string) => ({ ...REFLECT, frame: { to: 'cos', ...PLACE, key } }), 837],
])('the key of %s', (_what, field, requestWith, maxBytes) => {
  it.each([
    ['./c.jpg', 'a segment "." or ".."'],
    ['a/./b.jpg', 'a segment "." or ".."'],
    ['a/../b.jpg', 'a segment "." or ".."'],
    ['..', 'a segment "." or ".."'],
    ['a/.', 'a segment "." or ".."'],
    ['a//b.jpg', 'an empty segment'],
    ['a/', 'an empty segment'],
    ['/a.jpg', 'starts with a slash'],
    ['', 'is empty'],
    ['a\nb', 'a control character'],
    ['a\u007f', 'a control character'],
    ['a\ud800b', 'broken Unicode'],
    ['é'.repeat(426), `longer than ${maxBytes} bytes`],
  ])('is refused: %j', (key, words) => {
    const failure = refusal(requestWith(key));
    expect(failure).toMatchObject({ code: 'INVALID_VERIFICATION', field });
    expect(failure.message).toContain(words);
    expect(failure.message).toMatch(/: (give|use|remove|object keys)/);
  });

  it(`may have ${maxBytes} bytes and any character`, () => {
    for (const key of ['é'.repeat(Math.floor(maxBytes / 2)), 'a b+c%2F..?#&\'"\\~/.a/..b/c..', '…', '😀']) {
      expect(() => parseVerification(requestWith(key))).not.toThrow();
    }
    expect(refusal(requestWith('k'.repeat(maxBytes + 1))).message).toContain(`${maxBytes} bytes`);
  });
});

it('says exactly what is wrong, and what to do', () => {
  const problems = ['', '/a', 'a\u0000', 'k'.repeat(851), 'a//b', 'a/../b', 'a.b/c'].map((key) =>
    objectKeyProblem(key),
  );
  expect(problems).toEqual([
    'is empty: give the object key',
    'starts with a slash: object keys have none at the start, remove it',
    'has a control character or broken Unicode: use another key',
    'is longer than 850 bytes of UTF-8: give a shorter key',
    'has an empty segment ("//", or a slash at the end): remove the extra slash',
    'has a segment "." or "..", which is rewritten on the way to COS: use another key',
    null,
  ]);
  expect(objectKeySchema(13).description).toMatch(/^Object key: at most 837 bytes of UTF-8, no slash/);
});

it('refuses a frame bucket that does not have the form of a bucket name', () => {
  const frame = { to: 'cos', ...PLACE, bucket: 'faces/../x', key: 'k' };
  expect(refusal({ ...REFLECT, frame })).toMatchObject({ field: 'frame.bucket' });
});
