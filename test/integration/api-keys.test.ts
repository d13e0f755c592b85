/** API keys in Redis: found by their secret alone, until they are revoked, expire or are rotated; and their rate. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiKeys, type NewKey } from '../../src/client/api-keys.ts';
import { makeToken, readToken, type Token } from '../../src/domain/api-keys.ts';
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
  const token = readToken(secret);
  if (token === null) throw new Error('no key');
  return token;
}

it('is found by its secret, says what it may, and lies nowhere in Redis', async () => {
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

it('is not found by another secret under its id, nor where there is none', async () => {
  const { secret } = await keys.create(WANTED);
  const mine = tokenOf(secret);
  expect(await keys.find({ ...mine, hash: makeToken('test').token.hash })).toBeNull();
  expect(await keys.find({ ...mine, hash: '' })).toBeNull();
  expect(await keys.find(makeToken('test').token)).toBeNull();
});

it('once revoked it opens nothing, in no process; the list says so', async () => {
  const { key, secret } = await keys.create(WANTED);
  expect(await keys.enter(key)).toBe(0);
  expect(await other.revoke(key.id)).toMatchObject({ id: key.id, revokedAt: expect.any(String) });
  expect(await keys.find(tokenOf(secret))).toBeNull();
  const listed = (await keys.list()).find(({ id }) => id === key.id);
  expect(listed).toMatchObject({ revokedAt: expect.any(String), lastUsedAt: expect.any(String) });
  expect(await rig.redis.pttl(rig.names.apiKey(key.id))).toBeGreaterThan(0);
  expect(await keys.revoke('0123456789ab')).toBeNull();
});

it('expires by itself', async () => {
  const { secret } = await keys.create({ ...WANTED, lifeMs: 2_000 });
  expect(await keys.find(tokenOf(secret))).not.toBeNull();
  await expect.poll(() => keys.find(tokenOf(secret)), { timeout: 20_000 }).toBeNull();
});

it('is rotated: the new one is like it, the old one goes on for a while', async () => {
  const old = await keys.create({ ...WANTED, scopes: ['frames'], lifeMs: 3_600_000 });
  const made = await keys.rotate(old.key.id, 2_000);
  expect(made?.key).toMatchObject({ tenant: 'acme', scopes: ['frames'], name: 'checkout' });
  expect(made?.secret).not.toBe(old.secret);
  expect(await keys.find(tokenOf(old.secret))).not.toBeNull();
  await expect.poll(() => keys.find(tokenOf(old.secret)), { timeout: 20_000 }).toBeNull();
  expect(await keys.find(tokenOf(made?.secret ?? ''))).not.toBeNull();
  expect(await keys.rotate(old.key.id, 500)).toBeNull();
});

it('has one rate over all processes: two seconds of it at once, then one by one', async () => {
  const { key } = await keys.create({ ...WANTED, perSecond: 0.5 });
  const [first, second] = await Promise.all([keys.enter(key), other.enter(key)]);
  const waits = [first, second].sort((a, b) => Number(a) - Number(b));
  expect(waits[0]).toBe(0);
  expect(waits[1]).toBeGreaterThan(0);
  expect(waits[1]).toBeLessThanOrEqual(2_000);
  const many = await keys.create({ ...WANTED, perSecond: 5 });
  const answers = await Promise.all(Array.from({ length: 30 }, () => keys.enter(many.key)));
  expect(answers.filter((wait) => wait === 0).length).toBeGreaterThanOrEqual(10);
  expect(answers.filter((wait) => wait !== 0).length).toBeGreaterThan(10);
  await rig.redis.del(rig.names.apiKey(key.id));
  expect(await keys.enter(key)).toBeNull();
});
