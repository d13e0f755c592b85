/** TC3-HMAC-SHA256 as Tencent Cloud checks it. Written from the published description, not from the client. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { ApiError } from './api-fault.ts';
import { clockProblem, signatureFailure, tokenProblem, unknownId } from './identity.ts';
import type { Credentials } from './settings.ts';

const AUTHORIZATION =
  /^TC3-HMAC-SHA256 Credential=([^/,\s]+)\/(\d{4}-\d{2}-\d{2})\/([a-z0-9]+)\/tc3_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;

/** @returns what is wrong with the signature, or null. */
export function tc3Problem(
  request: { method: string; path: string; query: string; headers: IncomingHttpHeaders; body: Buffer },
  service: string,
  known: readonly Credentials[],
  now: number,
): ApiError | null {
  const { headers } = request;
  const parts = AUTHORIZATION.exec(headers.authorization ?? '');
  if (parts === null)
    return { code: 'AuthFailure.InvalidAuthorization', message: 'The Authorization header is not valid.' };
  const [, secretId = '', date = '', scope = '', signedHeaders = '', signature = ''] = parts;
  const timestamp = Number(headers['x-tc-timestamp']);
  if (!Number.isInteger(timestamp))
    return { code: 'MissingParameter', message: 'The header X-TC-Timestamp is missing.' };
  const keys = known.find((each) => each.secretId === secretId);
  if (keys === undefined) return unknownId();
  const token = headers['x-tc-token'];
  const problem =
    tokenProblem(keys, token === undefined ? undefined : String(token), now) ?? clockProblem(timestamp, now);
  if (problem !== null) return problem;
  const names = signedHeaders.split(';');
  const right =
    scope === service &&
    date === new Date(timestamp * 1000).toISOString().slice(0, 10) &&
    names.includes('content-type') &&
    names.includes('host');
  if (!right) return signatureFailure();
  const canonical = [
    request.method,
    request.path,
    request.query,
    // The description has values in lower case; the SDKs sign none that has another.
    ...names.map(
      (name) =>
        `${name}:${String(headers[name] ?? '')
          .trim()
          .toLowerCase()}`,
    ),
    '',
    signedHeaders,
    headers['x-tc-content-sha256'] === 'UNSIGNED-PAYLOAD' ? sha256('UNSIGNED-PAYLOAD') : sha256(request.body),
  ].join('\n');
  const toSign = ['TC3-HMAC-SHA256', timestamp, `${date}/${service}/tc3_request`, sha256(canonical)].join('\n');
  const signingKey = hmac(hmac(hmac(`TC3${keys.secretKey}`, date), service), 'tc3_request');
  return timingSafeEqual(hmac(signingKey, toSign), Buffer.from(signature, 'hex')) ? null : signatureFailure();
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}
