/**
 * Opens a resource at a caller's https URL. The resource is downloaded once into an unnamed file and streamed from that file, so
 * the uploaded bytes are the hashed bytes, whatever the URL returns later.
 */

import { Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { OpenSource } from '../../domain/ports.ts';
import type { HttpsSource } from '../../domain/verification/sources.ts';
import { USER_AGENT } from '../../domain/version.ts';
import { readRetryAfter, recodeFailure } from '../http/answer-failures.ts';
import { withQuickRetries } from '../http/quick-retries.ts';
import type { Transport, TransportResponse } from '../http/transport.ts';
import { ContentCheck, checkMaxSize, type Expectation } from './content-checks.ts';
import { sourceFromFile } from './file-source.ts';
import { spool } from './spool.ts';

interface HttpsSourceOptions extends Expectation {
  readonly transport: Transport;
  readonly spoolDir: string;
  /** Whether a redirect may be followed. Undefined: to every public host. */
  readonly allowsUrl?: ((url: URL) => boolean) | undefined;
}

export async function openHttpsSource(
  { url, md5 }: HttpsSource,
  options: HttpsSourceOptions,
  signal: AbortSignal,
): Promise<OpenSource> {
  const { file, digest, check } = await withQuickRetries(async () => {
    const response = await fetchSource(url, options, signal);
    try {
      checkMaxSize(Number(response.header('content-length') ?? 0), options);
    } catch (error) {
      await response.dump();
      throw error;
    }
    const folder = { path: options.spoolDir, kind: 'spool' } as const;
    const fresh = new ContentCheck(options);
    return { ...(await spool(fresh.watch(response.bytes()), folder)), check: fresh };
  }, signal);
  try {
    check.conclude(digest, md5);
    return sourceFromFile(file, digest);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function fetchSource(
  url: string,
  { transport, field, allowsUrl }: HttpsSourceOptions,
  signal: AbortSignal,
): Promise<TransportResponse> {
  const headers = { accept: '*/*', 'accept-encoding': 'identity' };
  const response = await withFieldName(field, () =>
    transport.request({
      method: 'GET',
      url,
      purpose: 'source',
      headers,
      signal,
      ...(allowsUrl === undefined ? {} : { allowsUrl }),
    }),
  );
  if (response.status === 200) return response;
  await response.dump();
  const { status } = response;
  const facts = { service: 'source', sent: 'answered', httpStatus: status, field } as const;
  if (status >= 500 || status === 429 || status === 408) {
    const message = `${field} is unavailable: its server answered with status ${status}; it will be requested again`;
    throw localFailure(CODES.SOURCE_UNAVAILABLE, message, { ...facts, ...readRetryAfter(response) });
  }
  const message = `${field} cannot be read: its server answered with status ${status}; check that the URL is right and has not expired, and that the server admits programs (User-Agent ${USER_AGENT})`;
  throw localFailure(CODES.SOURCE_HTTP, message, facts);
}

const CALLER_CODES: ReadonlySet<string> = new Set([CODES.ADDRESS_FORBIDDEN, CODES.REDIRECT_REFUSED, CODES.NOT_HTTPS]);

/** Adds the field's name to the failures that the caller must fix. The transport does not know the field. */
async function withFieldName<T>(field: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (!(error instanceof Failure) || !CALLER_CODES.has(error.code)) throw error;
    throw recodeFailure(error, error.code, `${field}: ${error.message}`, { service: 'source', field });
  }
}
