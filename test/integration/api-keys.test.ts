/** Tests API keys in Redis: lookup by secret, revocation, expiry, rotation, and the rate of a key. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiKeys, type NewKey } from '../../src/client/redis/api-keys.ts';
import { createToken, parseToken, type Token } from '../../src/domain/operations/api-keys.ts';
import { allText } from '../support/leftovers.ts';
import { createRig, type Rig } from '../support/rig.ts';

const WANTED: NewKey = {
  ...{ tenant: 'acme', mode: 'test', scopes: ['submit', 'read'], name: 'checkout', perSecond: 10_000, lifeMs: null },
};

let rig: Rig;
let keys: ApiKeys;
let other: ApiKeys;

beforeAll(async () => {
  rig = await createRig();
  keys = new ApiKeys(rig.config.redis, rig.config.prefix);
  other = new ApiKeys(rig.config.redis, rig.config.prefix);
});
afterAll(async () => {
  await keys.close();
  await other.close();
  await rig.dispose();
});

function tokenOf(secret: string): Token {
  const token = parseToken(secret);
  if (token === null) throw new Error('no key');
  return token;
}

it('finds a key with its permissions by its secret, which is not stored in Redis', async () => {
  const none = new ApiKeys(rig.config.redis, `${rig.config.prefix}-none`);
  expect(await none.any('test')).toBe(false);
  await none.close();
  const { key, secret } = await keys.create(WANTED);
  const { lifeMs: _none, ...given } = WANTED;
  expect(await other.admit(tokenOf(secret), 'test')).toEqual({
    key: { ...given, id: key.id, createdAt: key.createdAt, expiresAt: null, revokedAt: null, lastUsedAt: null },
    waitMs: 0,
  });
  expect(await keys.any('test')).toBe(true);
  expect(await keys.any('live')).toBe(false);
  expect(await allText(rig.redis, rig.config.prefix)).not.toContain(secret.slice(-43));
});

it('finds no key for a wrong secret or an unknown id', async () => {
  const { secret } = await keys.create(WANTED);
  const mine = tokenOf(secret);
  expect(await keys.admit({ ...mine, hash: createToken('test').token.hash }, 'test')).toBeNull();
  expect(await keys.admit({ ...mine, hash: '' }, 'test')).toBeNull();
  expect(await keys.admit(createToken('test').token, 'test')).toBeNull();
});

it('a revoked key is not found in any process, and the list shows the revocation', async () => {
  const { key, secret } = await keys.create(WANTED);
  expect(await keys.admit(tokenOf(secret), 'test')).toMatchObject({ waitMs: 0 });
  expect(await other.revoke(key.id)).toMatchObject({ id: key.id, revokedAt: expect.any(String) });
  expect(await keys.admit(tokenOf(secret), 'test')).toBeNull();
  const listed = (await keys.list()).find(({ id }) => id === key.id);
  expect(listed).toMatchObject({ revokedAt: expect.any(String), lastUsedAt: expect.any(String) });
  expect(await rig.redis.pttl(rig.names.apiKey(key.id))).toBeGreaterThan(0);
  expect(await keys.revoke('0123456789ab')).toBeNull();
});

it('a key expires after its lifetime', async () => {
  const { secret } = await keys.create({ ...WANTED, lifeMs: 2_000 });
  expect(await keys.admit(tokenOf(secret), 'test')).not.toBeNull();
  await expect.poll(() => keys.admit(tokenOf(secret), 'test'), { timeout: 20_000 }).toBeNull();
});

it('rotation returns a key with the same permissions, and the old key works for a while', async () => {
  const old = await keys.create({ ...WANTED, scopes: ['frames'], lifeMs: 3_600_000 });
  const made = await keys.rotate(old.key.id, 2_000);
  expect(made?.key).toMatchObject({ tenant: 'acme', scopes: ['frames'], name: 'checkout' });
  expect(made?.secret).not.toBe(old.secret);
  expect(await keys.admit(tokenOf(old.secret), 'test')).not.toBeNull();
  await expect.poll(() => keys.admit(tokenOf(old.secret), 'test'), { timeout: 20_000 }).toBeNull();
  expect(await keys.admit(tokenOf(made?.secret ?? ''), 'test')).not.toBeNull();
  expect(await keys.rotate(old.key.id, 500)).toBeNull();
});

it('a key of another mode, or a wrong secret, takes no token of the rate', async () => {
  const { key, secret } = await keys.create({ ...WANTED, perSecond: 0.5 });
  const wrong = { ...tokenOf(secret), hash: createToken('test').token.hash };
  expect(await keys.admit(wrong, 'test')).toBeNull();
  expect(await keys.admit(tokenOf(secret), 'live')).toMatchObject({ key: { id: key.id, mode: 'test' }, waitMs: 0 });
  expect(await keys.get(key.id)).toMatchObject({ lastUsedAt: null });
  expect(await keys.admit(tokenOf(secret), 'test')).toMatchObject({ waitMs: 0 });
});

it('a key has one rate across all processes: a burst of two seconds, then one by one', async () => {
  const { key, secret } = await keys.create({ ...WANTED, perSecond: 0.5 });
  const admit = async (admitting: ApiKeys, mine: string) => (await admitting.admit(tokenOf(mine), 'test'))?.waitMs;
  const [first, second] = await Promise.all([admit(keys, secret), admit(other, secret)]);
  const waits = [first, second].sort((a, b) => Number(a) - Number(b));
  expect(waits[0]).toBe(0);
  expect(waits[1]).toBeGreaterThan(0);
  expect(waits[1]).toBeLessThanOrEqual(2_000);
  const many = await keys.create({ ...WANTED, perSecond: 5 });
  const answers = await Promise.all(Array.from({ length: 30 }, () => admit(keys, many.secret)));
  expect(answers.filter((wait) => wait === 0).length).toBeGreaterThanOrEqual(10);
  expect(answers.filter((wait) => wait !== 0).length).toBeGreaterThan(10);
  await rig.redis.del(rig.names.apiKey(key.id));
  expect(await admit(keys, secret)).toBeUndefined();
});
