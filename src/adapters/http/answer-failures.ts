/** Turns an HTTP error status into a Failure, regardless of the server that sent it. */

import { type Channel, Failure, type Service } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';

/** True if the same request would be refused again. 429 and 5xx are not permanent. */
export function isPermanentRefusal(failure: Failure): boolean {
  const status = failure.httpStatus ?? 0;
  return failure.sent === 'answered' && status >= 300 && status < 500 && status !== 429;
}

/** Copies a Failure and replaces code and message. The new ones say what the failure means for the caller's request. */
export function recodeFailure(
  failure: Failure,
  code: string,
  message: string,
  more: { readonly service?: Service; readonly channel?: Channel; readonly field?: string } = {},
): Failure {
  const { service, sent, requestId, httpStatus, retryAfterMs } = failure;
  return new Failure(
    {
      service,
      channel: 'local',
      code,
      sent,
      ...(requestId === undefined ? {} : { requestId }),
      ...(httpStatus === undefined ? {} : { httpStatus }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...more,
    },
    message,
    { cause: failure },
  );
}

/** The code for an error answer that contains no error code. */
export function codeForStatus(status: number): string {
  if (status === 429) return CODES.HTTP_429;
  if (status >= 500) return CODES.HTTP_5XX;
  return status >= 400 ? CODES.HTTP_4XX : CODES.HTTP_3XX;
}

/** Reads `Retry-After`, in seconds or as a date, as ms from now. Empty if the header is absent or the time has passed. */
export function readRetryAfter(response: { header(name: string): string | null }): { retryAfterMs?: number } {
  const text = response.header('retry-after');
  if (text === null) return {};
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? { retryAfterMs: ms } : {};
}
