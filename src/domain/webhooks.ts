/**
 * Webhooks: what is told of a verification, to whom, and how it is signed (Standard Webhooks).
 *
 * What must hold: an endpoint is registered by an operator and is named by verifications; nobody who may enqueue may say
 * where a worker goes. What is told is no more than it takes to act: no link, no place, no picture, no metadata.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { CODES, explain } from './errors/index.ts';
import { inputFailure } from './failure.ts';
import { type Decision, type FrameState, type NextStep, nextStep, type State } from './states.ts';
import type { Mode } from './verification.ts';

/** What an endpoint may be told. */
export const WEBHOOK_EVENTS = ['decided', 'held', 'completed', 'failed', 'cancelled', 'erased'] as const;
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

export interface WebhookEndpoint {
  readonly name: string;
  readonly url: string;
  /** `whsec_…`, one or two; the newest first. Each delivery is signed with all of them. */
  readonly secrets: readonly string[];
  /** Null: all. */
  readonly events: readonly WebhookEvent[] | null;
}

/** As an operator sees it: no secret, no query string. */
export interface WebhookView {
  readonly name: string;
  /** Without its query string. Null where it comes from the settings of the notify workers. */
  readonly url: string | null;
  readonly events: readonly WebhookEvent[] | null;
  /** Two while they are being rotated. */
  readonly secrets: number;
  /** `resting`: it failed too often in a row, and is probed now and then. `disabled`: it said that it is gone (410). */
  readonly state: 'on' | 'resting' | 'disabled';
  /** Why it rests or is disabled. */
  readonly code: string | null;
}

/** A notification that was given up. */
export interface DeadNotification {
  /** Also its `webhook-id`. */
  readonly id: string;
  readonly verification: string;
  readonly event: string;
  readonly endpoint: string;
  readonly code: string;
  readonly tries: number;
  /** ISO 8601. */
  readonly at: string;
}

/** What is sent. */
export interface WebhookMessage {
  readonly type: `verification.${WebhookEvent}` | 'webhook.test';
  /** When it happened, ISO 8601. */
  readonly timestamp: string;
  readonly data: WebhookData | { readonly id: string; readonly mode: Mode };
}

/** What is known of the verification when it is sent, which may be more than was known when it happened. */
export interface WebhookData {
  readonly id: string;
  /** The caller's own key. */
  readonly key: string;
  readonly mode: Mode;
  readonly state: State;
  /** What to do now. */
  readonly next: NextStep;
  readonly decision: Decision | null;
  readonly similarity: number | null;
  readonly reason: { readonly code: string; readonly advice: string | null } | null;
  readonly frame: FrameState;
}

interface Known extends Omit<WebhookData, 'next' | 'reason'> {
  readonly reason: { readonly code: string } | null;
}

export function webhookData({ id, key, mode, state, decision, similarity, reason, frame }: Known): WebhookData {
  return {
    ...{ id, key, mode, state, next: nextStep(state, decision), decision, similarity },
    reason: reason === null ? null : { code: reason.code, advice: explain(reason.code)?.advice ?? null },
    frame,
  };
}

// ── what an operator writes ────────────────────────────────────────────────────────────────────────────────────────

export const WEBHOOK_NAME = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;
const NAME_RULE = 'is no name of an endpoint: use up to 40 small letters, digits and "-"';
const MOST_URL_CHARS = 2_048;
const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;
const SECRET_BYTES = { least: 24, most: 64, made: 32 };

export function webhookNameProblem(name: string): string | null {
  return WEBHOOK_NAME.test(name) ? null : NAME_RULE;
}

/** What is wrong with it as it is written; where its host leads is judged at each delivery. */
export function webhookUrlProblem(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== 'https:') return 'is no https URL: write it whole, from https:// on';
  if (url.username !== '' || url.password !== '')
    return 'carries a user name or password: deliveries are signed instead';
  if (url.hash !== '') return 'has a fragment, which is never sent: leave it out';
  return text.length > MOST_URL_CHARS ? `is longer than ${MOST_URL_CHARS} characters: use a shorter one` : null;
}

export function webhookSecretProblem(secret: string): string | null {
  const bytes = Buffer.from(SECRET.exec(secret)?.[1] ?? '', 'base64').byteLength;
  if (bytes >= SECRET_BYTES.least && bytes <= SECRET_BYTES.most) return null;
  return `is no secret: write whsec_ and ${SECRET_BYTES.least} to ${SECRET_BYTES.most} bytes in base64`;
}

export function newWebhookSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES.made).toString('base64')}`;
}

/** @throws Failure INVALID_WEBHOOK that names the field at fault */
export function checkWebhook({ name, url, secrets, events }: WebhookEndpoint): void {
  const unknown = events?.find((event) => !WEBHOOK_EVENTS.includes(event));
  const problems = {
    name: webhookNameProblem(name),
    url: webhookUrlProblem(url),
    secret: secrets.map(webhookSecretProblem).find((problem) => problem !== null) ?? null,
    events: unknown === undefined ? null : `names "${unknown}": use one or more of ${WEBHOOK_EVENTS.join(', ')}`,
  };
  for (const [field, problem] of Object.entries(problems)) {
    if (problem !== null) throw inputFailure(CODES.INVALID_WEBHOOK, field, `${field} ${problem}`);
  }
}

// ── the signature ──────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * The headers of one try, as https://www.standardwebhooks.com says: over id, time and body, once for each secret.
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
