/** What a key looks like, and when it opens nothing. */
import { describe, expect, it } from 'vitest';
import { type ApiKey, isUsable, makeToken, readToken, sameHash } from '../../../src/domain/api-keys.ts';

describe('a key', () => {
  it('is read as what it was made for, and is never the same twice', () => {
    const made = Array.from({ length: 100 }, () => makeToken('test'));
    for (const { secret, token } of made) {
      expect(secret).toMatch(/^bf_test_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$/);
      expect(readToken(secret)).toEqual(token);
      expect(JSON.stringify(token)).not.toContain(secret.slice(-43));
    }
    expect(new Set(made.map(({ secret }) => secret)).size).toBe(100);
    expect(makeToken('live').secret).toMatch(/^bf_live_/);
  });

  it.each([
    '',
    'bf_test_',
    'Bearer x',
    `bf_prod_0123456789ab_${'x'.repeat(43)}`,
    `bf_test_0123456789ab_${'x'.repeat(42)}`,
    `bf_test_0123456789ab_${'x'.repeat(44)}`,
    `bf_test_0123456789AB_${'x'.repeat(43)}`,
    `bf_test_0123456789ab_${'x'.repeat(42)}\n`,
    ` bf_test_0123456789ab_${'x'.repeat(43)}`,
  ])('is not %j', (text) => expect(readToken(text)).toBeNull());

  it('of another secret has another hash', () => {
    const [a, b] = [makeToken('test').token.hash, makeToken('test').token.hash];
    expect(sameHash(a, a)).toBe(true);
    expect(sameHash(a, b)).toBe(false);
    for (const none of ['', 'zz', a.slice(2), `${a}00`]) expect(sameHash(a, none)).toBe(false);
    expect(sameHash('', '')).toBe(false);
  });
});

describe('a key opens nothing', () => {
  const key: ApiKey = {
    ...{ id: '0123456789ab', tenant: 'acme', mode: 'test', scopes: ['read'], name: '', perSecond: 1 },
    ...{ createdAt: '2030-01-01T00:00:00.000Z', expiresAt: null, revokedAt: null, lastUsedAt: null },
  };
  const now = Date.parse('2030-01-02T00:00:00.000Z');

  it.each([
    [{}, true],
    [{ expiresAt: '2030-01-02T00:00:00.001Z' }, true],
    [{ expiresAt: '2030-01-02T00:00:00.000Z' }, false],
    [{ revokedAt: '2030-01-01T12:00:00.000Z' }, false],
  ])('%o: %s', (more, usable) => expect(isUsable({ ...key, ...more }, now)).toBe(usable));
});
