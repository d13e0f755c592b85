/** Turns the errors of sockets, undici and signals into a Failure. */
import { errors } from 'undici';
import { Failure, localFailure, type Sent } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { abortFailure } from './abort-failure.ts';

/**
 * @param sent whether bytes of the request may have been sent: `maybe` as soon as the request has a connection.
 * @param httpStatus status of the response, if the response headers had arrived.
 */
export function transportFailure(error: unknown, signal: AbortSignal, sent: Sent, httpStatus?: number): Failure {
  if (signal.aborted) return abortFailure(signal, sent);
  if (error instanceof Failure) return error;
  const [code, message] = describeError(error);
  const status = httpStatus === undefined ? {} : { httpStatus };
  return localFailure(code, message, { service: 'http', sent, ...status, cause: error });
}

function describeError(error: unknown): readonly [code: string, message: string] {
  if (error instanceof errors.HeadersTimeoutError) return [CODES.TIMEOUT, 'the server took too long to answer'];
  if (error instanceof errors.BodyTimeoutError)
    return [CODES.TIMEOUT, 'the server stalled in the middle of its answer'];
  if (error instanceof errors.HeadersOverflowError)
    return [CODES.MALFORMED_REPLY, 'the headers of the answer are larger than 16 KiB'];
  if (error instanceof errors.HTTPParserError) return [CODES.MALFORMED_REPLY, 'the answer is not valid HTTP'];
  if (error instanceof errors.RequestContentLengthMismatchError) {
    return [CODES.SOURCE_CHANGED, 'the body does not have the announced length: the source changed during the upload'];
  }
  if (error instanceof errors.ClientClosedError || error instanceof errors.ClientDestroyedError) {
    return [CODES.ABORTED, 'the transport was closed'];
  }
  if (isSocketError(error)) return [CODES.RESET, 'the connection broke before the answer was complete'];
  return [CODES.INTERNAL, 'an unexpected error in the HTTP transport'];
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
