/**
 * Turns the errors of a call through the SDK into a Failure.
 *
 * `sent` tells whether the call may have been billed. `no`: the request never got a connection, or its last byte never left.
 * `answered`: the API answered, or a status below 500 shows that the request did not reach it. `maybe`: everything else, such as a
 * 5xx (a gateway may have lost the answer of a completed call), a cut or unreadable answer, or a reset.
 */
import { z } from 'zod';
import { Failure, localFailure, type Sent } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { describeShape } from '../../domain/verification/reply-shape.ts';
import { abortFailure } from '../http/abort-failure.ts';
import { codeForStatus, readRetryAfter } from '../http/answer-failures.ts';
import type { CallAgent } from './call-agent.ts';

/** The SDK's exception for an error answer. The SDK does not check the vendor's values, so `code` may be anything. */
const sdkError = z.object({ code: z.string(), requestId: z.string().min(1), message: z.string() });

export function callFailure(error: unknown, agent: CallAgent, signal: AbortSignal): Failure {
  const { connected, isIncomplete, response } = agent;
  const sent: Sent = connected && !isIncomplete ? 'maybe' : 'no';
  const status = response?.statusCode;
  if (response !== null && status !== undefined && status !== 200) return statusFailure(error, status, agent);
  const { data: answer } = sdkError.safeParse(error);
  if (answer !== undefined) return apiFailure(answer.code, answer.requestId, answer.message, agent);
  const fail = (code: string, message: string) =>
    localFailure(code, message, { service: 'faceid', sent, ...httpStatusOf(agent), cause: error });
  if (signal.aborted) {
    const { code, message } = abortFailure(signal, sent);
    return fail(code, message);
  }
  if (response?.complete) return fail(CODES.MALFORMED_REPLY, 'the vendor’s answer cannot be read');
  if (agent.error instanceof Failure) return agent.error;
  if (connected) return fail(CODES.RESET, 'the connection broke before the vendor’s answer was complete');
  return fail(CODES.INTERNAL, 'the call failed before it was sent');
}

function statusFailure(cause: unknown, httpStatus: number, agent: CallAgent): Failure {
  const sent: Sent = httpStatus >= 500 ? 'maybe' : 'answered';
  const message = `the vendor’s server answered with status ${httpStatus}`;
  return localFailure(codeForStatus(httpStatus), message, {
    service: 'faceid',
    sent,
    httpStatus,
    ...retryAfterOf(agent),
    cause,
  });
}

/** The failure for a normal answer that lacks a required field. The call may have been billed. */
export function replyShapeFailure(reply: unknown, agent: CallAgent): Failure {
  const requestId = reply !== null && typeof reply === 'object' && 'RequestId' in reply ? reply.RequestId : undefined;
  const known = typeof requestId === 'string' ? { requestId } : {};
  return localFailure(CODES.REPLY_SHAPE, 'the vendor’s answer lacks a field that it needs', {
    service: 'faceid',
    sent: 'maybe',
    shape: describeShape(reply),
    ...known,
    ...httpStatusOf(agent),
  });
}

function apiFailure(code: string, requestId: string, message: string, agent: CallAgent): Failure {
  const facts = { service: 'faceid', channel: 'error', code, sent: 'answered', requestId, httpStatus: 200 } as const;
  return new Failure({ ...facts, ...retryAfterOf(agent) }, `${message}${clockNote(code, agent)}`);
}

/**
 * For the code of an expired signature: a text that says how far this machine's clock is from the vendor's. Empty for all other
 * codes.
 */
function clockNote(code: string, agent: CallAgent): string {
  const date = agent.response?.headers.date;
  if (code !== 'AuthFailure.SignatureExpire' || date === undefined) return '';
  const offSeconds = Math.round((Date.now() - Date.parse(date)) / 1000);
  if (!Number.isFinite(offSeconds) || Math.abs(offSeconds) < 2) return '';
  return ` (this machine’s clock is ${Math.abs(offSeconds)} s ${offSeconds > 0 ? 'ahead of' : 'behind'} the vendor’s: set it by NTP)`;
}

function httpStatusOf(agent: CallAgent): { httpStatus?: number } {
  const status = agent.response?.statusCode;
  return status === undefined ? {} : { httpStatus: status };
}

function retryAfterOf({ response }: CallAgent): { retryAfterMs?: number } {
  return readRetryAfter({ header: (name) => response?.headers[name]?.toString() ?? null });
}
