/**
 * The keys of the account at the vendor, and what all sources of keys share.
 *
 * What must hold: no key, token or content of a file appears in a message or a cause.
 */
import { z } from 'zod';
import { type Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';

export interface Keys {
  readonly secretId: string;
  readonly secretKey: string;
  /** Session token. Only temporary keys have one. */
  readonly token?: string;
  /** When temporary keys expire, ms since 1970. */
  readonly expiresAt?: number;
}

export interface TemporaryKeys extends Keys {
  readonly token: string;
  readonly expiresAt: number;
}

export interface CredentialsProvider {
  /**
   * @param lifeMs how long the keys are needed, e.g. the life of a link. Keys that would expire during this time are renewed
   * first, if their source can renew keys. Even so, the returned keys may expire during this time.
   * @throws Failure NO_CREDENTIALS, or KEYS_UNAVAILABLE if their source is down.
   */
  get(lifeMs?: number): Promise<Keys>;
}

const keysShape = z.object({
  secretId: z.string().trim().min(1),
  secretKey: z.string().trim().min(1),
  token: z.string().trim().min(1).optional(),
  expiresAt: z
    .union([z.number(), z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))])
    .transform(toMs)
    .optional(),
});

/**
 * Accepts seconds (the vendor's unit) and milliseconds. A number below 10^11 is in seconds; such times last until the year 5138.
 */
function toMs(time: number): number {
  return time < 1e11 ? time * 1000 : time;
}

export function parseKeys(given: unknown, subject: string): Keys {
  const parsed = keysShape.safeParse(given);
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join('.') ?? '';
    throw noCredentials(
      `${subject} lack a valid ${field === '' ? 'object' : field}: give secretId and secretKey, and token for temporary keys`,
    );
  }
  const { secretId, secretKey, token, expiresAt } = parsed.data;
  return {
    secretId,
    secretKey,
    ...(token === undefined ? {} : { token }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

export function requireUnexpired(keys: Keys, subject: string): Keys {
  if (keys.expiresAt === undefined || keys.expiresAt > Date.now()) return keys;
  throw noCredentials(`${subject} expired at ${new Date(keys.expiresAt).toISOString()}: renew them`);
}

export function staticCredentials(keys: Keys): CredentialsProvider {
  const fixed = parseKeys(keys, 'the keys');
  return { get: async () => requireUnexpired(fixed, 'the keys') };
}

/** There are no keys, or they are refused: an operator must act. */
export function noCredentials(message: string, cause?: unknown): Failure {
  return localFailure(CODES.NO_CREDENTIALS, message, cause === undefined ? {} : { cause });
}

/** The source of temporary keys is down or cannot be reached: it may answer later. Nothing was sent that could be billed. */
export function keysUnavailable(message: string, cause?: unknown): Failure {
  return localFailure(CODES.KEYS_UNAVAILABLE, message, cause === undefined ? {} : { cause });
}
