/** Tests the format of API keys and when a key is usable. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type ApiKey, createToken, isUsable, parseToken } from '../../../src/domain/operations/api-keys.ts';

describe('an API key', () => {
  it('can be parsed, and differs each time', () => {
    const created = Array.from({ length: 100 }, () => createToken('test'));
    for (const { secret, token } of created) {
      expect(secret).toMatch(/^bf_test_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$/);
      expect(parseToken(secret)).toEqual(token);
      expect(JSON.stringify(token)).not.toContain(secret.slice(-43));
    }
    expect(new Set(created.map(({ secret }) => secret)).size).toBe(100);
    const live = createToken('live');
    expect(live.secret).toMatch(/^bf_live_/);
    expect(parseToken(live.secret)).toEqual(live.token);
    expect(live.token.mode).toBe('live');
    expect(live.token.hash).toBe(createHash('sha256').update(live.secret).digest('hex'));
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
    `bf_test_0123456789ab_${'x'.repeat(43)} `,
  ])('does not have the form %j', (text) => expect(parseToken(text)).toBeNull());

  it('has its own hash', () => {
    expect(createToken('test').token.hash).not.toBe(createToken('test').token.hash);
  });
});

describe('isUsable', () => {
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
  ])('with %o returns %s', (more, usable) => expect(isUsable({ ...key, ...more }, now)).toBe(usable));
});
