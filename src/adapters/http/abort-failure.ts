/** Turns a fired AbortSignal into a Failure. */

import { Failure, localFailure, type Sent } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';

/** If the signal's reason is a Failure (a time limit, a lost lease), its code and message are used. */
export function abortFailure(signal: AbortSignal, sent: Sent): Failure {
  const { reason } = signal;
  const options = { service: 'http', sent, cause: reason } as const;
  if (reason instanceof Failure) return localFailure(reason.code, reason.message, options);
  return reason instanceof DOMException && reason.name === 'TimeoutError'
    ? localFailure(CODES.TIMEOUT, 'the operation took longer than its limit', options)
    : localFailure(CODES.ABORTED, 'the operation was aborted', options);
}
