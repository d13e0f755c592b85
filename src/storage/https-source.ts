/**
 * A resource behind a caller's https URL: read once into a file without a name, and streamed from there, so that what is
 * uploaded is what was hashed, whatever the URL answers the second time.
 */
import type { ResourceRule } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { OpenSource } from '../domain/ports.ts';
import type { HttpsSource } from '../domain/sources.ts';
import { retryAfter, reworded } from '../transport/cos-answers.ts';
import { withQuickRetries } from '../transport/retry.ts';
import type { Transport, TransportResponse } from '../transport/transport.ts';
import { contentProblem, md5Problem, sizeProblem, tooLarge } from './content.ts';
import { openedFile, throwIf } from './file-source.ts';
import { type Spooled, spool } from './spool.ts';

export async function openHttpsSource(
  from: HttpsSource,
  { transport, spoolDir }: { readonly transport: Transport; readonly spoolDir: string },
  rule: ResourceRule,
  field: string,
  signal: AbortSignal,
): Promise<OpenSource> {
  const checkSize = (sizeBytes: number) => {
    if (sizeBytes > rule.maxBytes) throw tooLarge(rule, field);
  };
  const spooled = await withQuickRetries(async () => {
    const response = await fetched(from.url, transport, field, signal);
    try {
      checkSize(Number(response.header('content-length') ?? 0));
    } catch (error) {
      await response.dump();
      throw error;
    }
    return spool(response.bytes(), spoolDir, checkSize);
  }, signal);
  return judged(spooled, from.md5, rule, field);
}

async function judged(
  { file, digest, head }: Spooled,
  md5: string | undefined,
  rule: ResourceRule,
  field: string,
): Promise<OpenSource> {
  try {
    throwIf(sizeProblem(digest.sizeBytes, rule, field));
    throwIf(contentProblem(head, rule, field));
    throwIf(md5Problem(digest.md5, md5, field));
    return openedFile(file, digest);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function fetched(
  url: string,
  transport: Transport,
  field: string,
  signal: AbortSignal,
): Promise<TransportResponse> {
  const headers = { accept: '*/*', 'accept-encoding': 'identity' };
  const response = await named(field, () =>
    transport.request({ method: 'GET', url, purpose: 'source', headers, signal }),
  );
  if (response.status === 200) return response;
  await response.dump();
  const { status } = response;
  const later = status >= 500 || status === 429 || status === 408;
  const facts = { service: 'source', channel: 'local', sent: 'answered', httpStatus: status, field } as const;
  if (later) {
    const message = `${field} cannot be had now: its server answered with status ${status}`;
    throw new Failure({ ...facts, code: CODES.SOURCE_UNAVAILABLE, ...retryAfter(response) }, message);
  }
  const message = `${field} cannot be read: its server answered with status ${status}; check that the URL is right and has not expired`;
  throw new Failure({ ...facts, code: CODES.SOURCE_HTTP }, message);
}

const CALLERS: ReadonlySet<string> = new Set([CODES.ADDRESS_FORBIDDEN, CODES.REDIRECT_REFUSED, CODES.NOT_HTTPS]);

/** The transport knows no field names: adds the one at fault to what is the caller's to mend. */
async function named<T>(field: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (!(error instanceof Failure) || !CALLERS.has(error.code)) throw error;
    throw reworded(error, error.code, `${field}: ${error.message}`, { service: 'source', field });
  }
}
