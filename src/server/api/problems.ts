/**
 * Turns failures into `application/problem+json` (RFC 9457), with Bestframe's code, its meaning, the field at fault and what to
 * do.
 *
 * What must hold:
 * 1. Bad input never causes a 5xx.
 * 2. A problem contains no secret, link or path.
 * 3. Errors of the framework and unexpected errors get one of Bestframe's codes. The errors' own messages are not sent.
 */
import type { FastifyError } from 'fastify';
import type { Logger } from 'pino';
import { z } from 'zod';
import { CODES, type Code } from '../../domain/errors/codes.ts';
import { Failure, inputFailure, localFailure } from '../../domain/errors/failure.ts';
import { classify, explain } from '../../domain/errors/index.ts';
import { advise } from '../../domain/verification/advice.ts';

export const problem = z
  .object({
    type: z.string().describe('A URI that names the code: `urn:bestframe:error:<code>`.'),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('What is wrong with this request.'),
    code: z.string().describe('All codes are in docs/errors.md.'),
    field: z.string().nullable().describe('The field of the input that is at fault, if there is one.'),
    cure: z.string().describe('What to do.'),
    requestId: z.string(),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof problem>;

export const PROBLEM_TYPE = 'application/problem+json';

/**
 * HTTP status by code. A code that is not listed is a 400 if the caller is at fault, a 503 if waiting or an operator can help,
 * and a 500 if it is a bug.
 */
const STATUS: Readonly<Partial<Record<string, number>>> = {
  UNAUTHENTICATED: 401,
  WRONG_MODE: 403,
  FORBIDDEN: 403,
  NO_SUCH_ROUTE: 404,
  RECORD_MISSING: 404,
  NO_FRAME: 404,
  NO_MEDIUM: 404,
  KEY_CONFLICT: 409,
  NOT_POSSIBLE_NOW: 409,
  LEGAL_HOLD: 409,
  KEY_GONE: 410,
  BODY_TOO_LARGE: 413,
  SOURCE_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  RANGE_NOT_SATISFIABLE: 416,
  RATE_LIMITED: 429,
  QUOTA_USED_UP: 429,
  AUDIT_UNAVAILABLE: 503,
};

/** Framework errors that a client can cause. */
const FRAMEWORK_ERRORS: Readonly<Partial<Record<string, readonly [code: Code, detail: string]>>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['UNSUPPORTED_MEDIA_TYPE', 'this route does not accept the Content-Type of the body'],
  FST_ERR_CTP_EMPTY_TYPE: ['UNSUPPORTED_MEDIA_TYPE', 'the body has no Content-Type'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['BODY_TOO_LARGE', 'the body is larger than this route accepts'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['MALFORMED_REQUEST', 'the body is not valid JSON'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['MALFORMED_REQUEST', 'the Content-Type is application/json, and the body is empty'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['MALFORMED_REQUEST', 'the length of the body differs from Content-Length'],
  FST_ERR_BAD_URL: ['MALFORMED_REQUEST', 'the path is not a valid URL path'],
  FST_ERR_MAX_LIMIT_PARAM: ['MALFORMED_REQUEST', 'a segment of the path is too long'],
  FST_PARTS_LIMIT: ['BODY_TOO_LARGE', 'the body has too many parts'],
  FST_FILES_LIMIT: ['BODY_TOO_LARGE', 'the body has too many files'],
  FST_FIELDS_LIMIT: ['BODY_TOO_LARGE', 'the body has too many fields'],
  FST_PROTO_VIOLATION: ['MALFORMED_REQUEST', 'a part has a forbidden name'],
  FST_REQ_FILE_TOO_LARGE: ['SOURCE_TOO_LARGE', 'a file is larger than any resource may be'],
  FST_INVALID_JSON_FIELD_ERROR: ['MALFORMED_REQUEST', 'a part is not valid JSON'],
  FST_PREMATURE_CLOSE: ['MALFORMED_REQUEST', 'the body ended too early'],
};

/**
 * Turns any error into a Failure, and never throws. An unexpected error is logged with its stack; the answer contains neither
 * error nor stack.
 */
export function failureOf(error: unknown, log: Logger, requestId: string): Failure {
  if (error instanceof Failure) return error;
  const { code, statusCode } = error as Partial<FastifyError>;
  const mapped = code === undefined ? undefined : FRAMEWORK_ERRORS[code];
  if (mapped !== undefined) return ourFailure(...mapped);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return ourFailure('MALFORMED_REQUEST', 'the request is malformed');
  }
  log.error({ event: 'request_failed', requestId, err: error }, 'unexpected error in a request');
  return ourFailure('INTERNAL', 'an unexpected error inside Bestframe: report it with the requestId');
}

export function problemOf(failure: Failure, requestId: string): Problem {
  const { code } = failure;
  const known = explain(code);
  const { caller } = advise({ code: known === null ? CODES.INTERNAL : code, state: null });
  const title = (known ?? explain(CODES.INTERNAL))?.title ?? code;
  return {
    type: `urn:bestframe:error:${encodeURIComponent(code)}`,
    title,
    status: statusOf(failure),
    // A fault of the machine is described for operators, with settings and folders, so the message goes only to the log.
    detail: known?.class === 'machine' ? title : failure.message,
    code,
    field: failure.field === undefined || failure.field === '' ? null : failure.field,
    cure: caller,
    requestId,
  };
}

/** Logs the message of a machine fault. The answer does not contain this message. */
export function logMachineFault({ code, message }: Failure, log: Logger, requestId: string): void {
  if (explain(code)?.class === 'machine') log.error({ event: 'request_failed', requestId, code }, message);
}

/** The HTTP status of a failure. */
export function statusOf(failure: Failure): number {
  const status = STATUS[failure.code];
  if (status !== undefined) return status;
  const { class: kind } = classify(failure);
  if (kind === 'caller' || kind === 'rejected') return 400;
  return failure.code === CODES.INTERNAL ? 500 : 503;
}

/** A failure that concerns no single field, but the whole request or the state of the verification. */
export function ourFailure(code: Code, message: string, more: { retryAfterMs?: number } = {}): Failure {
  return localFailure(code, message, more);
}

export function malformed(field: string, message: string): Failure {
  return inputFailure(CODES.MALFORMED_REQUEST, field, message);
}
