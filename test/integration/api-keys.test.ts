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
  expect(await keys.any('test')).toBe(false);
  const { key, secret } = await keys.create(WANTED);
  const { lifeMs: _none, ...given } = WANTED;
  expect(await other.find(tokenOf(secret))).toEqual({
    ...given,
    ...{ id: key.id, createdAt: key.createdAt, expiresAt: null, revokedAt: null, lastUsedAt: null },
  });
  expect(await keys.any('test')).toBe(true);
  expect(await keys.any('live')).toBe(false);
  expect(await allText(rig.redis, rig.config.prefix)).not.toContain(secret.slice(-43));
});

it('finds no key for a wrong secret or an unknown id', async () => {
  const { secret } = await keys.create(WANTED);
  const mine = tokenOf(secret);
  expect(await keys.find({ ...mine, hash: createToken('test').token.hash })).toBeNull();
  expect(await keys.find({ ...mine, hash: '' })).toBeNull();
  expect(await keys.find(createToken('test').token)).toBeNull();
});

it('a revoked key is not found in any process, and the list shows the revocation', async () => {
  const { key, secret } = await keys.create(WANTED);
  expect(await keys.takeToken(key)).toBe(0);
  expect(await other.revoke(key.id)).toMatchObject({ id: key.id, revokedAt: expect.any(String) });
  expect(await keys.find(tokenOf(secret))).toBeNull();
  const listed = (await keys.list()).find(({ id }) => id === key.id);
  expect(listed).toMatchObject({ revokedAt: expect.any(String), lastUsedAt: expect.any(String) });
  expect(await rig.redis.pttl(rig.names.apiKey(key.id))).toBeGreaterThan(0);
  expect(await keys.revoke('0123456789ab')).toBeNull();
});

it('a key expires after its lifetime', async () => {
  const { secret } = await keys.create({ ...WANTED, lifeMs: 2_000 });
  expect(await keys.find(tokenOf(secret))).not.toBeNull();
  await expect.poll(() => keys.find(tokenOf(secret)), { timeout: 20_000 }).toBeNull();
});

it('rotation returns a key with the same permissions, and the old key works for a while', async () => {
  const old = await keys.create({ ...WANTED, scopes: ['frames'], lifeMs: 3_600_000 });
  const made = await keys.rotate(old.key.id, 2_000);
  expect(made?.key).toMatchObject({ tenant: 'acme', scopes: ['frames'], name: 'checkout' });
  expect(made?.secret).not.toBe(old.secret);
  expect(await keys.find(tokenOf(old.secret))).not.toBeNull();
  await expect.poll(() => keys.find(tokenOf(old.secret)), { timeout: 20_000 }).toBeNull();
  expect(await keys.find(tokenOf(made?.secret ?? ''))).not.toBeNull();
  expect(await keys.rotate(old.key.id, 500)).toBeNull();
});

it('a key has one rate across all processes: a burst of two seconds, then one by one', async () => {
  const { key } = await keys.create({ ...WANTED, perSecond: 0.5 });
  const [first, second] = await Promise.all([keys.takeToken(key), other.takeToken(key)]);
  const waits = [first, second].sort((a, b) => Number(a) - Number(b));
  expect(waits[0]).toBe(0);
  expect(waits[1]).toBeGreaterThan(0);
  expect(waits[1]).toBeLessThanOrEqual(2_000);
  const many = await keys.create({ ...WANTED, perSecond: 5 });
  const answers = await Promise.all(Array.from({ length: 30 }, () => keys.takeToken(many.key)));
  expect(answers.filter((wait) => wait === 0).length).toBeGreaterThanOrEqual(10);
  expect(answers.filter((wait) => wait !== 0).length).toBeGreaterThan(10);
  await rig.redis.del(rig.names.apiKey(key.id));
  expect(await keys.takeToken(key)).toBeNull();
});
