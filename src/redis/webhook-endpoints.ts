/**
 * The webhook endpoints registered in Redis. They contain secrets, so they are sealed when a key ring is configured. An endpoint
 * that is configured in settings is registered by name only, so that producers accept its name.
 */
import type { WebhookEndpoint } from '../domain/operations/webhooks.ts';
import type { Deployment } from './deployment.ts';
import { type DeliveryPermit, mayDeliver } from './scripts/may-deliver.ts';
import { type DeliveryAnswer, recordDelivery } from './scripts/record-delivery.ts';

const FIELD = 'webhook';

/** The state of an endpoint, shared by all workers. */
export interface EndpointState {
  readonly state: 'on' | 'resting' | 'disabled';
  readonly code: string | null;
}

/** When an endpoint rests, and for how long. */
export interface CircuitRule {
  /** Number of consecutive failures after which the endpoint rests. */
  readonly failures: number;
  readonly firstRestMs: number;
  readonly longestRestMs: number;
  /** How long a probe may take before another probe is sent. */
  readonly probeMs: number;
}

/** An endpoint with its owner. */
export interface OwnedEndpoint {
  /** The tenant; null: the deployment. */
  readonly owner: string | null;
  readonly endpoint: WebhookEndpoint;
}

/** The endpoints of one owner. Endpoints of other owners cannot be found, and may have the same names. */
export class WebhookEndpoints {
  readonly #deployment: Deployment;
  readonly #owner: string | null;

  /** @param owner the tenant; null: the deployment. */
  constructor(deployment: Deployment, owner: string | null = null) {
    this.#deployment = deployment;
    this.#owner = owner;
  }

  of(owner: string | null): WebhookEndpoints {
    return new WebhookEndpoints(this.#deployment, owner);
  }

  /** @throws Failure SEAL_KEY_MISSING */
  async find(name: string): Promise<WebhookEndpoint | null> {
    const text = await this.#deployment.redis.hget(this.#deployment.names.webhooks, this.#fieldOf(name));
    return text === null ? null : this.#read(name, text);
  }

  /** @throws Failure SEAL_KEY_MISSING */
  async list(): Promise<WebhookEndpoint[]> {
    const owned = await this.#listFields((owner) => owner === this.#owner);
    return owned.map(({ endpoint }) => endpoint);
  }

  /** The endpoints of all owners. @throws Failure SEAL_KEY_MISSING */
  listAll(): Promise<OwnedEndpoint[]> {
    return this.#listFields(() => true);
  }

  async #listFields(isListed: (owner: string | null) => boolean): Promise<OwnedEndpoint[]> {
    const texts = await this.#deployment.redis.hgetall(this.#deployment.names.webhooks);
    return Object.entries(texts)
      .map(([field, text]) => ({ owner: field.includes('/') ? (field.split('/')[0] ?? '') : null, field, text }))
      .filter(({ owner }) => isListed(owner))
      .sort((a, b) => (a.field < b.field ? -1 : 1))
      .map(({ owner, field, text }) => ({ owner, endpoint: this.#open(field, text) }));
  }

  /** @returns the given names that are registered. */
  async findRegistered(names: readonly string[]): Promise<string[]> {
    if (names.length === 0) return [];
    const found = await this.#deployment.redis.hmget(
      this.#deployment.names.webhooks,
      ...names.map((name) => this.#fieldOf(name)),
    );
    return names.filter((_, index) => found[index] !== null);
  }

  async put(endpoint: WebhookEndpoint): Promise<void> {
    const field = this.#fieldOf(endpoint.name);
    const text = this.#deployment.sealer.seal(field, FIELD, JSON.stringify(endpoint));
    await this.#deployment.redis.hset(this.#deployment.names.webhooks, field, text);
  }

  /** Registers only the name of an endpoint that is configured in settings, so that producers accept the name. */
  async announce(name: string): Promise<void> {
    if ((await this.findRegistered([name])).length === 0) await this.put({ name, url: '', secrets: [], events: null });
  }

  /** @returns false if the endpoint was not registered. */
  async remove(name: string): Promise<boolean> {
    await this.enable(name);
    return (await this.#deployment.redis.hdel(this.#deployment.names.webhooks, this.#fieldOf(name))) === 1;
  }

  async readState(name: string): Promise<EndpointState> {
    const [disabled, until, code] = await this.#deployment.redis.hmget(
      this.#deployment.names.webhook(this.#fieldOf(name)),
      ...['disabled', 'until', 'code'],
    );
    const state = disabled != null ? 'disabled' : until != null ? 'resting' : 'on';
    return { state, code: state === 'on' ? null : (code ?? null) };
  }

  /** Clears all failures: the endpoint is called again at once. */
  async enable(name: string): Promise<void> {
    await this.#deployment.redis.del(this.#deployment.names.webhook(this.#fieldOf(name)));
  }

  /** Checks whether a delivery may be sent now. */
  permit(name: string, deliveryId: string, { probeMs }: CircuitRule): Promise<DeliveryPermit> {
    return mayDeliver(this.#deployment, this.#fieldOf(name), { deliveryId, probeMs });
  }

  recordResult(
    name: string,
    result: { deliveryId: string; outcome: 'ok' | 'failed' | 'gone'; code: string },
    { failures, firstRestMs, longestRestMs }: CircuitRule,
  ): Promise<DeliveryAnswer> {
    return recordDelivery(this.#deployment, this.#fieldOf(name), {
      ...result,
      failuresBeforeRest: failures,
      firstRestMs,
      longestRestMs,
    });
  }

  #read(name: string, text: string): WebhookEndpoint {
    return this.#open(this.#fieldOf(name), text);
  }

  #open(field: string, text: string): WebhookEndpoint {
    return JSON.parse(this.#deployment.sealer.open(field, FIELD, text)) as WebhookEndpoint;
  }

  /** Neither tenants nor endpoints have a slash in their names. */
  #fieldOf(name: string): string {
    return this.#owner === null ? name : `${this.#owner}/${name}`;
  }
}
