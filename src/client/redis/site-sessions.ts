/** Starts, lists and ends the sessions of the operators' site. */
import {
  createSessionSecret,
  type SessionLimits,
  type SessionWay,
  type SiteSession,
  sessionIdOf,
} from '../../domain/operations/sessions.ts';
import { DEFAULT_PREFIX } from '../../redis/names.ts';
import type { RedisSettings } from '../../redis/redis-url.ts';
import { deleteSession, readSessions, useSession, writeSession } from '../../redis/session-store.ts';
import { Store } from './store.ts';

export interface NewSession {
  /** Name of the operator. */
  readonly operator: string;
  readonly way: SessionWay;
  readonly address: string;
}

export class SiteSessions {
  readonly #store: Store;

  constructor(redis: RedisSettings, prefix: string = DEFAULT_PREFIX) {
    this.#store = new Store({ redis, prefix, expiryMs: 0, connectTimeoutMs: 3_000, tenant: null });
  }

  /** @returns the session, and the secret for the cookie: Redis keeps only its hash. */
  async start(started: NewSession, limits: SessionLimits): Promise<{ session: SiteSession; secret: string }> {
    const secret = createSessionSecret();
    const now = Date.now();
    const startedAt = new Date(now).toISOString();
    const endsAt = new Date(now + limits.lifeMs).toISOString();
    const session = { id: sessionIdOf(secret), ...started, startedAt, lastSeenAt: startedAt, endsAt };
    await this.#store.ready();
    await this.#store.command(writeSession(this.#store.deployment, session, limits));
    return { session, secret };
  }

  /** Finds the session of a secret and records that it was used. @returns null if it has ended or never existed. */
  async use(secret: string, limits: SessionLimits): Promise<SiteSession | null> {
    await this.#store.ready();
    return this.#store.command(useSession(this.#store.deployment, sessionIdOf(secret), limits));
  }

  /** All sessions that have not ended. */
  async list(): Promise<SiteSession[]> {
    await this.#store.ready();
    return this.#store.command(readSessions(this.#store.deployment));
  }

  /** @returns whether there was such a session. */
  async end(id: string): Promise<boolean> {
    await this.#store.ready();
    return this.#store.command(deleteSession(this.#store.deployment, id));
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#store.close();
  }
}
