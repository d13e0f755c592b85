/**
 * Retries unpaid, idempotent HTTP requests a few times within one attempt, to bridge short hiccups. If a fault lasts longer, the
 * attempt fails and is repeated after a back-off. Never wrap a paid call in this.
 */
import pRetry from 'p-retry';
import { Failure } from '../../domain/errors/failure.ts';
import { CODES, classify } from '../../domain/errors/index.ts';
import { abortFailure } from './abort-failure.ts';

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

/** @param signal ends the operation and the wait between two tries. */
export async function withQuickRetries<T>(operation: () => Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw abortFailure(signal, 'no');
  let first: unknown;
  try {
    return await operation(); // outside p-retry, whose listeners and timers cost more than a quick request
  } catch (error) {
    first = error;
  }
  try {
    return await pRetry(async (attempt) => (attempt === 1 ? Promise.reject(first) : operation()), {
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

/** Whether a quick retry may help. After throttling or a Retry-After answer only the attempt's longer back-off helps. */
function isHiccup(error: unknown): boolean {
  if (!(error instanceof Failure) || error.retryAfterMs !== undefined) return false;
  if (classify(error).class === 'throttled') return false;
  return HICCUPS.has(error.code) || (error.httpStatus !== undefined && error.httpStatus >= 500);
}
