/** Sends signed requests to a bucket, and turns COS's error answers into Failures. */
import { Failure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { Region } from '../../domain/verification/regions.ts';
import { codeForStatus, readRetryAfter } from '../http/answer-failures.ts';
import type { Transport, TransportResponse } from '../http/transport.ts';
import { parseCosError } from './cos-xml.ts';
import { type LinkRequest, type SigningKeys, signLink } from './sign-link.ts';

export interface BucketAccess {
  /** The bucket's full name, `name-appid`. */
  readonly name: string;
  readonly region: Region;
  readonly credentials: SigningKeys;
  readonly transport: Transport;
}

export interface BucketRequest extends Pick<LinkRequest, 'method' | 'query' | 'headers'> {
  /** The object's key. If it is absent, the request concerns the bucket itself. */
  readonly key?: string;
  /** Defaults to the bucket's own region. */
  readonly region?: Region;
  /** Headers that are sent but not signed. */
  readonly unsignedHeaders?: Readonly<Record<string, string>>;
  readonly body?: AsyncIterable<Uint8Array>;
}

const LINK_TTL_MS = 5 * 60_000;
const ERROR_BODY_BYTES = 8 * 1024;

/** @returns the answer, whatever its status. */
export async function sendToBucket(
  { name, region, credentials, transport }: BucketAccess,
  request: BucketRequest,
  signal: AbortSignal,
): Promise<TransportResponse> {
  const { method, key = '', region: inRegion = region, unsignedHeaders, body, ...signed } = request;
  const place = { bucket: name, region: inRegion, key };
  const url = await signLink(credentials, { method, place, ttlMs: LINK_TTL_MS, ...signed });
  return transport.request({
    method,
    url,
    purpose: 'link',
    headers: { ...signed.headers, ...unsignedHeaders },
    ...(body === undefined ? {} : { body }),
    signal,
  });
}

/** Reads an error answer to its end. If COS names no error code, the Failure's code is derived from the status. */
export async function readCosFailure(response: TransportResponse): Promise<Failure> {
  const { code, message, ...error } = parseCosError(await readErrorText(response));
  const requestId = error.requestId ?? response.header('x-cos-request-id');
  return new Failure(
    {
      service: 'cos',
      channel: code === null ? 'local' : 'error',
      code: code ?? codeForStatus(response.status),
      sent: 'answered',
      httpStatus: response.status,
      ...(requestId === null ? {} : { requestId }),
      ...readRetryAfter(response),
    },
    message ?? `the storage answered with status ${response.status}`,
  );
}

/** An error text that cannot be read counts as empty: the status is enough to build the Failure. */
async function readErrorText(response: TransportResponse): Promise<string> {
  try {
    return await response.text(ERROR_BODY_BYTES);
  } catch (error) {
    if (error instanceof Failure && error.code !== CODES.ABORTED) return '';
    throw error;
  }
}
