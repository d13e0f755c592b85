import fc from 'fast-check';
import { expect, it } from 'vitest';
import { namespaceCheck, namespaceProblem, newNamespace } from '../../../src/domain/verification/namespace.ts';

it('accepts every namespace that it generates, and each is another one', () => {
  const made = Array.from({ length: 1_000 }, newNamespace);
  expect(new Set(made).size).toBe(made.length);
  expect(made.filter((namespace) => namespaceProblem(namespace) !== null)).toEqual([]);
});

it.each([
  'bestframe',
  '',
  'q8m2Wn5xT0bJ4yRzLk7HcVfUe1oGsAd', // 31 characters
  'the-namespace-of-our-deployment-in-singapore',
  'a'.repeat(40),
  'q8m2Wn5xT0b'.repeat(4),
  'abcdefghijklmnopqrstuvwxyz0123456789',
  'zyxwvutsrqponmlkjihgfedcba9876543210',
  'x'.repeat(257),
])('refuses %s without repeating it', (namespace) => {
  const problem = namespaceProblem(namespace);
  expect(problem).toMatch(/: use /);
  if (namespace.length > 12) expect(problem).not.toContain(namespace.slice(0, 12));
});

it('the check value is the same for the same namespace, differs for others, and does not contain it', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 8 }), fc.string({ minLength: 8 }), (one, other) => {
      fc.pre(one !== other);
      expect(namespaceCheck(one)).toBe(namespaceCheck(one));
      expect(namespaceCheck(one)).not.toBe(namespaceCheck(other));
      expect(namespaceCheck(one)).not.toContain(one);
    }),
  );
});
