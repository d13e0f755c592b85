/**
 * Keys to the HTTP API. A key is 256 random bits: it cannot be guessed, so a plain SHA-256 of it is enough to keep (a slow,
 * salted hash is for words that people choose, and would cost each request its time).
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { MODES, type Mode } from './verification.ts';

/**
 * `submit`: enqueue and cancel. `read`: verifications, without pictures. `frames`: pictures. `operate`: held ones, gates,
 * metrics. `erase`: erasing and receipts.
 */
export const SCOPES = ['submit', 'read', 'frames', 'operate', 'erase'] as const;
export type Scope = (typeof SCOPES)[number];

export interface ApiKey {
  /** Part of the key, and no secret: audit and lists name a key by it. */
  readonly id: string;
  /** Sees and acts on its own verifications only. */
  readonly tenant: string;
  readonly mode: Mode;
  readonly scopes: readonly Scope[];
  /** For people. */
  readonly name: string;
  /** Requests a second, over all API processes. */
  readonly perSecond: number;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  readonly lastUsedAt: string | null;
}

export interface Token {
  readonly id: string;
  readonly mode: Mode;
  /** SHA-256 of the whole key, hexadecimal. */
  readonly hash: string;
}

const TOKEN = new RegExp(`^bf_(${MODES.join('|')})_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$`);

/** @returns the key itself, which nobody can say again, and what is kept of it. */
export function makeToken(mode: Mode): { readonly secret: string; readonly token: Token } {
  const id = randomBytes(6).toString('hex');
  const secret = `bf_${mode}_${id}_${randomBytes(32).toString('base64url')}`;
  return { secret, token: { id, mode, hash: hashOf(secret) } };
}

/** @returns null where it does not look like a key. */
export function readToken(secret: string): Token | null {
  const [, mode, id] = TOKEN.exec(secret) ?? [];
  const known = MODES.find((each) => each === mode);
  return known === undefined || id === undefined ? null : { id, mode: known, hash: hashOf(secret) };
}

export function sameHash(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a, 'hex'), Buffer.from(b, 'hex')];
  return left.length === 32 && left.length === right.length && timingSafeEqual(left, right);
}

/** Whether it opens anything at this moment. @param now ms since 1970 */
export function isUsable({ revokedAt, expiresAt }: ApiKey, now: number): boolean {
  return revokedAt === null && (expiresAt === null || Date.parse(expiresAt) > now);
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
