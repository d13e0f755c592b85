/**
 * Quick second tries of unpaid, idempotent HTTP inside one attempt: for the hiccup that is over in a moment. Whatever lasts
 * longer is the attempt's and its back-off's. Never around a paid call.
 */
import pRetry from 'p-retry';
import { CODES, classify } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import { abortFailure } from './abort.ts';

const RETRIES = 2;
const FIRST_WAIT_MS = 50;
const FACTOR = 4;

const HICCUPS: ReadonlySet<string> = new Set([
  CODES.RESET,
  CODES.CONNECT_REFUSED,
  CODES.CONNECT_TIMEOUT,
  CODES.DNS_FAILED,
  CODES.HTTP_5XX,
]);

/** @param signal ends the waiting too. */
export async function withQuickRetries<T>(operation: () => Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw abortFailure(signal, 'no');
  try {
    return await pRetry(operation, {
      retries: RETRIES,
      minTimeout: FIRST_WAIT_MS,
      factor: FACTOR,
      randomize: true,
      signal,
      shouldRetry: ({ error }) => isHiccup(error),
    });
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (signal.aborted) throw abortFailure(signal, 'maybe');
    throw error;
  }
}

/** Who asks for time gets it: that is the back-off's to give. */
function isHiccup(error: unknown): boolean {
  if (!(error instanceof Failure) || error.retryAfterMs !== undefined) return false;
  if (classify(error).class === 'throttled') return false;
  return HICCUPS.has(error.code) || (error.httpStatus !== undefined && error.httpStatus >= 500);
}
