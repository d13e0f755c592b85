/** A signal that fired, as the one error type. */
import { CODES } from '../domain/errors/index.ts';
import { Failure, type Sent } from '../domain/failure.ts';

/** Why it was given up: the reason where it is a Failure (a time limit, a lost lease), else just that. */
export function abortFailure(signal: AbortSignal, sent: Sent): Failure {
  const { reason } = signal;
  const why = reason instanceof Failure ? reason : null;
  const timeout = reason instanceof DOMException && reason.name === 'TimeoutError';
  const code = why?.code ?? (timeout ? CODES.TIMEOUT : CODES.ABORTED);
  const message = why?.message ?? (timeout ? 'it took longer than its limit' : 'it was given up');
  return new Failure({ service: 'http', channel: 'local', code, sent }, message, { cause: reason });
}
