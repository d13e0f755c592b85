/**
 * Signs links for COS's default domain, one method and one object. The COS SDK is used only to sign, so only its module that signs
 * is loaded: its main module also loads an HTTP client of 150 files. The signature covers `host` and the named headers, so a PUT
 * may add Content-MD5.
 *
 * What must hold: a key that a URL cannot carry unchanged is never signed. COS would answer `SignatureDoesNotMatch`, which would
 * look as if the account's keys were wrong. And no link gets an expiry time after that of the temporary keys that sign it.
 */
/// <reference path="./cos-sdk.d.ts" />
import cosSdk from 'cos-nodejs-sdk-v5/sdk/util.js';
import { localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { ObjectPlace } from '../../domain/verification/outcomes.ts';

/** The part of a credentials provider that signing needs. */
export interface SigningKeys {
  /** @param lifeMs how long the keys should live, if their source can renew them. */
  get(lifeMs?: number): Promise<{
    readonly secretId: string;
    readonly secretKey: string;
    readonly token?: string;
    readonly expiresAt?: number;
  }>;
}

export type Method = 'GET' | 'PUT' | 'DELETE' | 'HEAD';

export interface LinkRequest {
  readonly method: Method;
  /** The object. If its key is empty, the bucket itself. */
  readonly place: ObjectPlace;
  readonly ttlMs: number;
  /** Query parameters that select a setting of the bucket or a version of the object. The signature covers the parameters. */
  readonly query?: Readonly<Record<string, string>>;
  /** Headers to sign in addition to `host`. */
  readonly headers?: Readonly<Record<string, string>>;
}

export async function signLink(keys: SigningKeys, { method, place, ttlMs, ...more }: LinkRequest): Promise<string> {
  const { secretId, secretKey, token, expiresAt = Number.POSITIVE_INFINITY } = await keys.get(ttlMs);
  const now = Date.now();
  const startS = Math.floor(now / 1000);
  // The source was asked for keys that live as long as the link. If it cannot renew its keys, the link expires with the keys.
  const endS = Math.max(startS + 1, Math.min(Math.ceil((now + ttlMs) / 1000), Math.floor(expiresAt / 1000)));
  const link = unsignedLink(place);
  refuseRewrittenKey(link, place.key);
  const signature = cosSdk.getAuth({
    SecretId: secretId,
    SecretKey: secretKey,
    Method: method as 'GET', // the SDK's types lack HEAD, although it signs HEAD too
    Bucket: place.bucket,
    Region: place.region,
    Pathname: `/${place.key}`,
    // Given as times: from a lifetime, the SDK counts from a rounded second, and the link may outlive its keys by half a second.
    // The link is valid from one second ago, for a COS clock that is slightly behind.
    KeyTime: `${startS - 1};${endS}`,
    ...(more.query === undefined ? {} : { Query: { ...more.query } }),
    ...(more.headers === undefined ? {} : { Headers: { ...more.headers } }),
  });
  const query = Object.entries(more.query ?? {}).map(([name, value]) =>
    value === '' ? name : `${name}=${encodeURIComponent(value)}`,
  );
  const session = token === undefined ? '' : `&x-cos-security-token=${encodeURIComponent(token)}`;
  return `${link}?${[...query, signature].join('&')}${session}`;
}

/** The URL that anyone can request, without a signature. */
export function unsignedLink({ bucket, region, key }: ObjectPlace): string {
  return `https://${bucket}.cos.${region}.myqcloud.com/${escapeKey(key)}`;
}

/** Throws if URL parsing changes the key. Input validation refuses such keys, but an older version may have accepted one. */
function refuseRewrittenKey(link: string, key: string): void {
  if (new URL(link).pathname === `/${escapeKey(key)}`) return;
  const message = 'an object key has a segment "." or "..", which is rewritten on the way to COS: use another key';
  throw localFailure(CODES.INVALID_VERIFICATION, message, { service: 'cos', sent: 'no' });
}

/** Escapes a key the way the SDK does. */
function escapeKey(key: string): string {
  const percent = (char: string) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(key)
    .replace(/%2F/g, '/')
    .replace(/[!'()*]/g, percent);
}
