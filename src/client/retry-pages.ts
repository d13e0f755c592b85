/** Retries a selection page by page. Both clients use it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CODES } from '../domain/errors/codes.ts';
import { inputFailure } from '../domain/errors/failure.ts';
import { isStarted, type RetryRequest, type RetryResult } from '../domain/operations/retries.ts';
import type { RetryOptions } from './contract.ts';

export const DEFAULT_RETRY_RATE = 10;
/** Maximum number of verifications in one page. */
export const MAX_RETRY_PAGE = 100;

/** A page of a selection. `cursor`: where the next page begins; null on the last page. */
export interface RetryPage {
  readonly results: readonly RetryResult[];
  readonly cursor: string | null;
}

export interface RetryPageRequest extends RetryRequest {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/**
 * Retries a selection page by page, with waits in between, so that on average at most `rate` verifications per second start
 * again. A page starts at most `rate` verifications at once.
 * @param wait waits between two pages; tests replace it.
 * @throws Failure MALFORMED_REQUEST, naming the field; the signal's reason
 */
export async function retryInPages(
  request: RetryRequest,
  { rate = DEFAULT_RETRY_RATE, onProgress, signal }: RetryOptions,
  readPage: (page: RetryPageRequest) => Promise<RetryPage>,
  wait: (ms: number) => Promise<unknown> = (ms) => sleepUnlessAborted(ms, signal),
): Promise<RetryResult[]> {
  if (!(rate > 0)) throw inputFailure(CODES.MALFORMED_REQUEST, 'rate', 'rate is not above 0: give a number per second');
  const dryRun = request.dryRun === true;
  const limit = dryRun ? MAX_RETRY_PAGE : Math.min(Math.max(Math.floor(rate), 1), MAX_RETRY_PAGE);
  const results: RetryResult[] = [];
  let owedMs = 0;
  async function next(page: Partial<RetryPageRequest>): Promise<string | undefined> {
    if (owedMs > 0) await wait(owedMs);
    signal?.throwIfAborted();
    const { results: more, cursor } = await readPage({ ...request, ...page, limit });
    results.push(...more);
    owedMs = dryRun ? 0 : (1_000 * more.filter(isStarted).length) / rate;
    if (more.length > 0) onProgress?.(results.length);
    return cursor ?? undefined;
  }

  const { ids } = request;
  if (ids === undefined) {
    let cursor: string | undefined;
    do cursor = await next({ cursor });
    while (cursor !== undefined);
  } else {
    for (let start = 0; start < ids.length; start += limit) await next({ ids: ids.slice(start, start + limit) });
  }
  return results;
}

async function sleepUnlessAborted(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
