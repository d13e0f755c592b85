/**
 * Keys to the HTTP API, as they lie in Redis: a hash of each, never the key itself. One that was revoked or has expired is
 * kept for a while, so that a list can say what became of it.
 */
import { type ApiKey, isUsable, makeToken, SCOPES, sameHash, type Token } from '../domain/api-keys.ts';
import type { Mode } from '../domain/verification.ts';
import { redisFailure } from '../queue/connection.ts';
import { DEFAULT_PREFIX } from '../queue/names.ts';
import type { RedisSettings } from '../queue/redis-url.ts';
import { Sealer } from '../queue/seal.ts';
import { Store } from './store.ts';

export type NewKey = Pick<ApiKey, 'tenant' | 'mode' | 'scopes' | 'name' | 'perSecond'> & {
  /** Null: it does not expire. */
  readonly lifeMs: number | null;
};

const KEPT_MS = 90 * 24 * 3_600_000;
/** So many requests may come at once, in seconds' worth of the rate. */
const BURST_S = 2;

export class ApiKeys {
  readonly #store: Store;

  constructor(redis: RedisSettings, prefix: string = DEFAULT_PREFIX) {
    const sealer = new Sealer(); // nothing of a key is sealed: there is a hash, and words of operators
    this.#store = new Store({ redis, prefix, sealer, expiryMs: 0, connectTimeoutMs: 3_000, tenant: null });
  }

  /** @returns the key with its secret, which nobody can say again. */
  async create(wanted: NewKey): Promise<{ readonly key: ApiKey; readonly secret: string }> {
    const { tenant, mode, scopes, name, perSecond, lifeMs } = wanted;
    const { secret, token } = makeToken(mode);
    const now = Date.now();
    const key: ApiKey = {
      id: token.id,
      tenant,
      mode,
      scopes,
      name,
      perSecond,
      createdAt: iso(now),
      expiresAt: lifeMs === null ? null : iso(now + lifeMs),
      revokedAt: null,
      lastUsedAt: null,
    };
    await this.#store.ready();
    const { redis, names } = this.#store;
    const transaction = redis.multi().hset(names.apiKey(key.id), fieldsOf(key, token.hash));
    if (lifeMs !== null) transaction.pexpire(names.apiKey(key.id), lifeMs + KEPT_MS);
    await this.#all(transaction.zadd(names.apiKeys, now, key.id).exec());
    return { key, secret };
  }

  /** Oldest first, those included that open nothing any more. */
  async list(): Promise<ApiKey[]> {
    await this.#store.ready();
    const { redis, names } = this.#store;
    const ids = await this.#store.command(redis.zrange(names.apiKeys, '0', '-1'));
    const pipeline = redis.pipeline();
    for (const id of ids) pipeline.hgetall(names.apiKey(id));
    const hashes = ids.length === 0 ? [] : await this.#all(pipeline.exec());
    return ids.flatMap((id, index) => readKey(id, hashes[index] as Record<string, string>)?.key ?? []);
  }

  /** @returns null where there is none under this id. */
  async revoke(id: string): Promise<ApiKey | null> {
    const key = await this.#known(id);
    if (key === null || key.revokedAt !== null) return key;
    const now = Date.now();
    const name = this.#store.names.apiKey(id);
    const transaction = this.#store.redis.multi().hset(name, 'revokedAt', now);
    await this.#all(transaction.pexpire(name, KEPT_MS).exec());
    return { ...key, revokedAt: iso(now) };
  }

  /** A new key like this one, which goes on for a while. @returns null where there is none that can be used. */
  async rotate(id: string, overlapMs: number): Promise<{ readonly key: ApiKey; readonly secret: string } | null> {
    const old = await this.#known(id);
    const now = Date.now();
    if (old === null || !isUsable(old, now)) return null;
    const { createdAt, expiresAt } = old;
    const lifeMs = expiresAt === null ? null : Date.parse(expiresAt) - Date.parse(createdAt);
    const made = await this.create({ ...old, lifeMs });
    const ends = Math.min(now + overlapMs, expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt));
    const name = this.#store.names.apiKey(id);
    const transaction = this.#store.redis.multi().hset(name, 'expiresAt', ends);
    await this.#all(transaction.pexpire(name, Math.max(0, ends - now) + KEPT_MS).exec());
    return made;
  }

  /** Whether any key opens a deployment of this mode. */
  async any(mode: Mode): Promise<boolean> {
    const now = Date.now();
    return (await this.list()).some((key) => key.mode === mode && isUsable(key, now));
  }

  /** @returns null where no such key opens anything: unknown, of another secret, revoked or expired. */
  async find({ id, hash }: Token): Promise<ApiKey | null> {
    await this.#store.ready();
    const fields = await this.#store.command(this.#store.redis.hgetall(this.#store.names.apiKey(id)));
    const kept = readKey(id, fields);
    if (kept === null || !sameHash(hash, kept.hash) || !isUsable(kept.key, Date.now())) return null;
    return kept.key;
  }

  /** A request by it. @returns 0, or after how many ms it may come again; null where the key has just gone. */
  async enter({ id, perSecond }: ApiKey): Promise<number | null> {
    const burst = Math.max(1, Math.round(perSecond * BURST_S));
    const waitMs = Number(await this.#store.script('enter', [this.#store.names.apiKey(id)], [perSecond, burst]));
    return waitMs < 0 ? null : waitMs;
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#store.close();
  }

  async #known(id: string): Promise<ApiKey | null> {
    await this.#store.ready();
    const fields = await this.#store.command(this.#store.redis.hgetall(this.#store.names.apiKey(id)));
    return readKey(id, fields)?.key ?? null;
  }

  async #all(sent: Promise<[Error | null, unknown][] | null>): Promise<unknown[]> {
    const replies = (await this.#store.command(sent)) ?? [];
    return replies.map(([error, reply]) => {
      if (error !== null) throw redisFailure(error);
      return reply;
    });
  }
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

function readKey(id: string, fields: Readonly<Record<string, string>>): { key: ApiKey; hash: string } | null {
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
