/**
 * Sessions of the operators' site. The browser holds a random secret in a cookie. Redis holds the session under the secret's hash,
 * so nobody who reads Redis can use a session.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** How the operator was identified: by a password, or by an identity proxy. */
export const SESSION_WAYS = ['password', 'proxy'] as const;
export type SessionWay = (typeof SESSION_WAYS)[number];

/** A session, without its secret. */
export interface SiteSession {
  /** 32 hexadecimal digits, derived from the secret. Lists and the audit log identify a session by it. */
  readonly id: string;
  /** Name of the operator. */
  readonly operator: string;
  readonly way: SessionWay;
  /** Address from which the session was started. */
  readonly address: string;
  /** ISO 8601, as all times here. */
  readonly startedAt: string;
  readonly lastSeenAt: string;
  /** The session ends at this time, or earlier if it is idle. */
  readonly endsAt: string;
}

export interface SessionLimits {
  /** A session ends this long after it started, ms. */
  readonly lifeMs: number;
  /** A session ends this long after its last request, ms. */
  readonly idleMs: number;
}

/** @returns 256 random bits, base64url. */
export function createSessionSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** The first 128 bits of the secret's SHA-256. */
export function sessionIdOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex').slice(0, 32);
}

/** Token for the forms of a session's pages. It is derived from the secret, so another site or another session cannot know it. */
export function formTokenOf(secret: string): string {
  return createHmac('sha256', secret).update('form').digest('base64url');
}

/** Compares two secrets in constant time. */
export function isSameSecret(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
