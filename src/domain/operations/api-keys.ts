/**
 * Keys for the HTTP API. A key has 256 random bits and cannot be guessed, so a plain SHA-256 is enough to store it. A slow,
 * salted hash is for passwords that people choose, and would slow down every request.
 */
import { createHash, randomBytes } from 'node:crypto';
import { MODES, type Mode } from '../verification/mode.ts';

/**
 * `submit`: enqueue and cancel. `read`: read verifications, without pictures. `frames`: read pictures. `operate`: held
 * verifications, gates and metrics. `erase`: erase, and read receipts.
 */
export const SCOPES = ['submit', 'read', 'frames', 'operate', 'erase'] as const;
export type Scope = (typeof SCOPES)[number];

/** A stored key, without its secret. */
export interface ApiKey {
  /** The public part of the key. The audit log and lists identify a key by it. */
  readonly id: string;
  /** Requests with the key see and change only the verifications of this tenant. */
  readonly tenant: string;
  readonly mode: Mode;
  readonly scopes: readonly Scope[];
  /** Display name. */
  readonly name: string;
  /** Rate limit in requests per second, over all API processes. */
  readonly perSecond: number;
  /** ISO 8601, as all times here. */
  readonly createdAt: string;
  /** Null if the key does not expire. */
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  readonly lastUsedAt: string | null;
}

/** The parts of a key that follow from its secret alone, without a lookup in Redis. */
export interface Token {
  readonly id: string;
  readonly mode: Mode;
  /** SHA-256 of the whole key, hexadecimal. */
  readonly hash: string;
}

const TOKEN = new RegExp(`^bf_(${MODES.join('|')})_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$`);

/** @returns the secret, which cannot be recovered later, and the token to store. */
export function createToken(mode: Mode): { readonly secret: string; readonly token: Token } {
  const id = randomBytes(6).toString('hex');
  const secret = `bf_${mode}_${id}_${randomBytes(32).toString('base64url')}`;
  return { secret, token: { id, mode, hash: hashSecret(secret) } };
}

/** @returns null if the text does not have the form of a key. */
export function parseToken(secret: string): Token | null {
  const [, modeText, id] = TOKEN.exec(secret) ?? [];
  const mode = MODES.find((each) => each === modeText);
  return mode === undefined || id === undefined ? null : { id, mode, hash: hashSecret(secret) };
}

/** Whether the key is neither revoked nor expired. @param now ms since 1970. */
export function isUsable({ revokedAt, expiresAt }: ApiKey, now: number): boolean {
  return revokedAt === null && (expiresAt === null || Date.parse(expiresAt) > now);
}

function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
