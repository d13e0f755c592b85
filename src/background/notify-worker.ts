/**
 * Delivers webhook notifications, and repeats each delivery until the endpoint has accepted the notification.
 *
 * What must hold:
 * 1. Each notification is delivered at least once, always under the same `webhook-id` (the job's id), so that a receiver
 *    recognises a repeat.
 * 2. The content is read from the journal when the notification is sent. After an erasure, only the erasure is reported.
 * 3. A failing endpoint does not slow deliveries to other endpoints: after several failures in a row, no worker calls the failing
 *    endpoint for a while. Deliveries to one endpoint may use only a share of the slots. A notification that is postponed for one
 *    of these reasons uses up no try.
 * 4. No log line, job or error contains a URL or a secret.
 */
import { DelayedError, type Job, UnrecoverableError, Worker } from 'bullmq';
import type { Logger } from 'pino';
import { Failure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import { NO_OBSERVER, type Observer } from '../domain/operations/process-metrics.ts';
import { ownerOf } from '../domain/operations/tenants.ts';
import { NO_TRACER, type Span, type Tracer, traceIdOf } from '../domain/operations/tracing.ts';
import {
  type WebhookEndpoint,
  type WebhookEvent,
  type WebhookMessage,
  webhookData,
  webhookHeaders,
} from '../domain/operations/webhooks.ts';
import type { WebhookSender } from '../domain/ports.ts';
import type { Mode } from '../domain/verification/mode.ts';
import { isTerminal } from '../domain/verification/states.ts';
import { drainWorker, JobCount, logWorkerErrors, startWorker } from '../pipeline/worker-lifecycle.ts';
import { bullmqOptions, type Deployment } from '../redis/deployment.ts';
import { NOTIFY_BACKOFF_MS, NOTIFY_MAX_AGE_MS } from '../redis/job-options.ts';
import { NOTIFY_QUEUE } from '../redis/names.ts';
import { type NotifyJob, notificationId } from '../redis/notify-queue.ts';
import { readTraceparent } from '../redis/read-records.ts';
import { readViews } from '../redis/read-view.ts';
import type { DeliveryPermit } from '../redis/scripts/may-deliver.ts';
import type { CircuitRule, WebhookEndpoints } from '../redis/webhook-endpoints.ts';

/** Times that tests can shorten. */
export interface NotifyTuning {
  readonly waitsMs?: readonly number[];
  readonly circuit?: Partial<CircuitRule>;
  readonly limitMs?: number;
}

export interface NotifyWorkerOptions extends NotifyTuning {
  readonly deployment: Deployment;
  readonly mode: Mode;
  /** Endpoints from settings. They take precedence over endpoints of the same name in Redis. */
  readonly configured: readonly WebhookEndpoint[];
  readonly endpoints: WebhookEndpoints;
  readonly sender: WebhookSender;
  readonly observer?: Observer | undefined;
  readonly tracer?: Tracer | undefined;
  readonly log: Logger;
}

const POST_TIMEOUT_MS = 15_000;
/** Deliveries that one worker makes at the same time. */
export const NOTIFY_SLOTS = 32;
const MAX_PER_ENDPOINT = 8;
/** If all slots of an endpoint are in use, a delivery is postponed by one to five times this duration. */
const BUSY_MS = 1_000;
/** The longest Retry-After that is honoured. */
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;
const CIRCUIT: CircuitRule = { failures: 5, firstRestMs: 30_000, longestRestMs: 15 * 60_000, probeMs: 30_000 };

export class NotifyWorker {
  readonly jobs = new JobCount();
  readonly #options: NotifyWorkerOptions;
  readonly #circuit: CircuitRule;
  readonly #worker: Worker<NotifyJob>;
  /** Deliveries under way, by endpoint. */
  readonly #busy = new Map<string, number>();

  constructor(options: NotifyWorkerOptions) {
    this.#options = options;
    this.#circuit = { ...CIRCUIT, ...options.circuit };
    this.#worker = new Worker<NotifyJob>(NOTIFY_QUEUE, (job, token) => this.jobs.run(() => this.#run(job, token)), {
      ...bullmqOptions(options.deployment),
      concurrency: NOTIFY_SLOTS,
      autorun: false,
      // If this worker is killed, another worker delivers its notifications within 15 s.
      lockDuration: 10_000,
      stalledInterval: 5_000,
      maxStalledCount: 1_000,
      runRetryDelay: 1_000,
      settings: {
        backoffStrategy: (tries, _type, error) =>
          nextTryMs(tries, error instanceof NotDelivered ? error.retryAfterMs : null, options.waitsMs),
      },
    });
    logWorkerErrors(this.#worker, options.log);
  }

  async start(): Promise<void> {
    await startWorker(this.#worker, this.#options.log);
  }

  drain(deadlineMs: number): Promise<boolean> {
    return drainWorker(this.#worker, deadlineMs, { jobs: this.jobs, deployment: this.#options.deployment });
  }

  async #run(job: Job<NotifyJob>, token: string | undefined): Promise<{ sent: boolean }> {
    const to = `${ownerOf(job.data.tenant ?? null) ?? ''}/${job.data.to}`;
    const busy = this.#busy.get(to) ?? 0;
    if (busy >= MAX_PER_ENDPOINT) return postpone(job, token, BUSY_MS * (1 + 4 * Math.random()));
    this.#busy.set(to, busy + 1);
    let traceparent: string | null = null;
    try {
      traceparent = await readTraceparent(this.#options.deployment, job.data.id);
      return await this.#deliver(job, token, traceparent);
    } catch (error) {
      if (error instanceof DelayedError) throw error;
      throw this.#undelivered(job, error, traceparent);
    } finally {
      const left = (this.#busy.get(to) ?? 1) - 1;
      if (left > 0) this.#busy.set(to, left);
      else this.#busy.delete(to);
    }
  }

  async #deliver(
    job: Job<NotifyJob>,
    token: string | undefined,
    traceparent: string | null,
  ): Promise<{ sent: boolean }> {
    const { to, event } = job.data;
    const { configured, endpoints } = this.#options;
    const owner = ownerOf(job.data.tenant ?? null);
    const own = endpoints.of(owner);
    // The endpoints of the settings belong to the deployment.
    const fixed = owner === null ? configured.find(({ name }) => name === to) : undefined;
    const endpoint = fixed ?? (await own.find(to));
    if (endpoint === null || endpoint.url === '') throw new NotDelivered(CODES.WEBHOOK_UNKNOWN, { permanent: true });
    const message = await this.#message(job);
    if (message === null || !wants(endpoint, message)) return { sent: false };

    const deliveryId = `${job.id}/${job.attemptsStarted}`;
    // A test delivery is sent even if the endpoint rests or is disabled, because it should show whether the endpoint works.
    const permit: DeliveryPermit = event === 'test' ? { kind: 'go' } : await own.permit(to, deliveryId, this.#circuit);
    if (permit.kind === 'disabled') throw new NotDelivered(CODES.WEBHOOK_DISABLED, { permanent: true });
    if (permit.kind === 'rests') {
      if (Date.now() - (job.data.redeliveredAt ?? job.timestamp) > NOTIFY_MAX_AGE_MS)
        throw new NotDelivered(CODES.WEBHOOK_RESTING, { permanent: true });
      // The random part spreads the deliveries: the first one to return is the probe, and the others wait for its result.
      return postpone(job, token, permit.waitMs + Math.random() * Math.max(permit.waitMs, BUSY_MS));
    }
    const { id } = job.data;
    const facts = { id, endpoint: to, event: message.type, attempt: job.attemptsMade + 1 };
    const { tracer = NO_TRACER } = this.#options;
    return tracer.run('bestframe notify', { parent: traceparent, kind: 'client', facts }, (span) =>
      this.#send(job, endpoint, message, { deliveryId, span }),
    );
  }

  async #send(
    job: Job<NotifyJob>,
    endpoint: WebhookEndpoint,
    message: WebhookMessage,
    { deliveryId, span }: { readonly deliveryId: string; readonly span: Span },
  ) {
    const { sender, log, observer = NO_OBSERVER, limitMs = POST_TIMEOUT_MS } = this.#options;
    const body = JSON.stringify(message);
    const headers = {
      ...webhookHeaders(notificationId(job.data), Date.now(), body, endpoint.secrets),
      ...(span.traceparent === null ? {} : { traceparent: span.traceparent }),
    };
    const startedAt = performance.now();
    let refusal: NotDelivered | null;
    try {
      refusal = refusalOf(await sender.post(endpoint.url, headers, body, AbortSignal.timeout(limitMs)));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      refusal = new NotDelivered(error.code);
    }
    const gone = refusal?.code === CODES.WEBHOOK_DISABLED;
    const outcome = refusal === null ? 'ok' : gone ? 'gone' : 'failed';
    observer.measure('webhookDelivery', { result: outcome }, performance.now() - startedAt);
    await this.#recordDelivery(job.data, { deliveryId, outcome, code: refusal?.code ?? '' });
    span.note({ code: refusal?.code });
    if (refusal !== null) throw refusal;
    const { id, to } = job.data;
    const facts = {
      id,
      ...traceField(span.traceparent),
      endpoint: to,
      type: message.type,
      attempt: job.attemptsMade + 1,
    };
    log.info(
      { event: 'notification_delivered', ...facts, ms: Math.round(performance.now() - startedAt) },
      `${to}: ${message.type}`,
    );
    return { sent: true };
  }

  async #recordDelivery(
    { to: name, tenant }: Pick<NotifyJob, 'to' | 'tenant'>,
    result: Parameters<WebhookEndpoints['recordResult']>[1],
  ): Promise<void> {
    const { endpoints, log } = this.#options;
    const { code } = result;
    const change = await endpoints.of(ownerOf(tenant ?? null)).recordResult(name, result, this.#circuit);
    if (change === 'unchanged') return;
    const statuses = {
      rests: 'rests: it failed too often in a row',
      recovered: 'has recovered',
      disabled: 'answered 410 Gone and is disabled',
    };
    const facts = { event: 'endpoint_changed', endpoint: name, tenant, change, ...(code === '' ? {} : { code }) };
    log[change === 'recovered' ? 'info' : 'warn'](facts, `endpoint ${name} ${statuses[change]}`);
  }

  /** @returns null if there is nothing left to report. @throws Failure SEAL_KEY_MISSING if the record cannot be decrypted */
  async #message({
    data: { id, event, tenant, retry = 0 },
    timestamp: addedAt,
  }: Job<NotifyJob>): Promise<WebhookMessage | null> {
    const { deployment, mode } = this.#options;
    const added = new Date(addedAt).toISOString();
    const bare = { id, tenant: tenant ?? null, mode };
    if (event === 'test') return { type: 'webhook.test', timestamp: added, data: bare };
    if (event === 'erased') return { type: 'verification.erased', timestamp: added, data: bare };
    const [view] = await readViews(deployment, [id]);
    if (view == null) return null;
    // Once a verification has been retried, its earlier holds and its earlier end are no longer reported. A decision stays valid,
    // and is still reported.
    if (event !== 'decided' && retry !== view.retries) return null;
    const { state, decidedAt, endedAt } = view;
    const type = event === 'ended' ? state : event;
    if (type !== 'decided' && type !== 'held' && !isTerminal(type)) return null;
    const at = event === 'ended' ? endedAt : event === 'decided' ? decidedAt : null;
    return {
      type: `verification.${type as WebhookEvent}`,
      timestamp: at ?? added,
      data: webhookData(view),
    };
  }

  /** An error with only the code, because BullMQ keeps and shows the text of an error. */
  #undelivered(
    { data: { id, to, event }, attemptsMade, opts }: Job<NotifyJob>,
    error: unknown,
    traceparent: string | null,
  ): Error {
    const refusal =
      error instanceof NotDelivered ? error : new NotDelivered(error instanceof Failure ? error.code : CODES.INTERNAL);
    const dead = refusal.permanent || attemptsMade + 1 >= (opts.attempts ?? 1);
    this.#options.log.warn(
      {
        event: dead ? 'delivery_given_up' : 'delivery_failed',
        id,
        ...traceField(traceparent),
        endpoint: to,
        notification: event,
        code: refusal.code,
      },
      `${to}: ${refusal.code}, ${dead ? 'given up' : 'it is tried again'}`,
    );
    if (!refusal.permanent) return refusal;
    const end = new UnrecoverableError(refusal.code);
    delete end.stack;
    return end;
  }
}

/** The trace of a log line. */
function traceField(traceparent: string | null): { readonly traceId?: string } {
  const traceId = traceIdOf(traceparent);
  return traceId === null ? {} : { traceId };
}

class NotDelivered extends Error {
  readonly code: string;
  readonly permanent: boolean;
  readonly retryAfterMs: number | null;

  constructor(code: string, { permanent = false, retryAfterMs = null }: Partial<NotDelivered> = {}) {
    super(code);
    this.name = 'NotDelivered';
    this.code = code;
    this.permanent = permanent;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Time until the next try, ms. @param tries number of tries so far. @param askedMs the receiver's Retry-After, ms, or null. */
export function nextTryMs(
  tries: number,
  askedMs: number | null,
  waitsMs: readonly number[] = NOTIFY_BACKOFF_MS,
): number {
  const waitMs = waitsMs[Math.min(tries, waitsMs.length) - 1] ?? 0;
  const jittered = waitMs * (0.8 + 0.4 * Math.random());
  return Math.round(Math.max(jittered, Math.min(askedMs ?? 0, MAX_RETRY_AFTER_MS)));
}

function refusalOf({ status, retryAfterMs }: Awaited<ReturnType<WebhookSender['post']>>): NotDelivered | null {
  if (status >= 200 && status < 300) return null;
  if (status === 410) return new NotDelivered(CODES.WEBHOOK_DISABLED, { permanent: true });
  const code =
    status === 429 ? CODES.HTTP_429 : status >= 500 ? CODES.HTTP_5XX : status >= 400 ? CODES.HTTP_4XX : CODES.HTTP_3XX;
  return new NotDelivered(code, { retryAfterMs });
}

function wants({ events }: WebhookEndpoint, { type }: WebhookMessage): boolean {
  return events === null || type === 'webhook.test' || events.some((event) => type === `verification.${event}`);
}

/** Delays the job without counting a try. */
async function postpone(job: Job<NotifyJob>, token: string | undefined, delayMs: number): Promise<never> {
  await job.moveToDelayed(Date.now() + Math.ceil(delayMs), token);
  throw new DelayedError('postponed');
}
