/**
 * HmacSHA1 and HmacSHA256, the older way to sign requests to Tencent Cloud, which some SDKs still use by default: what is
 * asked, by whom and the signature are all fields of one form. Written from the published description.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { ApiError } from './api-fault.ts';
import { clockProblem, signatureFailure, tokenProblem, unknownId } from './identity.ts';
import type { Credentials } from './settings.ts';

const HASHES: Readonly<Record<string, string>> = { HmacSHA1: 'sha1', HmacSHA256: 'sha256' };

/** @returns what is wrong with the signature, or null. */
export function classicProblem(
  { method, host, path, fields }: { method: string; host: string; path: string; fields: URLSearchParams },
  known: readonly Credentials[],
  now: number,
): ApiError | null {
  for (const name of ['SecretId', 'Timestamp', 'Nonce', 'Signature']) {
    if (!fields.get(name))
      return { code: 'MissingParameter', message: `The request is missing the required parameter \`${name}\`.` };
  }
  const keys = known.find(({ secretId }) => secretId === fields.get('SecretId'));
  if (keys === undefined) return unknownId();
  const problem =
    tokenProblem(keys, fields.get('Token') ?? undefined, now) ?? clockProblem(Number(fields.get('Timestamp')), now);
  if (problem !== null) return problem;
  const hash = HASHES[fields.get('SignatureMethod') ?? 'HmacSHA1'];
  if (hash === undefined) return signatureFailure();
  const sorted = [...fields].filter(([name]) => name !== 'Signature').sort(([a], [b]) => (a < b ? -1 : 1));
  const text = `${method}${host}${path}?${sorted.map(([name, value]) => `${name}=${value}`).join('&')}`;
  const expected = createHmac(hash, keys.secretKey).update(text).digest();
  const signature = Buffer.from(fields.get('Signature') ?? '', 'base64');
  return signature.length === expected.length && timingSafeEqual(signature, expected) ? null : signatureFailure();
}
