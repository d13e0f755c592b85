/**
 * What went wrong, as `application/problem+json` (RFC 9457): a code of ours, what it means, which field, and what to do.
 *
 * What must hold: bad input is never a 5xx; nothing of a secret, link or path is in a problem; what is not ours (a fault of
 * the framework, a thrown anything) is told by a code of ours, and its own words by none.
 */
import type { FastifyError } from 'fastify';
import type { Logger } from 'pino';
import { z } from 'zod';
import { CODES, type Code } from '../domain/errors/codes.ts';
import { classify, explain } from '../domain/errors/index.ts';
import { Failure, inputFailure } from '../domain/failure.ts';

export const problem = z
  .object({
    type: z.string().describe('A URI that names the code: `urn:bestframe:error:<code>`.'),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('What is wrong here.'),
    code: z.string().describe('docs/errors.md has them all.'),
    field: z.string().nullable().describe('Of the input, where one is at fault.'),
    cure: z.string().describe('What to do.'),
    requestId: z.string(),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof problem>;

export const PROBLEM_TYPE = 'application/problem+json';

/** All other codes of what is given are a 400; what may pass, or an operator mends, is a 503; a fault of ours is a 500. */
const STATUS: Readonly<Partial<Record<string, number>>> = {
  UNAUTHENTICATED: 401,
  WRONG_MODE: 403,
  FORBIDDEN: 403,
  NO_SUCH_ROUTE: 404,
  RECORD_MISSING: 404,
  NO_FRAME: 404,
  KEY_CONFLICT: 409,
  NOT_POSSIBLE_NOW: 409,
  LEGAL_HOLD: 409,
  KEY_GONE: 410,
  BODY_TOO_LARGE: 413,
  SOURCE_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  RANGE_NOT_SATISFIABLE: 416,
  RATE_LIMITED: 429,
  AUDIT_UNAVAILABLE: 503,
  SINK_FULL: 503,
  SINK_UNWRITABLE: 503,
};

/** By the framework's code, of what a client can do wrong. */
const FRAMEWORK: Readonly<Partial<Record<string, readonly [code: Code, detail: string]>>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['UNSUPPORTED_MEDIA_TYPE', 'the body is of a kind that is not taken here'],
  FST_ERR_CTP_EMPTY_TYPE: ['UNSUPPORTED_MEDIA_TYPE', 'the body has no Content-Type'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['BODY_TOO_LARGE', 'the body is larger than this route takes'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['MALFORMED_REQUEST', 'the body is no JSON that can be read'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['MALFORMED_REQUEST', 'the body is empty, and application/json was announced'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['MALFORMED_REQUEST', 'the body is not as long as Content-Length says'],
  FST_ERR_BAD_URL: ['MALFORMED_REQUEST', 'the path cannot be read'],
  FST_ERR_MAX_LIMIT_PARAM: ['MALFORMED_REQUEST', 'a part of the path is too long'],
  FST_PARTS_LIMIT: ['BODY_TOO_LARGE', 'there are too many parts'],
  FST_FILES_LIMIT: ['BODY_TOO_LARGE', 'there are too many files'],
  FST_FIELDS_LIMIT: ['BODY_TOO_LARGE', 'there are too many fields'],
  FST_PROTO_VIOLATION: ['MALFORMED_REQUEST', 'a part has a name that is not taken'],
  FST_REQ_FILE_TOO_LARGE: ['SOURCE_TOO_LARGE', 'a file is larger than any that is taken'],
  FST_INVALID_JSON_FIELD_ERROR: ['MALFORMED_REQUEST', 'a part is no JSON that can be read'],
  FST_PREMATURE_CLOSE: ['MALFORMED_REQUEST', 'the body ended too early'],
};

/** @throws nothing. What is a fault of ours is logged, with its stack, and told without. */
export function failureOf(error: unknown, log: Logger, requestId: string): Failure {
  if (error instanceof Failure) return error;
  const { code, statusCode } = error as Partial<FastifyError>;
  const known = code === undefined ? undefined : FRAMEWORK[code];
  if (known !== undefined) return ourFailure(...known);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return ourFailure('MALFORMED_REQUEST', 'the request cannot be read');
  }
  log.error({ event: 'fault', requestId, err: error }, 'a request met a fault of ours');
  return ourFailure('INTERNAL', 'something happened here that should not');
}

export function problemOf(failure: Failure, requestId: string): Problem {
  const entry = explain(failure.code) ?? explain(CODES.INTERNAL);
  return {
    type: `urn:bestframe:error:${encodeURIComponent(failure.code)}`,
    title: entry?.title ?? failure.code,
    status: statusOf(failure),
    detail: failure.message,
    code: failure.code,
    field: failure.field === undefined || failure.field === '' ? null : failure.field,
    cure: entry?.advice ?? '',
    requestId,
  };
}

function statusOf(failure: Failure): number {
  const known = STATUS[failure.code];
  if (known !== undefined) return known;
  const { class: kind } = classify(failure);
  if (kind === 'caller' || kind === 'rejected') return 400;
  return failure.code === CODES.INTERNAL ? 500 : 503;
}

/** Without a field: it is the request as a whole, or where it stands. */
export function ourFailure(code: Code, message: string, more: { retryAfterMs?: number } = {}): Failure {
  return new Failure({ service: 'bestframe', channel: 'local', code, sent: 'no', ...more }, message);
}

export function malformed(field: string, message: string): Failure {
  return inputFailure(CODES.MALFORMED_REQUEST, field, message);
}
