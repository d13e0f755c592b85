/**
 * HmacSHA1 and HmacSHA256: Tencent Cloud's older signature schemes, which some SDKs still use by default. Parameters,
 * credentials and signature are all fields of one form. Written from the published description, not from a client.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { ApiError } from './api-failure.ts';
import { checkTimestamp, checkToken, secretIdNotFound, signatureFailure } from './credential-checks.ts';
import type { Credentials } from './settings.ts';

const HASHES: Readonly<Record<string, string>> = { HmacSHA1: 'sha1', HmacSHA256: 'sha256' };

export interface ClassicSignedRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly fields: URLSearchParams;
}

/** @returns why the signature is refused, or null if it is valid. */
export function checkClassicSignature(
  { method, host, path, fields }: ClassicSignedRequest,
  accepted: readonly Credentials[],
  now: number,
): ApiError | null {
  for (const name of ['SecretId', 'Timestamp', 'Nonce', 'Signature']) {
    if (!fields.get(name))
      return { code: 'MissingParameter', message: `The request is missing the required parameter \`${name}\`.` };
  }
  const credentials = accepted.find(({ secretId }) => secretId === fields.get('SecretId'));
  if (credentials === undefined) return secretIdNotFound();
  const error =
    checkToken(credentials, fields.get('Token') ?? undefined, now) ??
    checkTimestamp(Number(fields.get('Timestamp')), now);
  if (error !== null) return error;
  const hash = HASHES[fields.get('SignatureMethod') ?? 'HmacSHA1'];
  if (hash === undefined) return signatureFailure();
  const sorted = [...fields].filter(([name]) => name !== 'Signature').sort(([a], [b]) => (a < b ? -1 : 1));
  const text = `${method}${host}${path}?${sorted.map(([name, value]) => `${name}=${value}`).join('&')}`;
  const expected = createHmac(hash, credentials.secretKey).update(text).digest();
  const signature = Buffer.from(fields.get('Signature') ?? '', 'base64');
  return signature.length === expected.length && timingSafeEqual(signature, expected) ? null : signatureFailure();
}
