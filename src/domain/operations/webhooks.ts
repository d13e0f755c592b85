/**
 * Webhooks: which events a deployment reports, to which endpoints, and how messages are signed (Standard Webhooks).
 *
 * What must hold:
 * 1. An operator registers an endpoint, and verifications refer to the endpoint by name. So a caller cannot choose where a worker
 *    sends requests.
 * 2. An endpoint belongs to a tenant or to the deployment, and only verifications of its owner name it. For everybody else, its name
 *    is unknown.
 * 3. A message contains only what its receiver needs to act: no link, no location, no picture, no metadata.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { inputFailure } from '../errors/failure.ts';
import { CODES } from '../errors/index.ts';
import type { Mode } from '../verification/mode.ts';
import { WEBHOOK_NAME_PATTERN } from '../verification/names.ts';
import type { VerificationView, ViewReason } from '../verification/view.ts';

/** Events that an endpoint can receive. */
export const WEBHOOK_EVENTS = ['decided', 'held', 'completed', 'failed', 'cancelled', 'erased'] as const;
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

/** A registered endpoint, with its secrets. */
export interface WebhookEndpoint {
  readonly name: string;
  readonly url: string;
  /** One or two secrets `whsec_…`, newest first. Each delivery is signed with all of them. */
  readonly secrets: readonly string[];
  /** Null: all events. */
  readonly events: readonly WebhookEvent[] | null;
}

/** An endpoint as an operator sees it: without secrets and query string. */
export interface WebhookView {
  readonly name: string;
  /** The URL without its query string. Null if the endpoint comes from the settings of the notify workers. */
  readonly url: string | null;
  /** Null: all events. */
  readonly events: readonly WebhookEvent[] | null;
  /** Number of secrets: two during a rotation, otherwise one. */
  readonly secrets: number;
  /** `resting`: too many deliveries failed in a row, and only probes are sent. `disabled`: the endpoint answered 410 Gone. */
  readonly state: 'on' | 'resting' | 'disabled';
  /** Why the endpoint is resting or disabled. */
  readonly code: string | null;
}

/** A notification whose delivery was given up. */
export interface DeadNotification {
  /** The `webhook-id` header of its deliveries. */
  readonly id: string;
  /** Id of the verification. */
  readonly verification: string;
  readonly event: string;
  /** Name of the endpoint. */
  readonly endpoint: string;
  /** Why the last try failed. */
  readonly code: string;
  readonly tries: number;
  /** ISO 8601. */
  readonly at: string;
}

/** The body of a delivery. */
export interface WebhookMessage {
  readonly type: `verification.${WebhookEvent}` | 'webhook.test';
  /** When the event happened, ISO 8601. */
  readonly timestamp: string;
  readonly data: WebhookData | { readonly id: string; readonly tenant: string | null; readonly mode: Mode };
}

/** The fields of a verification that a message contains. */
const FIELDS = [
  'id',
  'tenant',
  'key',
  'mode',
  'state',
  'next',
  'decision',
  'similarity',
  'retake',
  'pausedBy',
  'retryAfter',
  'stage',
  'frame',
  'paidCalls',
  'possiblyPaidCalls',
  'cost',
  'secondOpinion',
] as const satisfies readonly (keyof VerificationView)[];

/** The fields of the reason that a message contains. `dependency` is left out: it may name a host that the caller chose. */
const REASON_FIELDS = [
  'code',
  'class',
  'title',
  'advice',
  'personAdvice',
  'audience',
  'field',
  'similarity',
  'threshold',
] as const satisfies readonly (keyof ViewReason)[];

/** The verification as it is when the message is sent. It may have progressed since the event. */
export type WebhookData = Pick<VerificationView, (typeof FIELDS)[number]> & {
  readonly reason: Pick<ViewReason, (typeof REASON_FIELDS)[number]> | null;
};

/** Picks the fields that a message may contain. */
export function webhookData(view: WebhookData): WebhookData {
  const { reason } = view;
  return { ...pick(view, FIELDS), reason: reason === null ? null : pick(reason, REASON_FIELDS) };
}

function pick<T extends object, Name extends keyof T>(from: T, names: readonly Name[]): Pick<T, Name> {
  const named = names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]);
  return Object.fromEntries(named) as Pick<T, Name>;
}

// ── validation of endpoints ────────────────────────────────────────────────────────────────────────────────────────

const MAX_URL_CHARS = 2_048;
const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;
const SECRET_BYTES = { min: 24, max: 64, generated: 32 };

/** @returns what is wrong with an endpoint's name, or null. */
export function webhookNameProblem(name: string): string | null {
  if (WEBHOOK_NAME_PATTERN.test(name)) return null;
  return 'is not an endpoint name: use up to 40 lower-case letters, digits and "-"';
}

/** @returns what is wrong with the text of a URL, or null. Each delivery checks the address to which the host name resolves. */
export function webhookUrlProblem(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== 'https:') return 'is not an https URL: write it in full, starting with https://';
  if (url.username !== '' || url.password !== '')
    return 'has a user name or password: remove them, deliveries are signed instead';
  if (url.hash !== '') return 'has a fragment, which is never sent: remove it';
  return text.length > MAX_URL_CHARS ? `is longer than ${MAX_URL_CHARS} characters: use a shorter one` : null;
}

/** @returns what is wrong with a secret, or null. */
export function webhookSecretProblem(secret: string): string | null {
  const bytes = Buffer.from(SECRET.exec(secret)?.[1] ?? '', 'base64').byteLength;
  if (bytes >= SECRET_BYTES.min && bytes <= SECRET_BYTES.max) return null;
  return `is not a secret: write whsec_ followed by ${SECRET_BYTES.min} to ${SECRET_BYTES.max} bytes in base64`;
}

/** Generates a random secret `whsec_…`. */
export function newWebhookSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES.generated).toString('base64')}`;
}

/** @throws Failure INVALID_WEBHOOK with the invalid field. */
export function checkWebhook({ name, url, secrets, events }: WebhookEndpoint): void {
  const unknownEvent = events?.find((event) => !WEBHOOK_EVENTS.includes(event));
  const problems = {
    name: webhookNameProblem(name),
    url: webhookUrlProblem(url),
    secret: secrets.map(webhookSecretProblem).find((problem) => problem !== null) ?? null,
    events:
      unknownEvent === undefined
        ? null
        : `contains the unknown event "${unknownEvent}": use one or more of ${WEBHOOK_EVENTS.join(', ')}`,
  };
  for (const [field, problem] of Object.entries(problems)) {
    if (problem !== null) throw inputFailure(CODES.INVALID_WEBHOOK, field, `${field} ${problem}`);
  }
}

// ── signature ──────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * The headers of one delivery, as https://www.standardwebhooks.com specifies: one signature per secret, over id, time and body.
 *
 * @param at ms since 1970.
 */
export function webhookHeaders(
  id: string,
  at: number,
  body: string,
  secrets: readonly string[],
): Readonly<Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>> {
  const time = String(Math.floor(at / 1_000));
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${time}.${body}`).digest('base64')}`;
  });
  return { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signatures.join(' ') };
}
