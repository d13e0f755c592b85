/** What every method of the client stands on: one connection, the names, the seal, and queues opened when they are needed. */
import type { Queue } from 'bullmq';
import type { Region } from '../domain/actions.ts';
import type { VerificationView } from '../domain/view.ts';
import { COMMAND_MS, connectProducer, type RedisClient, redisFailure, untilReady } from '../queue/connection.ts';
import { type EraseQueue, openEraseQueue } from '../queue/erase-queue.ts';
import { createNames, type Names } from '../queue/names.ts';
import { type NotifyQueue, openNotifyQueue } from '../queue/notify-queue.ts';
import type { VerifyJob } from '../queue/options.ts';
import type { RedisSettings } from '../queue/redis-url.ts';
import { run, type ScriptName } from '../queue/scripts.ts';
import type { Sealer } from '../queue/seal.ts';
import { openVerifyQueue } from '../queue/verify-queue.ts';
import { readViews } from '../queue/view.ts';

export interface StoreOptions {
  readonly redis: RedisSettings;
  readonly prefix: string;
  readonly sealer: Sealer;
  readonly expiryMs: number;
  readonly connectTimeoutMs: number;
  /** Whose verifications there are, as seen from here; null: all. */
  readonly tenant: string | null;
}

export class Store {
  readonly redis: RedisClient;
  readonly names: Names;
  readonly sealer: Sealer;
  readonly expiryMs: number;
  readonly tenant: string | null;
  readonly #options: StoreOptions;
  readonly #queues: Map<Region, Queue<VerifyJob>>;
  readonly #beside: Store | undefined;
  #eraseQueue: EraseQueue | undefined;
  #notifyQueue: NotifyQueue | undefined;

  /** @param beside shares its connection and queues, which stay its own to close. */
  constructor(options: StoreOptions, beside?: Store) {
    this.#options = options;
    this.#beside = beside;
    this.#queues = beside === undefined ? new Map() : beside.#queues;
    this.redis = beside?.redis ?? connectProducer(options.redis);
    // ioredis says every failed connection here; whoever calls gets it as a Failure instead.
    if (beside === undefined) this.redis.on('error', () => undefined);
    this.tenant = options.tenant;
    this.names = createNames(options.prefix);
    this.sealer = options.sealer;
    this.expiryMs = options.expiryMs;
  }

  /** What another tenant has is not there. */
  forTenant(tenant: string | null): Store {
    return new Store({ ...this.#options, tenant }, this);
  }

  /** @throws Failure REDIS_UNAVAILABLE */
  ready(): Promise<void> {
    return untilReady(this.redis, this.#options.connectTimeoutMs);
  }

  /** Waits for no Redis that is away: a Cluster that is, for one, keeps commands until it is back. */
  async command<T>(command: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no answer in time')), COMMAND_MS);
    });
    try {
      return await Promise.race([command, late]);
    } catch (error) {
      throw redisFailure(error);
    } finally {
      clearTimeout(timer);
    }
  }

  script(name: ScriptName, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.command(run(this.redis, name, keys, args));
  }

  async views(ids: readonly string[]): Promise<(VerificationView | null)[]> {
    await this.ready();
    const views = await this.command(readViews(this.redis, this.names, ids, this.sealer));
    return views.map((view) => (view !== null && this.owns(view.tenant) ? view : null));
  }

  async view(id: string): Promise<VerificationView | null> {
    const [view] = await this.views([id]);
    return view ?? null;
  }

  owns(tenant: string | null): boolean {
    return this.tenant === null || this.tenant === tenant;
  }

  queue(region: Region): Queue<VerifyJob> {
    const known = this.#queues.get(region);
    if (known !== undefined) return known;
    const queue = openVerifyQueue(this.redis, this.names, region);
    this.#queues.set(region, queue);
    return queue;
  }

  eraseQueue(): EraseQueue {
    if (this.#beside !== undefined) return this.#beside.eraseQueue();
    this.#eraseQueue ??= openEraseQueue(this.redis, this.names);
    return this.#eraseQueue;
  }

  notifyQueue(): NotifyQueue {
    this.#notifyQueue ??= openNotifyQueue(this.redis, this.names);
    return this.#notifyQueue;
  }

  async close(): Promise<void> {
    if (this.#beside !== undefined) return;
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
    await this.#eraseQueue?.close();
    await this.#notifyQueue?.close();
    this.redis.disconnect();
  }
}
