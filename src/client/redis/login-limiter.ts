/** Limits failed logins over all processes of a deployment, and counts them for the metrics. */
import type { LoginLimits, LoginTry } from '../../domain/operations/login-limits.ts';
import { increment } from '../../redis/counters.ts';
import { DEFAULT_PREFIX } from '../../redis/names.ts';
import type { RedisSettings } from '../../redis/redis-url.ts';
import { returnLoginTry } from '../../redis/scripts/return-login-try.ts';
import { takeLoginTry } from '../../redis/scripts/take-login-try.ts';
import { Store } from './store.ts';

export class LoginLimiter {
  readonly #store: Store;
  readonly #limits: LoginLimits;

  constructor(redis: RedisSettings, limits: LoginLimits, prefix: string = DEFAULT_PREFIX) {
    this.#store = new Store({ redis, prefix, expiryMs: 0, connectTimeoutMs: 3_000, tenant: null });
    this.#limits = limits;
  }

  /**
   * Counts a try as failed, before its password or key is checked, so that concurrent tries cannot exceed the limit.
   * @returns ms until the next try may be checked; 0 if this one may be.
   */
  async take(who: LoginTry): Promise<number> {
    await this.#store.ready();
    return this.#store.command(takeLoginTry(this.#store.deployment, who, this.#limits));
  }

  /** Gives back a try that succeeded. */
  giveBack(who: LoginTry): Promise<void> {
    return this.#store.command(returnLoginTry(this.#store.deployment, who));
  }

  /** Adds a refused login to the metrics. */
  async countRefusal(): Promise<void> {
    await this.#store.ready();
    return this.#store.command(increment(this.#store.deployment, 'loginsRefused'));
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#store.close();
  }
}
