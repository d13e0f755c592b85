/** Tests the secrets of the operators' sessions. The expected hashes were computed with openssl. */
import { expect, it } from 'vitest';
import {
  createSessionSecret,
  formTokenOf,
  isSameSecret,
  sessionIdOf,
} from '../../../src/domain/operations/sessions.ts';

it('a secret has 256 bits, and no two are the same', () => {
  const secrets = Array.from({ length: 100 }, createSessionSecret);
  expect(new Set(secrets).size).toBe(100);
  for (const secret of secrets) expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
  for (const secret of secrets) expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/);
});

it('the id is the first half of the SHA-256 of the secret', () => {
  expect(sessionIdOf('abc')).toBe('ba7816bf8f01cfea414140de5dae2223');
});

it('the token of the forms is an HMAC, so that the secret does not follow from it', () => {
  expect(formTokenOf('abc')).toBe('GOHDmfmnH8FvPmFV0WhK33qDC5aOH9yCspQdQF76xfI');
  expect(formTokenOf('abd')).not.toBe(formTokenOf('abc'));
});

it('secrets are compared as a whole', () => {
  expect(isSameSecret('abc', 'abc')).toBe(true);
  expect(isSameSecret('abc', 'abd')).toBe(false);
  expect(isSameSecret('abc', 'ab')).toBe(false);
  expect(isSameSecret('', '')).toBe(true);
});
