/**
 * Webhook endpoints, as an operator keeps them, and what could not be delivered to them. Deliveries are the notify worker's;
 * this only registers, asks, and puts back into the queue.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { publicHostProblem } from '../domain/addresses.ts';
import { CODES } from '../domain/errors/index.ts';
import { type Failure, inputFailure } from '../domain/failure.ts';
import {
  checkWebhook,
  type DeadNotification,
  newWebhookSecret,
  type WebhookEndpoint,
  type WebhookEvent,
  type WebhookView,
} from '../domain/webhooks.ts';
import { Endpoints } from '../queue/endpoints.ts';
import { type NotifyJob, notificationId } from '../queue/notify-queue.ts';
import { jobOptions } from '../queue/options.ts';
import { isAllowed } from '../transport/lookup.ts';
import type { Store } from './store.ts';

export interface WebhookRequest {
  /** Up to 40 small letters, digits and `-`: what verifications name. */
  readonly name: string;
  /** https. */
  readonly url: string;
  /** Default: all. */
  readonly events?: readonly WebhookEvent[] | undefined;
  /** `whsec_…`; default: a new one. */
  readonly secret?: string | undefined;
}

/** Shown once. */
export interface WebhookSecret {
  readonly name: string;
  readonly secret: string;
}

export interface WebhookTest {
  /** `waiting`: nothing came of it in time; is there a notify worker? */
  readonly status: 'delivered' | 'failed' | 'waiting';
  readonly code: string | null;
}

/** A name that was known is not asked for again so soon. */
const KNOWN_MS = 60_000;
const MOST_LISTED = 1_000;
const LOOK_MS = 100;

export class Webhooks {
  readonly #store: Store;
  readonly #endpoints: Endpoints;
  readonly #allowedHosts: string;
  readonly #known = new Map<string, number>();

  constructor(store: Store, allowedHosts: string) {
    this.#store = store;
    this.#endpoints = new Endpoints(store.redis, store.names, store.sealer);
    this.#allowedHosts = allowedHosts;
  }

  /**
   * Registers an endpoint, or gives one of this name another URL, events and secret; it is enabled then.
   * @throws Failure INVALID_WEBHOOK, ADDRESS_FORBIDDEN
   */
  async add({ name, url, events, secret = newWebhookSecret() }: WebhookRequest): Promise<WebhookSecret> {
    const endpoint: WebhookEndpoint = { name, url, secrets: [secret], events: events ?? null };
    checkWebhook(endpoint);
    const { hostname, port } = new URL(url);
    const host = hostname.replace(/^\[|\]$/g, '');
    const problem = publicHostProblem(host);
    if (problem !== null && !isAllowed(host, port === '' ? 443 : Number(port), this.#allowedHosts)) {
      throw inputFailure(CODES.ADDRESS_FORBIDDEN, 'url', `url ${problem}, or allow it by BESTFRAME_WEBHOOK_ALLOW`);
    }
    await this.#store.ready();
    await this.#store.command(this.#endpoints.put(endpoint));
    await this.#store.command(this.#endpoints.enable(name));
    return { name, secret };
  }

  async list(): Promise<WebhookView[]> {
    await this.#store.ready();
    const all = await this.#store.command(this.#endpoints.all());
    return Promise.all(
      all.map(async ({ name, url, events, secrets }) => ({
        name,
        url: url === '' ? null : shown(url),
        events,
        secrets: secrets.length,
        ...(await this.#store.command(this.#endpoints.state(name))),
      })),
    );
  }

  /** What is still to be told to it is given up. */
  async remove(name: string): Promise<'ok' | 'missing'> {
    await this.#store.ready();
    this.#known.delete(name);
    return (await this.#store.command(this.#endpoints.remove(name))) ? 'ok' : 'missing';
  }

  /** A new secret beside the one that is there: deliveries are signed with both, until `settle`. @throws Failure WEBHOOK_UNKNOWN */
  async rotate(name: string, secret = newWebhookSecret()): Promise<WebhookSecret> {
    const endpoint = await this.#own(name);
    const rotated = { ...endpoint, secrets: [secret, ...endpoint.secrets.slice(0, 1)] };
    checkWebhook(rotated);
    await this.#store.command(this.#endpoints.put(rotated));
    return { name, secret };
  }

  /** The older of two secrets counts no more. @throws Failure WEBHOOK_UNKNOWN */
  async settle(name: string): Promise<void> {
    const endpoint = await this.#own(name);
    await this.#store.command(this.#endpoints.put({ ...endpoint, secrets: endpoint.secrets.slice(0, 1) }));
  }

  /** As if nothing had ever gone wrong with it. @throws Failure WEBHOOK_UNKNOWN */
  async enable(name: string): Promise<void> {
    await this.check([name]);
    await this.#store.command(this.#endpoints.enable(name));
  }

  /** Has a `webhook.test` sent by a notify worker, and waits for what comes of it. @throws Failure WEBHOOK_UNKNOWN */
  async test(name: string, timeoutMs = 20_000): Promise<WebhookTest> {
    await this.check([name]);
    const job: NotifyJob = { id: randomBytes(9).toString('hex'), event: 'test', to: name };
    const queue = this.#store.notifyQueue();
    const jobId = notificationId(job);
    const options = { ...jobOptions.notify, attempts: 1, jobId };
    const added = await this.#store.command(queue.add('test', job, options));
    const until = performance.now() + timeoutMs;
    let state = await this.#store.command(added.getState());
    while (state !== 'completed' && state !== 'failed' && performance.now() < until) {
      await wait(LOOK_MS);
      state = await this.#store.command(added.getState());
    }
    const told = state === 'failed' ? await this.#store.command(queue.getJob(jobId)) : undefined;
    await this.#store.command(queue.remove(jobId));
    if (state === 'completed') return { status: 'delivered', code: null };
    return state === 'failed'
      ? { status: 'failed', code: told?.failedReason ?? null }
      : { status: 'waiting', code: null };
  }

  /** What was given up, the newest first. */
  async dead({
    endpoint,
    limit = 50,
  }: {
    endpoint?: string | undefined;
    limit?: number;
  } = {}): Promise<DeadNotification[]> {
    await this.#store.ready();
    const failed = await this.#store.command(this.#store.notifyQueue().getFailed(0, MOST_LISTED - 1));
    return failed
      .filter(({ data }) => data.event !== 'test' && (endpoint === undefined || data.to === endpoint))
      .slice(0, limit)
      .map(({ data, failedReason, attemptsMade, finishedOn, timestamp }) => ({
        id: notificationId(data),
        verification: data.id,
        event: data.event,
        endpoint: data.to,
        code: failedReason,
        tries: attemptsMade,
        at: new Date(finishedOn ?? timestamp).toISOString(),
      }));
  }

  /** Into the queue again, under the same `webhook-id`, with all tries before it. @returns false where it is not dead. */
  async redeliver(id: string): Promise<boolean> {
    await this.#store.ready();
    const queue = this.#store.notifyQueue();
    const job = await this.#store.command(queue.getJob(id));
    if (job === undefined || !(await this.#store.command(job.isFailed()))) return false;
    await this.#store.command(job.updateData({ ...job.data, again: Date.now() }));
    await this.#store.command(job.retry('failed', { resetAttemptsMade: true }));
    return true;
  }

  /** That all of them are registered. @throws Failure WEBHOOK_UNKNOWN */
  async check(names: readonly string[]): Promise<void> {
    const [missing] = await this.unknown(names);
    if (missing !== undefined) throw unknownWebhook(missing);
  }

  /** Those that nobody registered. */
  async unknown(names: readonly string[]): Promise<string[]> {
    const now = performance.now();
    const asked = [...new Set(names)].filter((name) => (this.#known.get(name) ?? 0) < now);
    if (asked.length === 0) return [];
    await this.#store.ready();
    const found = await this.#store.command(this.#endpoints.known(asked));
    for (const name of found) this.#known.set(name, now + KNOWN_MS);
    return asked.filter((name) => !found.includes(name));
  }

  /** One that was registered in Redis. */
  async #own(name: string): Promise<WebhookEndpoint> {
    await this.#store.ready();
    const endpoint = await this.#store.command(this.#endpoints.find(name));
    if (endpoint === null) throw unknownWebhook(name);
    if (endpoint.url !== '') return endpoint;
    const message = `"${name}" comes from the settings of the notify workers: change BESTFRAME_WEBHOOK_SECRETS there`;
    throw inputFailure(CODES.INVALID_WEBHOOK, 'name', message);
  }
}

export function unknownWebhook(name: string): Failure {
  return inputFailure(
    CODES.WEBHOOK_UNKNOWN,
    'webhook',
    `webhook "${name}" is not registered: correct the name, or add it by bestframe webhooks add`,
  );
}

function shown(url: string): string {
  const { origin, pathname, search } = new URL(url);
  return `${origin}${pathname}${search === '' ? '' : '?…'}`;
}
