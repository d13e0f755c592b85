/**
 * Sends a stored file: a frame, or another medium of a session. The answer has an ETag; a single `Range` and `If-None-Match` are
 * supported.
 *
 * What must hold:
 * 1. A file is sent only if it is exactly the one that was stored for the verification.
 * 2. A read, also of size and hash alone, is in the audit log before anything is sent.
 */
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { StoredFrame } from '../../domain/verification/outcomes.ts';
import { callerOf } from './auth.ts';
import { ourFailure } from './problems.ts';
import { auditActor, type RouteTools } from './route-tools.ts';
import { disconnectSignal } from './waiting.ts';

export interface StoredFile {
  /** Id of the verification. */
  readonly id: string;
  readonly stored: StoredFrame;
  readonly type: string;
  /** Name of the medium, for the audit log. Absent: the frame. */
  readonly medium?: string;
}

type FileTools = Pick<RouteTools, 'audit' | 'sink' | 'closing'>;

/** Answers GET. */
export async function sendFile(
  { audit, sink, closing }: FileTools,
  request: FastifyRequest,
  reply: FastifyReply,
  file: StoredFile,
): Promise<FastifyReply> {
  const { headers } = request;
  const { stored, type } = file;
  const isKnown = matchesEtag(headers['if-none-match'], stored);
  await audit.write({ act: isKnown ? 'frame.head' : 'frame.read', ...entryOf(request, file) });
  setFileHeaders(reply, stored);
  if (isKnown) return reply.code(304).send(null);
  const range = parseRange(headers.range, headers['if-range'], stored);
  if (range === 'unsatisfiable') {
    reply.header('content-range', `bytes */${stored.bytes}`);
    throw ourFailure('RANGE_NOT_SATISFIABLE', `the range begins after the end: there are ${stored.bytes} bytes`);
  }
  const opened = await sink.open(stored, AbortSignal.any([closing, disconnectSignal(reply)]));
  if (opened === null) throw ourFailure('NO_FRAME', 'the file is missing, or is not the one that was stored');
  const { from, to } = range ?? { from: 0, to: stored.bytes - 1 };
  if (range !== null) reply.code(206).header('content-range', `bytes ${from}-${to}/${stored.bytes}`);
  reply.type(type).header('content-length', to - from + 1);
  const stream = Readable.from(opened.bytes(from, to), { objectMode: false });
  stream.once('close', () => void opened.close().catch(() => undefined)); // the file was only read, so a failed close loses nothing
  return reply.send(stream);
}

/** Answers HEAD. */
export async function sendFileHead(
  { audit }: FileTools,
  request: FastifyRequest,
  reply: FastifyReply,
  file: StoredFile,
): Promise<FastifyReply> {
  await audit.write({ act: 'frame.head', ...entryOf(request, file) });
  setFileHeaders(reply, file.stored);
  return reply.type(file.type).header('content-length', file.stored.bytes).send(null);
}

function entryOf(request: FastifyRequest, { id, medium }: StoredFile) {
  const what = medium === undefined ? {} : { what: medium };
  return { ...auditActor(callerOf(request), request.id), on: id, ...what };
}

function setFileHeaders(reply: FastifyReply, { md5 }: StoredFrame): void {
  reply.header('etag', `"${md5}"`).header('accept-ranges', 'bytes');
}

function matchesEtag(header: string | undefined, { md5 }: StoredFrame): boolean {
  const tags = header?.split(',').map((tag) => tag.trim()) ?? [];
  return tags.some((tag) => ['*', `"${md5}"`, `W/"${md5}"`].includes(tag));
}

/**
 * Parses a single range of bytes. For several ranges or a malformed header the result is null, and the header is ignored, as RFC
 * 9110 allows.
 */
function parseRange(
  header: string | undefined,
  ifRange: string | string[] | undefined,
  { bytes, md5 }: StoredFrame,
): { from: number; to: number } | 'unsatisfiable' | null {
  const [, first = '', last = ''] = /^bytes=(\d{0,12})-(\d{0,12})$/.exec(header ?? '') ?? [];
  if ((first === '' && last === '') || (ifRange !== undefined && ifRange !== `"${md5}"`)) return null;
  if (first === '') {
    const count = Math.min(Number(last), bytes);
    return count === 0 ? 'unsatisfiable' : { from: bytes - count, to: bytes - 1 };
  }
  const [from, to] = [Number(first), last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1)];
  if (last !== '' && Number(last) < from) return null;
  return from >= bytes ? 'unsatisfiable' : { from, to };
}
