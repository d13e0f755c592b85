/**
 * Marks a failure with the dependency that was called, and with the owner of the file, link or object: the deployment or the
 * caller. Only failures with the deployment's own objects are evidence about the account. Otherwise one caller could close the
 * gate for everybody.
 */
import { type Evidence, Failure } from '../../domain/errors/failure.ts';
import { COS_CODES_ABOUT_KEYS, classify } from '../../domain/errors/index.ts';

/** Runs a step. If the step fails, marks the failure with the evidence. */
export async function concerning<T>(evidence: Evidence, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw error instanceof Failure ? mark(error, evidence) : error;
  }
}

/** Like `concerning`, for a stream. */
export async function* streamConcerning<T>(evidence: Evidence, stream: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* stream;
  } catch (error) {
    throw error instanceof Failure ? mark(error, evidence) : error;
  }
}

/**
 * A failure caused by the account's keys, by the clock or by settings is always attributed to the deployment, even if a caller's
 * file, link or object was in use.
 */
function mark(failure: Failure, evidence: Evidence): Failure {
  const oursAnyway = failure.sent !== 'answered' || COS_CODES_ABOUT_KEYS.has(failure.code);
  if (evidence.about === 'caller' && classify(failure).class === 'account' && oursAnyway) return failure;
  return failure.concerning(evidence);
}

/**
 * Whether a failure is evidence of trouble with the account. Only an answer to a FaceID call, or an answer about an object that
 * the deployment itself uploaded, can be such evidence.
 */
export function accusesAccount(failure: Failure): boolean {
  return failure.about === 'deployment' && failure.sent === 'answered' && classify(failure).class === 'account';
}
