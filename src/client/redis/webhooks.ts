/**
 * Webhook endpoints and dead letters of one owner, a tenant or the deployment, for operators. This class registers endpoints, reads their state, and requeues dead
 * notifications. The notify worker delivers the notifications.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Job } from 'bullmq';
import { matchesHostList } from '../../adapters/http/host-list.ts';
import { publicHostProblem } from '../../domain/addresses.ts';
import { type Failure, inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { ownerOf } from '../../domain/operations/tenants.ts';
import {
  checkWebhook,
  type DeadNotification,
  newWebhookSecret,
  type WebhookEndpoint,
  type WebhookEvent,
  type WebhookView,
} from '../../domain/operations/webhooks.ts';
import { jobOptions } from '../../redis/job-options.ts';
import { type NotifyJob, notificationId } from '../../redis/notify-queue.ts';
import { WebhookEndpoints } from '../../redis/webhook-endpoints.ts';
import type { ClientAudit } from './audit.ts';
import type { Store } from './store.ts';

export interface WebhookRequest {
  /**
   * The name by which verifications refer to the endpoint: up to 40 lower-case letters, digits and `-`.
   * @example 'shop'
   */
  readonly name: string;
  /**
   * An `https` URL on the public network, or one that BESTFRAME_WEBHOOK_ALLOW permits.
   * @example 'https://shop.example/hooks/bestframe'
   */
  readonly url: string;
  /**
   * Events to deliver.
   * @default all events
   */
  readonly events?: readonly WebhookEvent[] | undefined;
  /**
   * Signing secret, `whsec_…`.
   * @default a new random secret
   */
  readonly secret?: string | undefined;
}

/** The secret is returned only here; it cannot be read later. */
export interface WebhookSecret {
  readonly name: string;
  readonly secret: string;
}

export interface WebhookTest {
  /** `waiting`: no notify worker reported a result in time; check that one runs. */
  readonly status: 'delivered' | 'failed' | 'waiting';
  readonly code: string | null;
}

/** How long a registered name is cached before Redis is queried again. */
const REGISTERED_CACHE_MS = 60_000;
const PAGE = 500;
const TEST_POLL_MS = 100;

export class Webhooks {
  readonly #store: Store;
  /** The tenant that owns the endpoints; null: the deployment. */
  readonly #owner: string | null;
  readonly #endpoints: WebhookEndpoints;
  readonly #allowedHosts: string;
  readonly #audit: (act: 'webhook.change' | 'webhook.list', what: string) => Promise<void>;
  /** Registered names, each with the time (by `performance.now()`) until which it need not be checked again. */
  readonly #registeredUntil = new Map<string, number>();

  constructor(store: Store, allowedHosts: string, audit: ClientAudit) {
    this.#store = store;
    this.#owner = ownerOf(store.tenant);
    this.#endpoints = new WebhookEndpoints(store.deployment, this.#owner);
    this.#allowedHosts = allowedHosts;
    this.#audit = (act, what) => audit.write(store.tenant, [{ act, what }]);
  }

  /**
   * Registers an endpoint, or replaces URL, events and secret if the name is already registered. Enables the endpoint in both
   * cases.
   * @throws Failure INVALID_WEBHOOK, ADDRESS_FORBIDDEN
   */
  async add({ name, url, events, secret = newWebhookSecret() }: WebhookRequest): Promise<WebhookSecret> {
    const endpoint: WebhookEndpoint = { name, url, secrets: [secret], events: events ?? null };
    checkWebhook(endpoint);
    const { hostname, port } = new URL(url);
    const host = hostname.replace(/^\[|\]$/g, '');
    const problem = publicHostProblem(host);
    if (problem !== null && !matchesHostList(host, port === '' ? 443 : Number(port), this.#allowedHosts)) {
      throw inputFailure(
        CODES.ADDRESS_FORBIDDEN,
        'url',
        `url ${problem}, or ask the operator of the notify workers to allow it`,
      );
    }
    await this.#audit('webhook.change', `add ${name}`);
    await this.#store.ready();
    await this.#store.command(this.#endpoints.put(endpoint));
    await this.#store.command(this.#endpoints.enable(name));
    return { name, secret };
  }

  async list(): Promise<WebhookView[]> {
    await this.#audit('webhook.list', 'endpoints');
    await this.#store.ready();
    const all = await this.#store.command(this.#endpoints.list());
    return Promise.all(
      all.map(async ({ name, url, events, secrets }) => ({
        name,
        url: url === '' ? null : withoutQuery(url),
        events,
        secrets: secrets.length,
        ...(await this.#store.command(this.#endpoints.readState(name))),
      })),
    );
  }

  /** Removes an endpoint. Pending notifications to the endpoint are given up. */
  async remove(name: string): Promise<'ok' | 'missing'> {
    await this.#audit('webhook.change', `remove ${name}`);
    await this.#store.ready();
    this.#registeredUntil.delete(name);
    return (await this.#store.command(this.#endpoints.remove(name))) ? 'ok' : 'missing';
  }

  /** Adds a new secret. Until `settle`, deliveries are signed with the old secret too. @throws Failure WEBHOOK_UNKNOWN */
  async rotate(name: string, secret = newWebhookSecret()): Promise<WebhookSecret> {
    const endpoint = await this.#findEditable(name);
    const rotated = { ...endpoint, secrets: [secret, ...endpoint.secrets.slice(0, 1)] };
    checkWebhook(rotated);
    await this.#audit('webhook.change', `rotate ${name}`);
    await this.#store.command(this.#endpoints.put(rotated));
    return { name, secret };
  }

  /** Ends a rotation: removes the older of two secrets. @throws Failure WEBHOOK_UNKNOWN */
  async settle(name: string): Promise<void> {
    const endpoint = await this.#findEditable(name);
    await this.#audit('webhook.change', `settle ${name}`);
    await this.#store.command(this.#endpoints.put({ ...endpoint, secrets: endpoint.secrets.slice(0, 1) }));
  }

  /** Enables a disabled or resting endpoint, and forgets its failures. @throws Failure WEBHOOK_UNKNOWN */
  async enable(name: string): Promise<void> {
    await this.#checkRegistered(name);
    await this.#audit('webhook.change', `enable ${name}`);
    await this.#store.command(this.#endpoints.enable(name));
  }

  /** Lets a notify worker send a `webhook.test`, and waits for the result. @throws Failure WEBHOOK_UNKNOWN */
  async test(name: string, timeoutMs = 20_000): Promise<WebhookTest> {
    await this.#checkRegistered(name);
    await this.#audit('webhook.change', `test ${name}`);
    const { tenant } = this.#store;
    const owner = tenant === null ? {} : { tenant };
    const job: NotifyJob = { id: randomBytes(9).toString('hex'), event: 'test', ...owner, to: name };
    const queue = this.#store.notifyQueue();
    const jobId = notificationId(job);
    const options = { ...jobOptions.notify, attempts: 1, jobId };
    const added = await this.#store.command(queue.add('test', job, options));
    const endsAt = performance.now() + timeoutMs;
    let state = await this.#store.command(added.getState());
    while (state !== 'completed' && state !== 'failed' && performance.now() < endsAt) {
      await wait(TEST_POLL_MS);
      state = await this.#store.command(added.getState());
    }
    const failed = state === 'failed' ? await this.#store.command(queue.getJob(jobId)) : undefined;
    await this.#store.command(queue.remove(jobId));
    if (state === 'completed') return { status: 'delivered', code: null };
    return state === 'failed'
      ? { status: 'failed', code: failed?.failedReason ?? null }
      : { status: 'waiting', code: null };
  }

  /**
   * Notifications that were given up, newest first.
   * @param filter `endpoint`: only notifications to this endpoint; `limit`: how many to return, default 50, at most 1,000
   */
  async deadLetters({
    endpoint,
    limit = 50,
  }: {
    endpoint?: string | undefined;
    limit?: number;
  } = {}): Promise<DeadNotification[]> {
    await this.#audit('webhook.list', 'dead notifications');
    await this.#store.ready();
    const queue = this.#store.notifyQueue();
    const found: DeadNotification[] = [];
    // Each owner sees its own, however many others there are, so the whole list is read page by page.
    for (let start = 0; found.length < limit; start += PAGE) {
      const failed = await this.#store.command(queue.getFailed(start, start + PAGE - 1));
      if (failed.length === 0) break;
      const own = failed.filter(
        ({ data }) => data.event !== 'test' && this.#owns(data) && (endpoint === undefined || data.to === endpoint),
      );
      found.push(...own.map(deadNotification));
    }
    return found.slice(0, limit);
  }

  /**
   * Requeues a dead notification under the same `webhook-id`, with the full number of tries.
   * @returns false if the notification was not given up.
   */
  async redeliver(id: string): Promise<boolean> {
    await this.#audit('webhook.change', `redeliver ${id}`);
    await this.#store.ready();
    const queue = this.#store.notifyQueue();
    const job = await this.#store.command(queue.getJob(id));
    if (job === undefined || !this.#owns(job.data) || !(await this.#store.command(job.isFailed()))) return false;
    await this.#store.command(job.updateData({ ...job.data, redeliveredAt: Date.now() }));
    await this.#store.command(job.retry('failed', { resetAttemptsMade: true }));
    return true;
  }

  /** @returns the names that are not registered. */
  async findUnregistered(names: readonly string[]): Promise<string[]> {
    const now = performance.now();
    const unsure = [...new Set(names)].filter((name) => (this.#registeredUntil.get(name) ?? 0) < now);
    if (unsure.length === 0) return [];
    await this.#store.ready();
    const found = await this.#store.command(this.#endpoints.findRegistered(unsure));
    for (const name of found) this.#registeredUntil.set(name, now + REGISTERED_CACHE_MS);
    return unsure.filter((name) => !found.includes(name));
  }

  #owns({ tenant = null }: { readonly tenant?: string | null }): boolean {
    return ownerOf(tenant) === this.#owner;
  }

  async #checkRegistered(name: string): Promise<void> {
    const [unregistered] = await this.findUnregistered([name]);
    if (unregistered !== undefined) throw unknownWebhook(unregistered);
  }

  /** @throws Failure WEBHOOK_UNKNOWN; INVALID_WEBHOOK for an endpoint from settings, which cannot be changed here. */
  async #findEditable(name: string): Promise<WebhookEndpoint> {
    await this.#store.ready();
    const endpoint = await this.#store.command(this.#endpoints.find(name));
    if (endpoint === null) throw unknownWebhook(name);
    if (endpoint.url !== '') return endpoint;
    const message = `"${name}" comes from the settings of the notify workers: change it there`;
    throw inputFailure(CODES.INVALID_WEBHOOK, 'name', message);
  }
}

export function unknownWebhook(name: string): Failure {
  return inputFailure(
    CODES.WEBHOOK_UNKNOWN,
    'webhook',
    `webhook "${name}" is not registered: correct the name, or register it`,
  );
}

function deadNotification({
  data,
  failedReason,
  attemptsMade,
  finishedOn,
  timestamp,
}: Job<NotifyJob>): DeadNotification {
  return {
    id: notificationId(data),
    verification: data.id,
    event: data.event,
    endpoint: data.to,
    code: failedReason,
    tries: attemptsMade,
    at: new Date(finishedOn ?? timestamp).toISOString(),
  };
}

function withoutQuery(url: string): string {
  const { origin, pathname, search } = new URL(url);
  return `${origin}${pathname}${search === '' ? '' : '?…'}`;
}
