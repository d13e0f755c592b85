/**
 * The picture itself, streamed.
 *
 * What must hold: what is sent is the very picture that was stored for this verification, or nothing; who read it is written
 * down before a byte of it leaves.
 */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { StoredFrame } from '../../domain/outcomes.ts';
import type { VerificationView } from '../../domain/view.ts';
import { callerOf } from '../auth.ts';
import { errors } from '../openapi.ts';
import { ourFailure } from '../problems.ts';
import { idParams } from '../schemas.ts';
import type { Api, RouteTools } from '../server.ts';
import { goneSignal } from '../waiting.ts';
import { actOf, there } from './verifications.ts';

const bytes = z.custom<Readable>().meta({ type: 'string', contentMediaType: 'image/jpeg' });
const picture = { 'image/jpeg': { schema: bytes } };

export function frameRoutes(app: Api, { audit, sink, closing }: RouteTools): void {
  app.route({
    method: 'GET',
    url: '/verifications/:id/best-frame',
    config: { scope: 'frames' },
    schema: {
      operationId: 'bestFrame',
      summary: 'The BestFrame',
      description: 'With an ETag; a single `Range` and `If-None-Match` are honoured.',
      tags: ['frames'],
      params: idParams,
      response: {
        200: { description: 'The whole picture.', content: picture },
        206: { description: 'The part that was asked for.', content: picture },
        304: z.null().describe('It is the one that you have.'),
        ...errors(400, 401, 403, 404, 410, 416, 429, 503),
      },
    },
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const { id } = request.params;
      const stored = storedOf(await there(caller, id));
      const { headers } = request;
      describe(reply, stored);
      if (matches(headers['if-none-match'], stored)) return reply.code(304).send(null);
      const range = rangeOf(headers.range, headers['if-range'], stored);
      if (range === 'none of it') {
        reply.header('content-range', `bytes */${stored.bytes}`);
        throw ourFailure('RANGE_NOT_SATISFIABLE', 'the picture is shorter than where the range begins');
      }
      await audit.write({ act: 'frame.read', ...actOf(caller, request.id), on: id });
      const frame = await sink.open(stored, AbortSignal.any([closing, goneSignal(reply)]));
      if (frame === null) throw ourFailure('NO_FRAME', 'the picture is gone, or is not the one that was stored');
      const { from, to } = range ?? { from: 0, to: stored.bytes - 1 };
      if (range !== null) reply.code(206).header('content-range', `bytes ${from}-${to}/${stored.bytes}`);
      reply.type('image/jpeg').header('content-length', to - from + 1);
      const stream = Readable.from(frame.bytes(from, to), { objectMode: false });
      stream.once('close', () => void frame.close().catch(() => undefined)); // it was only read
      return reply.send(stream);
    },
  });

  app.route({
    method: 'HEAD',
    url: '/verifications/:id/best-frame',
    config: { scope: 'frames' },
    schema: {
      operationId: 'bestFrame',
      summary: 'Whether there is a BestFrame, its size and ETag',
      tags: ['frames'],
      params: idParams,
      response: { 200: z.null().describe('There is one.'), ...errors(400, 401, 403, 404, 410, 429, 503) },
    },
    handler: async (request, reply) => {
      const stored = storedOf(await there(callerOf(request), request.params.id));
      describe(reply, stored);
      return reply.type('image/jpeg').header('content-length', stored.bytes).send(null);
    },
  });
}

/** @throws Failure NO_FRAME */
function storedOf({ frame, bestFrame }: VerificationView): StoredFrame {
  if (frame === 'stored' && bestFrame !== null) return bestFrame;
  throw ourFailure(
    'NO_FRAME',
    `frame is ${frame}: there is nothing to read`,
    frame === 'pending' ? { retryAfterMs: 1_000 } : {},
  );
}

function describe(reply: FastifyReply, { md5 }: StoredFrame): void {
  reply.header('etag', `"${md5}"`).header('accept-ranges', 'bytes');
}

function matches(header: string | undefined, { md5 }: StoredFrame): boolean {
  const tags = header?.split(',').map((tag) => tag.trim()) ?? [];
  return tags.some((tag) => ['*', `"${md5}"`, `W/"${md5}"`].includes(tag));
}

/** One range of bytes; several, or what cannot be read, count as none (RFC 9110). */
function rangeOf(
  header: string | undefined,
  ifRange: string | string[] | undefined,
  { bytes, md5 }: StoredFrame,
): { from: number; to: number } | 'none of it' | null {
  const [, first = '', last = ''] = /^bytes=(\d{0,12})-(\d{0,12})$/.exec(header ?? '') ?? [];
  if ((first === '' && last === '') || (ifRange !== undefined && ifRange !== `"${md5}"`)) return null;
  if (first === '') {
    const count = Math.min(Number(last), bytes);
    return count === 0 ? 'none of it' : { from: bytes - count, to: bytes - 1 };
  }
  const [from, to] = [Number(first), last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1)];
  if (last !== '' && Number(last) < from) return null;
  return from >= bytes ? 'none of it' : { from, to };
}
