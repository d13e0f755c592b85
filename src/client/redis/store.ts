/** Shared by all client methods: one connection, the deployment, the tenant, and queues that are opened on first use. */
import type { Queue } from 'bullmq';
import type { Mode } from '../../domain/verification/mode.ts';
import { REGIONS, type Region } from '../../domain/verification/regions.ts';
import type { VerificationView } from '../../domain/verification/view.ts';
import {
  COMMAND_TIMEOUT_MS,
  connectProducer,
  limitsWaits,
  type RedisClient,
  redisFailure,
  waitUntilReady,
} from '../../redis/connection.ts';
import { createDeployment, type Deployment } from '../../redis/deployment.ts';
import { readMode } from '../../redis/deployment-mode.ts';
import { recordNamespace } from '../../redis/deployment-namespace.ts';
import { type EraseQueue, openEraseQueue } from '../../redis/erase-queue.ts';
import type { VerifyJob } from '../../redis/job-options.ts';
import { type NotifyQueue, openNotifyQueue } from '../../redis/notify-queue.ts';
import { readViews, viewOfNew } from '../../redis/read-view.ts';
import type { RedisSettings } from '../../redis/redis-url.ts';
import type { NewJournal } from '../../redis/scripts/claim-verification.ts';
import type { KeyRing } from '../../redis/sealer.ts';
import { openVerifyQueue } from '../../redis/verify-queue.ts';

export interface StoreOptions {
  readonly redis: RedisSettings;
  readonly prefix: string;
  readonly keyRing?: KeyRing;
  /** Redis drops a record this long after the end of the verification. */
  readonly expiryMs: number;
  readonly connectTimeoutMs: number;
  /** Opens the connection. Default: `connectProducer` */
  readonly connect?: ((settings: RedisSettings) => RedisClient) | undefined;
  /** Only this tenant's verifications are visible. Null if all are visible. */
  readonly tenant: string | null;
}

export class Store {
  readonly deployment: Deployment;
  readonly expiryMs: number;
  readonly tenant: string | null;
  readonly #options: StoreOptions;
  readonly #queues: Map<Region, Queue<VerifyJob>>;
  readonly #owner: Store | undefined;
  readonly #limitsWaits: boolean;
  #eraseQueue: EraseQueue | undefined;
  #mode: Mode | null = null;
  /** Whether the deployment has this client's namespace. */
  #isNamespaceKnown = false;
  #notifyQueue: NotifyQueue | undefined;

  /** @param owner the store whose connection and queues this store uses. Only the owner closes them. */
  constructor(options: StoreOptions, owner?: Store) {
    this.#options = options;
    this.#owner = owner;
    this.#queues = owner === undefined ? new Map() : owner.#queues;
    this.deployment = owner?.deployment ?? connect(options);
    this.tenant = options.tenant;
    this.#limitsWaits = limitsWaits(this.deployment.redis);
    this.expiryMs = options.expiryMs;
  }

  forTenant(tenant: string | null): Store {
    return new Store({ ...this.#options, tenant }, this.#owner ?? this);
  }

  /** @throws Failure REDIS_UNAVAILABLE */
  ready(): Promise<void> {
    return waitUntilReady(this.deployment.redis, this.#options.connectTimeoutMs);
  }

  /**
   * Awaits a command for a limited time, because a Cluster client would queue commands without limit while Redis is unreachable.
   * @throws Failure REDIS_UNAVAILABLE
   */
  async command<T>(command: Promise<T>): Promise<T> {
    if (this.#limitsWaits) {
      try {
        return await command;
      } catch (error) {
        throw redisFailure(error);
      }
    }
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no answer in time')), COMMAND_TIMEOUT_MS);
    });
    try {
      return await Promise.race([command, timeout]);
    } catch (error) {
      throw redisFailure(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** @returns a view for each id, in order; null if there is no such verification or another tenant owns it. */
  async views(ids: readonly string[]): Promise<(VerificationView | null)[]> {
    await this.ready();
    const views = await this.command(readViews(this.deployment, ids));
    return views.map((view) => (view !== null && this.owns(view.tenant) ? view : null));
  }

  async view(id: string): Promise<VerificationView | null> {
    const [view] = await this.views([id]);
    return view ?? null;
  }

  viewOfNew(id: string, journal: NewJournal): VerificationView {
    return viewOfNew(this.deployment, id, journal);
  }

  /**
   * The mode of the deployment; null until its first worker has started. The mode is cached, and read again only if it differs
   * from `expected`.
   * @param expected the mode that the caller needs; undefined if the caller accepts any mode.
   */
  async deploymentMode(expected: Mode | undefined): Promise<Mode | null> {
    const shared = this.#owner ?? this;
    if (shared.#mode === null || (expected !== undefined && shared.#mode !== expected))
      shared.#mode = await this.command(readMode(this.deployment));
    return shared.#mode;
  }

  /**
   * Compares the namespace with the deployment's, once. The first client of a deployment records it.
   * @throws Failure NAMESPACE_MISMATCH; INVALID_SETTINGS if the namespace can be guessed
   */
  async requireNamespace(namespace: string, mode: Mode | undefined): Promise<void> {
    const shared = this.#owner ?? this;
    if (shared.#isNamespaceKnown) return;
    await this.command(recordNamespace(this.deployment, namespace, mode ?? null, 'namespace'));
    shared.#isNamespaceKnown = true;
  }

  owns(tenant: string | null): boolean {
    return this.tenant === null || this.tenant === tenant;
  }

  queue(region: Region): Queue<VerifyJob> {
    const existing = this.#queues.get(region);
    if (existing !== undefined) return existing;
    const queue = openVerifyQueue(this.deployment, region);
    this.#queues.set(region, queue);
    return queue;
  }

  /** All queues, for the metrics of the deployment. */
  queues() {
    const verify = new Map(REGIONS.map((region) => [region, this.queue(region)]));
    return { verify, erase: this.eraseQueue(), notify: this.notifyQueue() };
  }

  eraseQueue(): EraseQueue {
    if (this.#owner !== undefined) return this.#owner.eraseQueue();
    this.#eraseQueue ??= openEraseQueue(this.deployment);
    return this.#eraseQueue;
  }

  notifyQueue(): NotifyQueue {
    if (this.#owner !== undefined) return this.#owner.notifyQueue();
    this.#notifyQueue ??= openNotifyQueue(this.deployment);
    return this.#notifyQueue;
  }

  async close(): Promise<void> {
    if (this.#owner !== undefined) return;
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
    await this.#eraseQueue?.close();
    await this.#notifyQueue?.close();
    this.deployment.redis.disconnect();
  }
}

function connect({ redis, prefix, keyRing, connect: open = connectProducer }: StoreOptions): Deployment {
  const connection = open(redis);
  // ioredis emits an error for every failed connection; the caller gets a Failure instead.
  connection.on('error', () => undefined);
  return createDeployment(connection, prefix, keyRing);
}
