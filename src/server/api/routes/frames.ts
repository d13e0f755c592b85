/**
 * Streams BestFrames, and deletes them after the caller has acknowledged them.
 *
 * What must hold:
 * 1. A frame is sent only if it is exactly the frame that was stored for the verification.
 * 2. A read, also of size and hash alone, and an acknowledgement are in the audit log before anything is sent or deleted.
 */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { StoredFrame } from '../../../domain/verification/outcomes.ts';
import type { VerificationView } from '../../../domain/verification/view.ts';
import { callerOf } from '../auth.ts';
import { problems } from '../openapi.ts';
import { ourFailure } from '../problems.ts';
import { type Api, auditActor, getOrThrow, notFound, type RouteTools } from '../route-tools.ts';
import { acknowledged, idParams } from '../schemas.ts';
import { disconnectSignal } from '../waiting.ts';

const jpeg = {
  'image/jpeg': { schema: z.custom<Readable>().meta({ type: 'string', contentMediaType: 'image/jpeg' }) },
};

export function frameRoutes(app: Api, tools: RouteTools): void {
  readFrameRoute(app, tools);
  frameHeadRoute(app, tools);
  acknowledgeRoute(app, tools);
}

function readFrameRoute(app: Api, { audit, sink, closing }: RouteTools): void {
  app.route({
    method: 'GET',
    url: '/verifications/:id/best-frame',
    config: { scope: 'frames' },
    schema: {
      operationId: 'bestFrame',
      summary: 'Read the BestFrame',
      description: 'The answer has an ETag. A single `Range` and `If-None-Match` are supported.',
      tags: ['frames'],
      params: idParams,
      response: {
        200: { description: 'The whole frame.', content: jpeg },
        206: { description: 'The requested range.', content: jpeg },
        304: z.null().describe('The frame is the one that the client has.'),
        ...problems(400, 401, 403, 404, 410, 416, 429, 503),
      },
    },
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const { id } = request.params;
      const { headers } = request;
      const stored = storedFrame(await getOrThrow(caller, id));
      const isKnown = matchesEtag(headers['if-none-match'], stored);
      const act = isKnown ? 'frame.head' : 'frame.read';
      await audit.write({ act, ...auditActor(caller, request.id), on: id });
      setFrameHeaders(reply, stored);
      if (isKnown) return reply.code(304).send(null);
      const range = parseRange(headers.range, headers['if-range'], stored);
      if (range === 'unsatisfiable') {
        reply.header('content-range', `bytes */${stored.bytes}`);
        throw ourFailure(
          'RANGE_NOT_SATISFIABLE',
          `the range begins after the end: the frame has ${stored.bytes} bytes`,
        );
      }
      const frame = await sink.open(stored, AbortSignal.any([closing, disconnectSignal(reply)]));
      if (frame === null) throw ourFailure('NO_FRAME', 'the frame is missing, or is not the one that was stored');
      const { from, to } = range ?? { from: 0, to: stored.bytes - 1 };
      if (range !== null) reply.code(206).header('content-range', `bytes ${from}-${to}/${stored.bytes}`);
      reply.type('image/jpeg').header('content-length', to - from + 1);
      const stream = Readable.from(frame.bytes(from, to), { objectMode: false });
      stream.once('close', () => void frame.close().catch(() => undefined)); // the file was only read, so a failed close loses nothing
      return reply.send(stream);
    },
  });
}

function frameHeadRoute(app: Api, { audit }: RouteTools): void {
  app.route({
    method: 'HEAD',
    url: '/verifications/:id/best-frame',
    config: { scope: 'frames' },
    schema: {
      operationId: 'bestFrame',
      summary: 'Whether there is a BestFrame, with its size and ETag',
      tags: ['frames'],
      params: idParams,
      response: { 200: z.null().describe('There is a frame.'), ...problems(400, 401, 403, 404, 410, 429, 503) },
    },
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const { id } = request.params;
      const stored = storedFrame(await getOrThrow(caller, id));
      await audit.write({ act: 'frame.head', ...auditActor(caller, request.id), on: id });
      setFrameHeaders(reply, stored);
      return reply.type('image/jpeg').header('content-length', stored.bytes).send(null);
    },
  });
}

function acknowledgeRoute(app: Api, { audit }: RouteTools): void {
  app.route({
    method: 'POST',
    url: '/verifications/:id/acknowledge',
    config: { scope: 'frames' },
    schema: {
      operationId: 'acknowledge',
      summary: 'Confirm that you have the frame: it is deleted within seconds',
      tags: ['frames'],
      params: idParams,
      response: {
        200: acknowledged.describe('`not_kept`: there is no frame, or it was delivered to a bucket that you named.'),
        ...problems(400, 401, 403, 404, 410, 413, 415, 429, 503),
      },
    },
    handler: async (request) => {
      const caller = callerOf(request);
      const { id } = request.params;
      await getOrThrow(caller, id);
      await audit.write({ act: 'frame.acknowledge', ...auditActor(caller, request.id), on: id });
      const status = await caller.client.acknowledge(id);
      if (status === 'missing') throw await notFound(caller, id);
      return { id, status };
    },
  });
}

/** @throws Failure NO_FRAME */
function storedFrame({ frame, bestFrame }: VerificationView): StoredFrame {
  if (frame === 'stored' && bestFrame !== null) return bestFrame;
  const message = `the verification has no frame to read: the state of its frame is ${frame}`;
  throw ourFailure('NO_FRAME', message, frame === 'pending' ? { retryAfterMs: 1_000 } : {});
}

function setFrameHeaders(reply: FastifyReply, { md5 }: StoredFrame): void {
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
