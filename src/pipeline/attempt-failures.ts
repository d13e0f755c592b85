/** Failures that an attempt itself detects: a passed deadline, a stage that takes too long, a slow host. */
import { type Failure, localFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';

/** Longest wait before a slow host is called again. */
const MAX_BUSY_MS = 15_000;

export function deadlinePassed(): Failure {
  return localFailure(CODES.DEADLINE_EXCEEDED, 'the deadline passed before there was an answer');
}

export function stageTimeout(stage: string): Failure {
  return localFailure(CODES.TIMEOUT, `${stage} took longer than its limit`);
}

/**
 * A Failure for a source whose host is slow. The wait before the next run doubles with each run. @param starts number of runs of
 * this verification so far.
 */
export function sourceBusy(starts: number): Failure {
  const retryAfterMs = Math.min(1_000 * 2 ** (starts - 1), MAX_BUSY_MS) * (0.75 + Math.random() / 2);
  const message = 'the host of a source is slow, and its share of this worker is in use: it is asked again later';
  return localFailure(CODES.SOURCE_BUSY, message, { service: 'source', retryAfterMs: Math.round(retryAfterMs) });
}
