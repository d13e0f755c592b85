/**
 * Whatever a call through the SDK throws, as the one error type.
 *
 * `sent` is a statement about money. `no`: no connection was ever given to the request. `answered`: the API itself answered,
 * or a status below 500 says that it was not asked. Everything between is `maybe`: a 5xx (a gateway may have lost the answer
 * of a call that was done), a cut or unreadable answer, a reset.
 */
import { z } from 'zod';
import { CODES } from '../domain/errors/index.ts';
import { Failure, type Sent } from '../domain/failure.ts';
import { abortFailure } from '../transport/abort.ts';
import { retryAfter, statusCode } from '../transport/cos-answers.ts';
import type { CallAgent } from './call-agent.ts';

/** The SDK's exception for an error answer. It hands on unseen what the vendor wrote: a code may be anything. */
const errorAnswer = z.object({ code: z.string(), requestId: z.string().min(1), message: z.string() });

export function callFailure(error: unknown, agent: CallAgent, signal: AbortSignal): Failure {
  const { handed, response } = agent;
  const sent: Sent = handed ? 'maybe' : 'no';
  const status = response?.statusCode;
  if (response !== null && status !== undefined && status !== 200) return statusFailure(error, status, agent);
  const { data: answer } = errorAnswer.safeParse(error);
  if (answer !== undefined) return apiFailure(answer.code, answer.requestId, answer.message, agent);
  const fail = (own: string, words: string) =>
    new Failure({ service: 'faceid', channel: 'local', code: own, sent, ...statusOf(agent) }, words, { cause: error });
  if (signal.aborted) {
    const why = abortFailure(signal, sent);
    return fail(why.code, why.message);
  }
  if (response?.complete) return fail(CODES.MALFORMED_REPLY, 'the vendor’s answer cannot be read');
  if (agent.error instanceof Failure) return agent.error;
  if (handed) return fail(CODES.RESET, 'the connection broke before the vendor’s answer was complete');
  return fail(CODES.INTERNAL, 'the call failed before it was sent');
}

function statusFailure(cause: unknown, httpStatus: number, agent: CallAgent): Failure {
  const sent: Sent = httpStatus >= 500 ? 'maybe' : 'answered';
  const facts = { service: 'faceid', channel: 'local', code: statusCode(httpStatus), sent, httpStatus } as const;
  const message = `the vendor’s server answered with status ${httpStatus}`;
  return new Failure({ ...facts, ...waitOf(agent) }, message, { cause });
}

/** A normal reply that lacks what it must have. It may have been paid for. */
export function malformedReply(reply: unknown, agent: CallAgent): Failure {
  const requestId = reply !== null && typeof reply === 'object' && 'RequestId' in reply ? reply.RequestId : undefined;
  const known = typeof requestId === 'string' ? { requestId } : {};
  const facts = { service: 'faceid', channel: 'local', code: CODES.MALFORMED_REPLY, sent: 'maybe' } as const;
  return new Failure({ ...facts, ...known, ...statusOf(agent) }, 'the vendor’s answer lacks what it must have');
}

function apiFailure(code: string, requestId: string, message: string, agent: CallAgent): Failure {
  const facts = { service: 'faceid', channel: 'error', code, sent: 'answered', requestId, httpStatus: 200 } as const;
  return new Failure({ ...facts, ...waitOf(agent) }, `${message}${clockNote(code, agent)}`);
}

/** The vendor's own clock says by how much this machine's is off. */
function clockNote(code: string, agent: CallAgent): string {
  const date = agent.response?.headers.date;
  if (code !== 'AuthFailure.SignatureExpire' || date === undefined) return '';
  const offSeconds = Math.round((Date.now() - Date.parse(date)) / 1000);
  if (!Number.isFinite(offSeconds) || Math.abs(offSeconds) < 2) return '';
  return ` (this machine’s clock is ${Math.abs(offSeconds)} s ${offSeconds > 0 ? 'ahead of' : 'behind'} the vendor’s: set it by NTP)`;
}

function statusOf(agent: CallAgent): { httpStatus?: number } {
  const status = agent.response?.statusCode;
  return status === undefined ? {} : { httpStatus: status };
}

function waitOf({ response }: CallAgent): { retryAfterMs?: number } {
  return retryAfter({ header: (name) => response?.headers[name]?.toString() ?? null });
}
