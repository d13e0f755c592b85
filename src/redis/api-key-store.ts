/** API keys in Redis: a hash of each secret, never the secret. A revoked or expired key stays listed for 90 days. */
import { type ApiKey, SCOPES } from '../domain/operations/api-keys.ts';
import { openPipeline, repliesOf } from './connection.ts';
import type { Deployment } from './deployment.ts';

const KEPT_MS = 90 * 24 * 3_600_000;

export interface StoredKey {
  readonly key: ApiKey;
  /** Hash of the key's secret. */
  readonly hash: string;
}

/** @param lifeMs null if the key does not expire. */
export async function writeKey(
  { redis, names }: Deployment,
  { key, hash }: StoredKey,
  lifeMs: number | null,
): Promise<void> {
  const transaction = redis.multi().hset(names.apiKey(key.id), fieldsOf(key, hash));
  if (lifeMs !== null) transaction.pexpire(names.apiKey(key.id), lifeMs + KEPT_MS);
  await repliesOf(transaction.zadd(names.apiKeys, Date.parse(key.createdAt), key.id).exec());
}

/** @returns null if there is no such key. */
export async function readKey({ redis, names }: Deployment, id: string): Promise<StoredKey | null> {
  return parseKey(id, await redis.hgetall(names.apiKey(id)));
}

/** Whether no key was ever stored, or Redis lost all keys. Revoked and expired keys count as stored: their ids stay indexed. */
export async function hasNoKeys({ redis, names }: Deployment): Promise<boolean> {
  return (await redis.exists(names.apiKeys)) === 0;
}

/** All stored keys, oldest first. */
export async function readKeys(deployment: Deployment): Promise<ApiKey[]> {
  return (await readStoredKeys(deployment)).map(({ key }) => key);
}

/** All stored keys with the hashes of their secrets, oldest first. */
export async function readStoredKeys({ redis, names }: Deployment): Promise<StoredKey[]> {
  const ids = await redis.zrange(names.apiKeys, '0', '-1');
  if (ids.length === 0) return [];
  const pipeline = openPipeline(redis);
  for (const id of ids) pipeline.hgetall(names.apiKey(id));
  const hashes = await repliesOf(pipeline.exec());
  return ids.flatMap((id, index) => parseKey(id, hashes[index] as Record<string, string>) ?? []);
}

/** @param at ms since 1970 */
export async function markRevoked({ redis, names }: Deployment, id: string, at: number): Promise<void> {
  const name = names.apiKey(id);
  await repliesOf(
    redis.multi().hset(name, 'revokedAt', at).pexpire(name, KEPT_MS).publish(names.keyChannel, id).exec(),
  );
}

/** @param at ms since 1970 */
export async function setExpiry({ redis, names }: Deployment, id: string, at: number): Promise<void> {
  const name = names.apiKey(id);
  const lifeMs = Math.max(0, at - Date.now()) + KEPT_MS;
  await repliesOf(redis.multi().hset(name, 'expiresAt', at).pexpire(name, lifeMs).publish(names.keyChannel, id).exec());
}

function fieldsOf({ tenant, mode, scopes, name, perSecond, createdAt, expiresAt }: ApiKey, hash: string) {
  return {
    hash,
    tenant,
    mode,
    scopes: scopes.join(','),
    name,
    perSecond: String(perSecond),
    createdAt: String(Date.parse(createdAt)),
    ...(expiresAt === null ? {} : { expiresAt: String(Date.parse(expiresAt)) }),
  };
}

/** @param fields as Redis stores them. @returns null if there is no such key. */
export function parseKey(id: string, fields: Readonly<Record<string, string>>): StoredKey | null {
  const { hash, tenant, mode, scopes = '', name = '', perSecond, createdAt, expiresAt, revokedAt, usedAt } = fields;
  if (hash === undefined || tenant === undefined || createdAt === undefined) return null;
  const key: ApiKey = {
    id,
    tenant,
    mode: mode === 'live' ? 'live' : 'test',
    scopes: SCOPES.filter((scope) => scopes.split(',').includes(scope)),
    name,
    perSecond: Number(perSecond),
    createdAt: iso(Number(createdAt)),
    expiresAt: isoOrNull(expiresAt),
    revokedAt: isoOrNull(revokedAt),
    lastUsedAt: isoOrNull(usedAt),
  };
  return { key, hash };
}

function isoOrNull(ms: string | undefined): string | null {
  return ms === undefined ? null : iso(Number(ms));
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
