/** Checks TC3-HMAC-SHA256 signatures. Written from the published description, not from a client. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { ApiError } from './api-failure.ts';
import { checkTimestamp, checkToken, secretIdNotFound, signatureFailure } from './credential-checks.ts';
import type { Credentials } from './settings.ts';

const AUTHORIZATION =
  /^TC3-HMAC-SHA256 Credential=([^/,\s]+)\/(\d{4}-\d{2}-\d{2})\/([a-z0-9]+)\/tc3_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;

export interface Tc3SignedRequest {
  readonly method: string;
  readonly path: string;
  /** The query string without its question mark. */
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** @returns why the signature is refused, or null if it is valid. */
export function checkTc3Signature(
  request: Tc3SignedRequest,
  service: string,
  accepted: readonly Credentials[],
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
  const credentials = accepted.find((each) => each.secretId === secretId);
  if (credentials === undefined) return secretIdNotFound();
  const token = headers['x-tc-token'];
  const error =
    checkToken(credentials, token === undefined ? undefined : String(token), now) ?? checkTimestamp(timestamp, now);
  if (error !== null) return error;
  const names = signedHeaders.split(';');
  const isScopeValid =
    scope === service &&
    date === new Date(timestamp * 1000).toISOString().slice(0, 10) &&
    names.includes('content-type') &&
    names.includes('host');
  if (!isScopeValid) return signatureFailure();
  const credentialScope = `${date}/${service}/tc3_request`;
  const canonical = canonicalRequest(request, names);
  const toSign = ['TC3-HMAC-SHA256', timestamp, credentialScope, sha256(canonical)].join('\n');
  const signingKey = hmac(hmac(hmac(`TC3${credentials.secretKey}`, date), service), 'tc3_request');
  return timingSafeEqual(hmac(signingKey, toSign), Buffer.from(signature, 'hex')) ? null : signatureFailure();
}

function canonicalRequest({ method, path, query, headers, body }: Tc3SignedRequest, signedNames: string[]): string {
  return [
    method,
    path,
    query,
    // According to the description, header values are signed in lower case. The SDKs sign only headers whose values are in lower
    // case anyway.
    ...signedNames.map(
      (name) =>
        `${name}:${String(headers[name] ?? '')
          .trim()
          .toLowerCase()}`,
    ),
    '',
    signedNames.join(';'),
    headers['x-tc-content-sha256'] === 'UNSIGNED-PAYLOAD' ? sha256('UNSIGNED-PAYLOAD') : sha256(body),
  ].join('\n');
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}
