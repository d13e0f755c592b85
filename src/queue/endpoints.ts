/**
 * Webhook endpoints, as they are registered in Redis: sealed where there is a key ring, since secrets are in them. One that
 * comes from settings has its name here and no more, so that producers know it.
 */
import type { WebhookEndpoint } from '../domain/webhooks.ts';
import type { RedisClient } from './connection.ts';
import type { Names } from './names.ts';
import { run } from './scripts.ts';
import type { Sealer } from './seal.ts';

const FIELD = 'webhook';

/** How an endpoint does, for all workers. */
export interface EndpointState {
  readonly state: 'on' | 'resting' | 'disabled';
  readonly code: string | null;
}

/** When it rests, and for how long. */
export interface CircuitRule {
  /** Failures in a row. */
  readonly failures: number;
  readonly firstRestMs: number;
  readonly longestRestMs: number;
  /** How long a probe may take before another one is sent. */
  readonly probeMs: number;
}

export class Endpoints {
  readonly #redis: RedisClient;
  readonly #names: Names;
  readonly #sealer: Sealer;

  constructor(redis: RedisClient, names: Names, sealer: Sealer) {
    this.#redis = redis;
    this.#names = names;
    this.#sealer = sealer;
  }

  /** @throws Failure SEAL_KEY_MISSING */
  async find(name: string): Promise<WebhookEndpoint | null> {
    const text = await this.#redis.hget(this.#names.webhooks, name);
    return text === null ? null : this.#read(name, text);
  }

  /** @throws Failure SEAL_KEY_MISSING */
  async all(): Promise<WebhookEndpoint[]> {
    const kept = await this.#redis.hgetall(this.#names.webhooks);
    return Object.entries(kept)
      .map(([name, text]) => this.#read(name, text))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Those of the names that are registered. */
  async known(names: readonly string[]): Promise<string[]> {
    if (names.length === 0) return [];
    const found = await this.#redis.hmget(this.#names.webhooks, ...names);
    return names.filter((_, index) => found[index] !== null);
  }

  async put(endpoint: WebhookEndpoint): Promise<void> {
    const text = this.#sealer.seal(endpoint.name, FIELD, JSON.stringify(endpoint));
    await this.#redis.hset(this.#names.webhooks, endpoint.name, text);
  }

  /** That settings name one: for producers, who must know it, and have its name only. */
  async announce(name: string): Promise<void> {
    if ((await this.known([name])).length === 0) await this.put({ name, url: '', secrets: [], events: null });
  }

  /** @returns false where there was none. */
  async remove(name: string): Promise<boolean> {
    await this.enable(name);
    return (await this.#redis.hdel(this.#names.webhooks, name)) === 1;
  }

  async state(name: string): Promise<EndpointState> {
    const [disabled, until, code] = await this.#redis.hmget(
      this.#names.webhook(name),
      ...['disabled', 'until', 'code'],
    );
    const state = disabled != null ? 'disabled' : until != null ? 'resting' : 'on';
    return { state, code: state === 'on' ? null : (code ?? null) };
  }

  /** As if nothing had ever gone wrong. */
  async enable(name: string): Promise<void> {
    await this.#redis.del(this.#names.webhook(name));
  }

  async knock(name: string, who: string, { probeMs }: CircuitRule): Promise<['go' | 'rests' | 'disabled', number]> {
    const answer = await run(this.#redis, 'knock', [this.#names.webhook(name)], [who, probeMs]);
    return answer as ['go' | 'rests' | 'disabled', number];
  }

  async heard(
    name: string,
    who: string,
    what: 'ok' | 'failed' | 'gone',
    code: string,
    { failures, firstRestMs, longestRestMs }: CircuitRule,
  ): Promise<'rests' | 'back' | 'disabled' | 'as it was'> {
    const args = [who, what, code, failures, firstRestMs, longestRestMs];
    return (await run(this.#redis, 'heard', [this.#names.webhook(name)], args)) as 'rests';
  }

  #read(name: string, text: string): WebhookEndpoint {
    return JSON.parse(this.#sealer.open(name, FIELD, text)) as WebhookEndpoint;
  }
}
