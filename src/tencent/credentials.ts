/**
 * Keys to the vendor's account: fixed, temporary with a token, or in a file that somebody renews. Content of such a file is
 * never echoed, in no message and no cause.
 */
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';

export interface Keys {
  readonly secretId: string;
  readonly secretKey: string;
  /** Of temporary keys. */
  readonly token?: string;
  /** ms since 1970. */
  readonly expiresAt?: number;
}

export interface CredentialsProvider {
  /** @throws Failure NO_CREDENTIALS */
  get(): Promise<Keys>;
}

const keys = z.object({
  secretId: z.string().trim().min(1),
  secretKey: z.string().trim().min(1),
  token: z.string().trim().min(1).optional(),
  expiresAt: z
    .union([z.number(), z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))])
    .transform(inMs)
    .optional(),
});

/** The vendor counts in seconds, JavaScript in milliseconds; no time in seconds reaches 10^11 before the year 5138. */
function inMs(time: number): number {
  return time < 1e11 ? time * 1000 : time;
}

export function staticCredentials(given: Keys): CredentialsProvider {
  const fixed = parseKeys(given, 'the keys');
  return { get: async () => unexpired(fixed, 'the keys') };
}

/** @param path a JSON file `{secretId, secretKey, token?, expiresAt?}`; read again whenever it changes. */
export function fileCredentials(path: string): CredentialsProvider {
  const named = 'the credentials file';
  let known: { stamp: string; keys: Keys } | null = null;

  async function current(): Promise<Keys> {
    const before = await stampOf(path);
    if (known?.stamp === before) return known.keys;
    const text = await readable(() => readFile(path, 'utf8'));
    known = { stamp: before, keys: parseKeys(parseJson(text), named) };
    return known.keys;
  }

  return { get: async () => unexpired(await current(), named) };
}

async function stampOf(path: string): Promise<string> {
  const { mtimeNs, size, ino } = await readable(() => stat(path, { bigint: true }));
  return `${ino}:${mtimeNs}:${size}`;
}

async function readable<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw missing(`the credentials file cannot be read${why}: correct its path or permissions`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the content: it is left behind on purpose.
    throw missing('the credentials file is not JSON: write {"secretId": …, "secretKey": …}');
  }
}

function parseKeys(given: unknown, named: string): Keys {
  const parsed = keys.safeParse(given);
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join('.') ?? '';
    throw missing(
      `${named} lack a valid ${field === '' ? 'object' : field}: give secretId and secretKey, and token for temporary keys`,
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

function unexpired(found: Keys, named: string): Keys {
  if (found.expiresAt === undefined || found.expiresAt > Date.now()) return found;
  throw missing(`${named} expired at ${new Date(found.expiresAt).toISOString()}: renew them`);
}

function missing(message: string): Failure {
  return new Failure({ service: 'bestframe', channel: 'local', code: CODES.NO_CREDENTIALS, sent: 'no' }, message);
}
