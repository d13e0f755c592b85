/**
 * Tells endpoints what became of verifications, and tells them again until they have heard it.
 *
 * What must hold:
 * 1. At least once, each under one id (the job's, `webhook-id`): a receiver that is told twice knows it again.
 * 2. What is told is read from the journal when it is sent; of what was erased since, nothing but that is told.
 * 3. An endpoint that fails takes nothing from the others: it rests after some failures in a row, for all workers, and it has
 *    a part of the places only. Neither costs a try.
 * 4. No URL and no secret is in a log line, a job or an error.
 */
import { DelayedError, type Job, UnrecoverableError, Worker } from 'bullmq';
import type { Logger } from 'pino';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { WebhookSender } from '../domain/ports.ts';
import { isTerminal } from '../domain/states.ts';
import type { Mode } from '../domain/verification.ts';
import {
  type WebhookEndpoint,
  type WebhookEvent,
  type WebhookMessage,
  webhookData,
  webhookHeaders,
} from '../domain/webhooks.ts';
import type { RedisClient } from '../queue/connection.ts';
import type { CircuitRule, Endpoints } from '../queue/endpoints.ts';
import { type Names, NOTIFY_QUEUE } from '../queue/names.ts';
import { type NotifyJob, notificationId } from '../queue/notify-queue.ts';
import { NOTIFY_FOR_MS, NOTIFY_WAITS_MS } from '../queue/options.ts';
import { readRecord } from '../queue/record.ts';
import type { Sealer } from '../queue/seal.ts';
import { begun, drained, heard } from './working.ts';

/** For tests, whose days are short. */
export interface NotifyTuning {
  readonly waitsMs?: readonly number[];
  readonly circuit?: Partial<CircuitRule>;
  readonly limitMs?: number;
}

export interface NotifyWorkerOptions extends NotifyTuning {
  readonly redis: RedisClient;
  readonly names: Names;
  readonly sealer: Sealer;
  readonly mode: Mode;
  /** From the settings; they come before those in Redis. */
  readonly settled: readonly WebhookEndpoint[];
  readonly endpoints: Endpoints;
  readonly sender: WebhookSender;
  readonly log: Logger;
}

const LIMIT_MS = 15_000;
const AT_ONCE = 32;
const AT_ONCE_EACH = 8;
/** Who finds all places of its endpoint taken comes again after this, or up to five times as long. */
const FULL_MS = 1_000;
/** A receiver may ask for time, but not for ever. */
const MOST_ASKED_MS = 24 * 3_600_000;
const CIRCUIT: CircuitRule = { failures: 5, firstRestMs: 30_000, longestRestMs: 15 * 60_000, probeMs: 30_000 };

export class NotifyWorker {
  readonly #options: NotifyWorkerOptions;
  readonly #circuit: CircuitRule;
  readonly #worker: Worker<NotifyJob>;
  /** Deliveries on their way, by endpoint. */
  readonly #busy = new Map<string, number>();

  constructor(options: NotifyWorkerOptions) {
    this.#options = options;
    this.#circuit = { ...CIRCUIT, ...options.circuit };
    this.#worker = new Worker<NotifyJob>(NOTIFY_QUEUE, (job, token) => this.#run(job, token), {
      connection: options.redis,
      prefix: options.names.prefix,
      concurrency: AT_ONCE,
      autorun: false,
      // What a worker had that was killed is told by another one within 15 s.
      lockDuration: 10_000,
      stalledInterval: 5_000,
      maxStalledCount: 1_000,
      runRetryDelay: 1_000,
      settings: {
        backoffStrategy: (tries, _type, error) =>
          nextTryMs(tries, error instanceof NotDelivered ? error.retryAfterMs : null, options.waitsMs),
      },
    });
    heard(this.#worker, options.log);
  }

  async start(): Promise<void> {
    await begun(this.#worker, this.#options.log);
  }

  drain(deadlineMs: number): Promise<boolean> {
    return drained(this.#worker, deadlineMs);
  }

  async #run(job: Job<NotifyJob>, token: string | undefined): Promise<{ sent: boolean }> {
    const { to } = job.data;
    const busy = this.#busy.get(to) ?? 0;
    if (busy >= AT_ONCE_EACH) return later(job, token, FULL_MS * (1 + 4 * Math.random()));
    this.#busy.set(to, busy + 1);
    try {
      return await this.#tell(job, token);
    } catch (error) {
      if (error instanceof DelayedError) throw error;
      throw this.#undelivered(job, error);
    } finally {
      const left = (this.#busy.get(to) ?? 1) - 1;
      if (left > 0) this.#busy.set(to, left);
      else this.#busy.delete(to);
    }
  }

  async #tell(job: Job<NotifyJob>, token: string | undefined): Promise<{ sent: boolean }> {
    const { to, event } = job.data;
    const { settled, endpoints } = this.#options;
    const endpoint = settled.find(({ name }) => name === to) ?? (await endpoints.find(to));
    if (endpoint === null || endpoint.url === '') throw new NotDelivered(CODES.WEBHOOK_UNKNOWN, { forGood: true });
    const message = await this.#message(job);
    if (message === null || !wants(endpoint, message)) return { sent: false };

    const who = `${job.id}/${job.attemptsStarted}`;
    // A test is sent however the endpoint does: it is there to find that out.
    const [answer, waitMs] = event === 'test' ? ['go', 0] : await endpoints.knock(to, who, this.#circuit);
    if (answer === 'disabled') throw new NotDelivered(CODES.WEBHOOK_DISABLED, { forGood: true });
    if (answer === 'rests') {
      if (Date.now() - (job.data.again ?? job.timestamp) > NOTIFY_FOR_MS)
        throw new NotDelivered(CODES.WEBHOOK_RESTING, { forGood: true });
      // Not all at once: whoever is there first is the probe, and the others wait for what it finds.
      return later(job, token, waitMs + Math.random() * Math.max(waitMs, FULL_MS));
    }
    return this.#send(job, endpoint, message, who);
  }

  async #send(job: Job<NotifyJob>, endpoint: WebhookEndpoint, message: WebhookMessage, who: string) {
    const { sender, log, limitMs = LIMIT_MS } = this.#options;
    const body = JSON.stringify(message);
    const headers = webhookHeaders(notificationId(job.data), Date.now(), body, endpoint.secrets);
    const startedAt = performance.now();
    let refusal: NotDelivered | null;
    try {
      refusal = refusalOf(await sender.post(endpoint.url, headers, body, AbortSignal.timeout(limitMs)));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      refusal = new NotDelivered(error.code);
    }
    const gone = refusal?.code === CODES.WEBHOOK_DISABLED;
    await this.#heard(endpoint.name, who, refusal === null ? 'ok' : gone ? 'gone' : 'failed', refusal?.code ?? '');
    if (refusal !== null) throw refusal;
    const { id, to } = job.data;
    const facts = { id, endpoint: to, type: message.type, attempt: job.attemptsMade + 1 };
    log.info({ event: 'notified', ...facts, ms: Math.round(performance.now() - startedAt) }, `${to}: ${message.type}`);
    return { sent: true };
  }

  async #heard(name: string, who: string, what: 'ok' | 'failed' | 'gone', code: string): Promise<void> {
    const { endpoints, log } = this.#options;
    const change = await endpoints.heard(name, who, what, code, this.#circuit);
    if (change === 'as it was') return;
    const words = { rests: 'rests: it failed too often', back: 'is back', disabled: 'is gone (410), and disabled' };
    const facts = { event: 'endpoint', endpoint: name, change, ...(code === '' ? {} : { code }) };
    log[change === 'back' ? 'info' : 'warn'](facts, `endpoint ${name} ${words[change]}`);
  }

  /** @returns null where there is nothing to be told any more. @throws Failure SEAL_KEY_MISSING */
  async #message({ data: { id, event }, timestamp: addedAt }: Job<NotifyJob>): Promise<WebhookMessage | null> {
    const { redis, names, sealer, mode } = this.#options;
    const added = new Date(addedAt).toISOString();
    if (event === 'test') return { type: 'webhook.test', timestamp: added, data: { id, mode } };
    if (event === 'erased') return { type: 'verification.erased', timestamp: added, data: { id, mode } };
    const record = readRecord(id, await redis.hgetall(names.journal(id)), sealer);
    if (record === null) return null;
    const { state, decidedAt, endedAt } = record;
    const type = event === 'ended' ? state : event;
    if (type !== 'decided' && type !== 'held' && !isTerminal(type)) return null;
    const at = event === 'ended' ? endedAt : event === 'decided' ? decidedAt : null;
    return {
      type: `verification.${type as WebhookEvent}`,
      timestamp: at === null ? added : new Date(at).toISOString(),
      data: webhookData(record),
    };
  }

  /** The code only: BullMQ keeps and shows this text. */
  #undelivered({ data: { id, to, event }, attemptsMade, opts }: Job<NotifyJob>, error: unknown): Error {
    const refusal =
      error instanceof NotDelivered ? error : new NotDelivered(error instanceof Failure ? error.code : CODES.INTERNAL);
    const dead = refusal.forGood || attemptsMade + 1 >= (opts.attempts ?? 1);
    this.#options.log.warn(
      { event: dead ? 'not delivered' : 'not delivered yet', id, endpoint: to, occasion: event, code: refusal.code },
      `${to}: ${refusal.code}, ${dead ? 'given up' : 'will be tried again'}`,
    );
    if (!refusal.forGood) return refusal;
    const end = new UnrecoverableError(refusal.code);
    delete end.stack;
    return end;
  }
}

class NotDelivered extends Error {
  readonly code: string;
  readonly forGood: boolean;
  readonly retryAfterMs: number | null;

  constructor(code: string, { forGood = false, retryAfterMs = null }: Partial<NotDelivered> = {}) {
    super(code);
    this.name = 'NotDelivered';
    this.code = code;
    this.forGood = forGood;
    this.retryAfterMs = retryAfterMs;
  }
}

/** @param tries that were made. @param askedMs what the receiver asked for. */
export function nextTryMs(tries: number, askedMs: number | null, waitsMs: readonly number[] = NOTIFY_WAITS_MS): number {
  const waitMs = waitsMs[Math.min(tries, waitsMs.length) - 1] ?? 0;
  const jittered = waitMs * (0.8 + 0.4 * Math.random());
  return Math.round(Math.max(jittered, Math.min(askedMs ?? 0, MOST_ASKED_MS)));
}

function refusalOf({ status, retryAfterMs }: Awaited<ReturnType<WebhookSender['post']>>): NotDelivered | null {
  if (status >= 200 && status < 300) return null;
  if (status === 410) return new NotDelivered(CODES.WEBHOOK_DISABLED, { forGood: true });
  const code =
    status === 429 ? CODES.HTTP_429 : status >= 500 ? CODES.HTTP_5XX : status >= 400 ? CODES.HTTP_4XX : CODES.HTTP_3XX;
  return new NotDelivered(code, { retryAfterMs });
}

function wants({ events }: WebhookEndpoint, { type }: WebhookMessage): boolean {
  return events === null || type === 'webhook.test' || events.some((event) => type === `verification.${event}`);
}

/** Costs no try. */
async function later(job: Job<NotifyJob>, token: string | undefined, delayMs: number): Promise<never> {
  await job.moveToDelayed(Date.now() + Math.ceil(delayMs), token);
  throw new DelayedError('later');
}
