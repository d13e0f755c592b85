/** Whatever sockets, undici and signals throw, as the one error type. */
import { errors } from 'undici';
import { CODES } from '../domain/errors/index.ts';
import { Failure, type Sent } from '../domain/failure.ts';
import { abortFailure } from './abort.ts';

/**
 * @param sent what is known of the request at this point: `maybe` once a connection was there.
 * @param status of the answer, where its headers had arrived.
 */
export function failureOf(error: unknown, signal: AbortSignal, sent: Sent, status?: number): Failure {
  const facts = {
    service: 'http',
    channel: 'local',
    sent,
    ...(status === undefined ? {} : { httpStatus: status }),
  } as const;
  if (signal.aborted) return abortFailure(signal, sent);
  if (error instanceof Failure) return error;
  const fail = (code: string, message: string) => new Failure({ ...facts, code }, message, { cause: error });
  if (error instanceof errors.HeadersTimeoutError) return fail(CODES.TIMEOUT, 'the server took too long to answer');
  if (error instanceof errors.BodyTimeoutError)
    return fail(CODES.TIMEOUT, 'the server stopped in the middle of its answer');
  if (error instanceof errors.HTTPParserError) return fail(CODES.MALFORMED_REPLY, 'the answer is not HTTP');
  if (error instanceof errors.RequestContentLengthMismatchError) {
    return fail(CODES.SOURCE_CHANGED, 'the body is not as long as was said: the source changed while it was sent');
  }
  if (error instanceof errors.ClientClosedError || error instanceof errors.ClientDestroyedError) {
    return fail(CODES.ABORTED, 'the transport was closed');
  }
  if (isSocketError(error)) return fail(CODES.RESET, 'the connection broke before the answer was complete');
  return fail(CODES.INTERNAL, 'an unexpected error in the HTTP transport');
}

const SOCKET_CODES = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNABORTED',
  'ETIMEDOUT',
  'ERR_STREAM_PREMATURE_CLOSE',
  'EPROTO',
]);

function isSocketError(error: unknown): boolean {
  if (error instanceof errors.SocketError || error instanceof errors.ResponseContentLengthMismatchError) return true;
  if (error instanceof errors.RequestAbortedError) return true;
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false;
  return SOCKET_CODES.has(error.code) || error.code.startsWith('ERR_SSL_') || error.code.startsWith('ERR_TLS_');
}
