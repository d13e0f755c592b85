/** Creates, lists, revokes and checks the API keys of the HTTP API. */
import { type ApiKey, createToken, isUsable, type Token } from '../../domain/operations/api-keys.ts';
import type { Mode } from '../../domain/verification/mode.ts';
import { hasNoKeys, markRevoked, readKey, readKeys, setExpiry, writeKey } from '../../redis/api-key-store.ts';
import { subscribeToKeys } from '../../redis/deployment.ts';
import { DEFAULT_PREFIX } from '../../redis/names.ts';
import type { RedisSettings } from '../../redis/redis-url.ts';
import { admitRequest } from '../../redis/scripts/admit-request.ts';
import { Store } from './store.ts';

export type NewKey = Pick<ApiKey, 'tenant' | 'mode' | 'scopes' | 'name' | 'perSecond'> & {
  /** Lifetime of the key, ms. Null if it does not expire. */
  readonly lifeMs: number | null;
};

export interface CreatedKey {
  readonly key: ApiKey;
  /** The secret is shown only once, because Redis keeps only its hash. */
  readonly secret: string;
}

export class ApiKeys {
  readonly #store: Store;

  constructor(redis: RedisSettings, prefix: string = DEFAULT_PREFIX) {
    this.#store = new Store({ redis, prefix, expiryMs: 0, connectTimeoutMs: 3_000, tenant: null });
  }

  async create({ tenant, mode, scopes, name, perSecond, lifeMs }: NewKey): Promise<CreatedKey> {
    const { secret, token } = createToken(mode);
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
    await this.#store.command(writeKey(this.#store.deployment, { key, hash: token.hash }, lifeMs));
    return { key, secret };
  }

  /** All keys, oldest first, including revoked and expired ones. */
  async list(): Promise<ApiKey[]> {
    await this.#store.ready();
    return this.#store.command(readKeys(this.#store.deployment));
  }

  /** @returns null if there is no key with this id. */
  async revoke(id: string): Promise<ApiKey | null> {
    const key = await this.#read(id);
    if (key === null || key.revokedAt !== null) return key;
    const now = Date.now();
    await this.#store.command(markRevoked(this.#store.deployment, id, now));
    return { ...key, revokedAt: iso(now) };
  }

  /**
   * Creates a new key with the settings of an old one. The old key stays valid for `overlapMs`. @returns null if the old key is
   * not usable.
   */
  async rotate(id: string, overlapMs: number): Promise<CreatedKey | null> {
    const old = await this.#read(id);
    const now = Date.now();
    if (old === null || !isUsable(old, now)) return null;
    const { createdAt, expiresAt } = old;
    const lifeMs = expiresAt === null ? null : Date.parse(expiresAt) - Date.parse(createdAt);
    const created = await this.create({ ...old, lifeMs });
    const ends = Math.min(now + overlapMs, expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt));
    await this.#store.command(setExpiry(this.#store.deployment, id, ends));
    return created;
  }

  /** @returns the key, also if it is revoked or expired; null if there is none with this id. */
  get(id: string): Promise<ApiKey | null> {
    return this.#read(id);
  }

  /**
   * Calls `listener` with the id of each key that is revoked or gets another expiry, in any process. Announcements may be lost.
   * @returns a function that ends this.
   */
  async onChange(listener: (id: string) => void): Promise<() => void> {
    await this.#store.ready();
    return this.#store.command(subscribeToKeys(this.#store.deployment, listener));
  }

  /** True if no key was ever stored, or if all keys were lost. */
  async areLost(): Promise<boolean> {
    await this.#store.ready();
    return this.#store.command(hasNoKeys(this.#store.deployment));
  }

  /** Whether any usable key of this mode exists. */
  async any(mode: Mode): Promise<boolean> {
    const now = Date.now();
    return (await this.list()).some((key) => key.mode === mode && isUsable(key, now));
  }

  /**
   * Finds the key of a request and takes a token from its rate, in one round trip. A key of another mode takes no token.
   * @returns `waitMs`: 0 to go ahead, or ms until the next token. Null if the key is unknown, revoked or expired, or if the secret
   * is wrong.
   */
  async admit({ id, hash }: Token, mode: Mode): Promise<{ readonly key: ApiKey; readonly waitMs: number } | null> {
    await this.#store.ready();
    const admitted = await this.#store.command(admitRequest(this.#store.deployment, id, { hash, mode, tokens: 1 }));
    return admitted === null ? null : { key: admitted.stored.key, waitMs: admitted.waitMs };
  }

  /** Charges an admitted request for more tokens, so that later requests wait longer. The request itself is not refused any more. */
  async charge({ id, mode }: ApiKey, tokens: number): Promise<void> {
    if (tokens <= 0) return;
    await this.#store.command(admitRequest(this.#store.deployment, id, { hash: null, mode, tokens }));
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#store.close();
  }

  async #read(id: string): Promise<ApiKey | null> {
    await this.#store.ready();
    return (await this.#store.command(readKey(this.#store.deployment, id)))?.key ?? null;
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
