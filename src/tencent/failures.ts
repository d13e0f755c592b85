/**
 * Whatever a call through the SDK throws, as the one error type.
 *
 * `sent` is a statement about money. `no`: no connection was ever given to the request. `answered`: the API itself answered,
 * or a status below 500 says that it was not asked. Everything between is `maybe`: a 5xx (a gateway may have lost the answer
 * of a call that was done), a cut or unreadable answer, a reset.
 */
import { CODES } from '../domain/errors/index.ts';
import { Failure, type Sent } from '../domain/failure.ts';
import { abortFailure } from '../transport/abort.ts';
import { retryAfter, statusCode } from '../transport/cos-answers.ts';
import type { CallAgent } from './call-agent.ts';

/** What the SDK's exception carries, by the fields that were seen. */
interface SdkException {
  readonly code?: string;
  readonly requestId?: string;
  readonly httpCode?: number;
  readonly message: string;
}

export function callFailure(error: unknown, agent: CallAgent, signal: AbortSignal): Failure {
  const unanswered: Sent = agent.handed ? 'maybe' : 'no';
  const thrown =
    error instanceof Error ? (error as SdkException) : { message: 'the SDK threw something that is no error' };
  const fail = (code: string, sent: Sent, message: string) =>
    new Failure({ service: 'faceid', channel: 'local', code, sent, ...statusOf(agent) }, message, { cause: error });

  if (agent.status === 200 && thrown.code !== undefined && thrown.requestId !== undefined && thrown.requestId !== '') {
    return apiFailure(thrown.code, thrown.requestId, thrown.message, agent);
  }
  if (agent.status !== null && agent.status !== 200) {
    const sent: Sent = agent.status >= 500 ? 'maybe' : 'answered';
    const code = statusCode(agent.status);
    const facts = {
      service: 'faceid',
      channel: 'local',
      code,
      sent,
      httpStatus: agent.status,
      ...waitOf(agent),
    } as const;
    return new Failure(facts, `the vendor’s server answered with status ${agent.status}`, { cause: error });
  }
  if (signal.aborted) {
    const { code, message } = abortFailure(signal, unanswered);
    return fail(code, unanswered, message);
  }
  if (agent.error instanceof Failure) return fail(agent.error.code, agent.error.sent, agent.error.message);
  if (agent.status === 200) {
    if (isCut(thrown)) return fail(CODES.RESET, 'maybe', 'the connection broke in the middle of the vendor’s answer');
    return fail(CODES.MALFORMED_REPLY, 'maybe', 'the vendor’s answer cannot be read');
  }
  if (agent.handed) return fail(CODES.RESET, 'maybe', 'the connection broke before the vendor answered');
  return fail(CODES.INTERNAL, 'no', 'the call failed before it was sent');
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
  if (code !== 'AuthFailure.SignatureExpire' || agent.headers.date === undefined) return '';
  const offSeconds = Math.round((Date.now() - Date.parse(agent.headers.date)) / 1000);
  if (!Number.isFinite(offSeconds) || Math.abs(offSeconds) < 2) return '';
  return ` (this machine’s clock is ${Math.abs(offSeconds)} s ${offSeconds > 0 ? 'ahead of' : 'behind'} the vendor’s: set it by NTP)`;
}

function statusOf(agent: CallAgent): { httpStatus?: number } {
  return agent.status === null ? {} : { httpStatus: agent.status };
}

function waitOf({ headers }: CallAgent): { retryAfterMs?: number } {
  return retryAfter({ header: () => headers['retry-after'] ?? null });
}

/** node-fetch's words for a body that ended early or never came; a JSON that cannot be parsed is `invalid-json`. */
function isCut(thrown: { type?: unknown; message: string }): boolean {
  return (
    thrown.type === 'system' || thrown.type === 'body-timeout' || /premature|aborted|terminated/i.test(thrown.message)
  );
}
