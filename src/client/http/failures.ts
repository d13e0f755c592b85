/** Failures of the HTTP API: the same codes and messages that the client with Redis throws. */
import { CODES } from '../../domain/errors/codes.ts';
import { Failure, localFailure } from '../../domain/errors/failure.ts';

/** A problem document, or the problem in one result of a batch. */
export interface ApiProblem {
  readonly code: string;
  readonly detail: string;
  readonly field: string | null;
  readonly requestId?: string;
}

/** The Failure that a problem describes. @param response absent for a problem inside a batch's result. */
export function apiFailure({ code, detail, field, requestId }: ApiProblem, response?: Response): Failure {
  const retryAfterS = Number(response?.headers.get('retry-after') ?? Number.NaN);
  return localFailure(code, detail, {
    ...(field === null ? {} : { field }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(response === undefined ? {} : { httpStatus: response.status }),
    ...(Number.isFinite(retryAfterS) ? { retryAfterMs: retryAfterS * 1_000 } : {}),
  });
}

/** A Failure with `sent: 'maybe'`, because the API may have carried out the request. */
export function apiUnavailable(
  problem: string,
  { cause, httpStatus }: { cause?: unknown; httpStatus?: number },
): Failure {
  const message = `the HTTP API cannot be reached (${problem}): check that it runs and that url is correct`;
  const status = httpStatus === undefined ? {} : { httpStatus };
  return localFailure(CODES.API_UNAVAILABLE, message, { sent: 'maybe', ...status, cause });
}

export function hasCode(error: unknown, code: string): error is Failure {
  return error instanceof Failure && error.code === code;
}

/** Whether the error means that there is no such verification. A malformed id counts as not found. */
export function isNotFound(error: unknown): boolean {
  if (hasCode(error, CODES.RECORD_MISSING) || hasCode(error, CODES.KEY_GONE)) return true;
  return hasCode(error, CODES.MALFORMED_REQUEST) && error.field === 'id';
}

/** @param code an additional code that counts as not found. @returns the response, or null if not found. */
export async function orNull<T>(response: Promise<T>, code?: string): Promise<T | null> {
  try {
    return await response;
  } catch (error) {
    if (isNotFound(error) || (code !== undefined && hasCode(error, code))) return null;
    throw error;
  }
}
