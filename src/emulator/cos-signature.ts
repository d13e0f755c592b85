/**
 * COS request signatures (q-sign-algorithm=sha1), in a header or a link, made and checked. From the published description.
 * Lists of names come encoded once in a header and, from links of the COS SDK, once more; both are the same list here.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Credentials } from './settings.ts';

/** Ahead of the vendor's clock by more than this is a wrong clock. */
const SKEW_S = 900;

export interface CosError {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface SignedRequest {
  readonly method: string;
  /** Decoded, with the leading slash. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

/** @returns what is wrong with the signature, or null. No signature at all is wrong too: all buckets are private. */
export function cosProblem(request: SignedRequest, known: readonly Credentials[], now: number): CosError | null {
  const given = request.headers.authorization;
  const fields = given === undefined ? request.query : new URLSearchParams(given.replaceAll('+', '%2B'));
  if (fields.get('q-sign-algorithm') !== 'sha1') return denied('AccessDenied', 'Access Denied.');
  const keys = known.find(({ secretId }) => secretId === fields.get('q-ak'));
  if (keys === undefined)
    return denied('InvalidAccessKeyId', 'The Access Key Id you provided does not exist in our records');
  const token = request.headers['x-cos-security-token'] ?? request.query.get('x-cos-security-token') ?? undefined;
  if (keys.token !== token)
    return denied('InvalidAccessKeyId', 'The security token does not belong to this Access Key Id');
  if (keys.expiresAt !== undefined && keys.expiresAt <= now)
    return { status: 400, code: 'ExpiredToken', message: 'The provided token has expired.' };
  const signTime = fields.get('q-sign-time') ?? '';
  const keyTime = fields.get('q-key-time') ?? '';
  const [from = Number.NaN, until = Number.NaN] = signTime.split(';').map(Number);
  if (!(from <= until)) return denied('AccessDenied', 'The sign time is malformed.');
  const seconds = now / 1000;
  if (from > seconds + SKEW_S)
    return denied('RequestTimeTooSkewed', 'The difference between the request time and the current time is too large.');
  if (until < seconds) return denied('AccessDenied', 'Request has expired');
  const headers = listed(fields, 'q-header-list');
  const parameters = listed(fields, 'q-url-param-list');
  const expected = signatureOf(request, keys.secretKey, signTime, keyTime, headers, parameters);
  const signature = Buffer.from(fields.get('q-signature') ?? '', 'hex');
  // One that is signed and not there would count as empty: a link to ?acl would be one to the bucket as well.
  const present = new Set([...request.query.keys()].map((name) => name.toLowerCase()));
  const complete = parameters.every((name) => present.has((decoded(name) ?? name).toLowerCase()));
  if (complete && signature.length === expected.length && timingSafeEqual(signature, expected)) return null;
  return denied(
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match the signature you provided.',
  );
}

/** A link for one method and object that signs only `host`, as CreateUploadUrl hands them out. */
export function signedLink(
  method: string,
  host: string,
  key: string,
  keys: Credentials,
  from: number,
  until: number,
): string {
  const time = `${Math.floor(from / 1000)};${Math.floor(until / 1000)}`;
  const request = { method, path: `/${key}`, query: new URLSearchParams(), headers: { host } };
  const signature = signatureOf(request, keys.secretKey, time, time, ['host'], []).toString('hex');
  const encoded = encodeURIComponent(time);
  const fields = [
    'q-sign-algorithm=sha1',
    `q-ak=${keys.secretId}`,
    `q-sign-time=${encoded}`,
    `q-key-time=${encoded}`,
    'q-header-list=host',
    'q-url-param-list=',
    `q-signature=${signature}`,
  ];
  return `https://${host}/${encodeURIComponent(key)}?${fields.join('&')}`;
}

function signatureOf(
  request: SignedRequest,
  secretKey: string,
  signTime: string,
  keyTime: string,
  headerNames: readonly string[],
  parameterNames: readonly string[],
): Buffer {
  const parameters = new Map([...request.query].map(([name, value]) => [name.toLowerCase(), value]));
  const format = [
    request.method.toLowerCase(),
    request.path,
    canonical(parameterNames, (name) => parameters.get(name) ?? ''),
    canonical(headerNames, (name) => String(request.headers[name] ?? '')),
    '',
  ].join('\n');
  const digest = createHash('sha1').update(format).digest('hex');
  const signKey = createHmac('sha1', secretKey).update(keyTime).digest('hex');
  return createHmac('sha1', signKey).update(`sha1\n${signTime}\n${digest}\n`).digest();
}

function canonical(names: readonly string[], value: (name: string) => string): string {
  return names
    .map((name) => decoded(name) ?? name)
    .map((name) => `${escaped(name).toLowerCase()}=${escaped(value(name))}`)
    .join('&');
}

/** @returns null where it is no percent encoding. */
export function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function escaped(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function listed(fields: URLSearchParams, name: string): string[] {
  return (fields.get(name) ?? '').split(';').filter((each) => each !== '');
}

function denied(code: string, message: string): CosError {
  return { status: 403, code, message };
}
