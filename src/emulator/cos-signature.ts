/**
 * Creates and checks COS request signatures (q-sign-algorithm=sha1), in a header or a link. Written from the published
 * description. Name lists are URL-encoded once in headers and twice in the COS SDK's links; both forms are accepted.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { accessDenied, type CosError } from './cos-error.ts';
import type { Credentials } from './settings.ts';

/** How far a signature may start ahead of the vendor's clock. */
const MAX_SKEW_S = 900;

export interface SignableRequest {
  readonly method: string;
  /** Decoded, with the leading slash. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

/** What a signature covers, and for how long. Times are `start;end` in seconds since 1970. */
interface SignatureTerms {
  readonly signTime: string;
  readonly keyTime: string;
  readonly headerNames: readonly string[];
  readonly parameterNames: readonly string[];
}

/** @returns why the signature is refused, or null if it is valid. An unsigned request is refused. */
export function checkCosSignature(
  request: SignableRequest,
  accepted: readonly Credentials[],
  now: number,
): CosError | null {
  const { authorization } = request.headers;
  const fields =
    authorization === undefined ? request.query : new URLSearchParams(authorization.replaceAll('+', '%2B'));
  if (fields.get('q-sign-algorithm') !== 'sha1') return accessDenied('Access Denied.');
  const credentials = accepted.find(({ secretId }) => secretId === fields.get('q-ak'));
  if (credentials === undefined)
    return denied('InvalidAccessKeyId', 'The Access Key Id you provided does not exist in our records');
  const token = request.headers['x-cos-security-token'] ?? request.query.get('x-cos-security-token') ?? undefined;
  if (credentials.token !== token)
    return denied('InvalidAccessKeyId', 'The security token does not belong to this Access Key Id');
  if (credentials.expiresAt !== undefined && credentials.expiresAt <= now)
    return { status: 400, code: 'ExpiredToken', message: 'The provided token has expired.' };
  const terms: SignatureTerms = {
    signTime: fields.get('q-sign-time') ?? '',
    keyTime: fields.get('q-key-time') ?? '',
    headerNames: readList(fields, 'q-header-list'),
    parameterNames: readList(fields, 'q-url-param-list'),
  };
  const error = checkSignTime(terms.signTime, now);
  if (error !== null) return error;
  const expected = sign(request, credentials.secretKey, terms);
  const signature = Buffer.from(fields.get('q-signature') ?? '', 'hex');
  // In a signature, an absent parameter equals an empty one. Without this check, a link to ?acl would also be valid for the
  // bucket itself.
  const present = new Set([...request.query.keys()].map((name) => name.toLowerCase()));
  const isComplete = terms.parameterNames.every((name) => present.has((percentDecode(name) ?? name).toLowerCase()));
  if (isComplete && signature.length === expected.length && timingSafeEqual(signature, expected)) return null;
  return denied(
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match the signature you provided.',
  );
}

function checkSignTime(signTime: string, now: number): CosError | null {
  const [from = Number.NaN, until = Number.NaN] = signTime.split(';').map(Number);
  if (!(from <= until)) return accessDenied('The sign time is malformed.');
  const seconds = now / 1000;
  if (from > seconds + MAX_SKEW_S)
    return denied('RequestTimeTooSkewed', 'The difference between the request time and the current time is too large.');
  return until < seconds ? accessDenied('Request has expired') : null;
}

export interface LinkOptions {
  readonly method: string;
  readonly host: string;
  readonly key: string;
  readonly credentials: Credentials;
  /** ms since 1970. */
  readonly validFrom: number;
  /** ms since 1970. */
  readonly validUntil: number;
}

/** A link for one method and one object. Like the links of CreateUploadUrl, it has a signature over `host` alone. */
export function createSignedLink({ method, host, key, credentials, validFrom, validUntil }: LinkOptions): string {
  const time = `${Math.floor(validFrom / 1000)};${Math.floor(validUntil / 1000)}`;
  const request = { method, path: `/${key}`, query: new URLSearchParams(), headers: { host } };
  const terms = { signTime: time, keyTime: time, headerNames: ['host'], parameterNames: [] };
  const signature = sign(request, credentials.secretKey, terms).toString('hex');
  const encodedTime = encodeURIComponent(time);
  const fields = [
    'q-sign-algorithm=sha1',
    `q-ak=${credentials.secretId}`,
    `q-sign-time=${encodedTime}`,
    `q-key-time=${encodedTime}`,
    'q-header-list=host',
    'q-url-param-list=',
    `q-signature=${signature}`,
  ];
  return `https://${host}/${encodeURIComponent(key)}?${fields.join('&')}`;
}

function sign(request: SignableRequest, secretKey: string, terms: SignatureTerms): Buffer {
  const parameters = new Map([...request.query].map(([name, value]) => [name.toLowerCase(), value]));
  const format = [
    request.method.toLowerCase(),
    request.path,
    canonicalPairs(terms.parameterNames, (name) => parameters.get(name) ?? ''),
    canonicalPairs(terms.headerNames, (name) => String(request.headers[name] ?? '')),
    '',
  ].join('\n');
  const digest = createHash('sha1').update(format).digest('hex');
  const signKey = createHmac('sha1', secretKey).update(terms.keyTime).digest('hex');
  return createHmac('sha1', signKey).update(`sha1\n${terms.signTime}\n${digest}\n`).digest();
}

function canonicalPairs(names: readonly string[], readValue: (name: string) => string): string {
  return names
    .map((name) => percentDecode(name) ?? name)
    .map((name) => `${percentEncode(name).toLowerCase()}=${percentEncode(readValue(name))}`)
    .join('&');
}

/** @returns null if the text is not valid percent-encoding. */
export function percentDecode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function readList(fields: URLSearchParams, name: string): string[] {
  return (fields.get(name) ?? '').split(';').filter((each) => each !== '');
}

function denied(code: string, message: string): CosError {
  return { status: 403, code, message };
}
