/**
 * Streams BestFrames and the other media of sessions, and deletes them after the caller has acknowledged them.
 *
 * What must hold: an acknowledgement is in the audit log before anything is deleted.
 */
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { MEDIA_TYPES, OTHER_MEDIA, type OtherMedium } from '../../../domain/verification/media.ts';
import type { StoredFrame } from '../../../domain/verification/outcomes.ts';
import { isTerminal } from '../../../domain/verification/states.ts';
import type { VerificationView } from '../../../domain/verification/view.ts';
import { callerOf } from '../auth.ts';
import { problems } from '../openapi.ts';
import { ourFailure } from '../problems.ts';
import { type Api, auditActor, getOrThrow, notFound, type RouteTools } from '../route-tools.ts';
import { acknowledged, idParams } from '../schemas.ts';
import { type StoredFile, sendFile, sendFileHead } from '../stored-files.ts';

const contentOf = (type: string) => ({
  [type]: { schema: z.custom<Readable>().meta({ type: 'string', contentMediaType: type }) },
});
const jpeg = contentOf('image/jpeg');
const medium = Object.assign({}, ...Object.values(MEDIA_TYPES).map(contentOf)) as typeof jpeg;

const mediumParams = idParams.extend({
  name: z.enum(OTHER_MEDIA).describe('Name of the medium, as in `session.media` of the verification.'),
});

export function frameRoutes(app: Api, tools: RouteTools): void {
  readFrameRoute(app, tools);
  frameHeadRoute(app, tools);
  readMediumRoute(app, tools);
  mediumHeadRoute(app, tools);
  acknowledgeRoute(app, tools);
}

function readFrameRoute(app: Api, tools: RouteTools): void {
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
      const { id } = request.params;
      const stored = storedFrame(await getOrThrow(callerOf(request), id));
      return sendFile(tools, request, reply, { id, stored, type: 'image/jpeg' });
    },
  });
}

function frameHeadRoute(app: Api, tools: RouteTools): void {
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
      const { id } = request.params;
      const stored = storedFrame(await getOrThrow(callerOf(request), id));
      return sendFileHead(tools, request, reply, { id, stored, type: 'image/jpeg' });
    },
  });
}

function readMediumRoute(app: Api, tools: RouteTools): void {
  app.route({
    method: 'GET',
    url: '/verifications/:id/media/:name',
    config: { scope: 'frames' },
    schema: {
      operationId: 'medium',
      summary: 'Read a medium of a session besides the BestFrame',
      description:
        '`session.media` of the verification lists what there is. The answer has an ETag. A single `Range` and `If-None-Match` are supported.',
      tags: ['frames'],
      params: mediumParams,
      response: {
        200: { description: 'The whole medium.', content: medium },
        206: { description: 'The requested range.', content: medium },
        304: z.null().describe('The medium is the one that the client has.'),
        ...problems(400, 401, 403, 404, 410, 416, 429, 503),
      },
    },
    handler: async (request, reply) => {
      const { id, name } = request.params;
      return sendFile(tools, request, reply, storedMedium(await getOrThrow(callerOf(request), id), name));
    },
  });
}

function mediumHeadRoute(app: Api, tools: RouteTools): void {
  app.route({
    method: 'HEAD',
    url: '/verifications/:id/media/:name',
    config: { scope: 'frames' },
    schema: {
      operationId: 'medium',
      summary: 'Whether there is a medium, with its size and ETag',
      tags: ['frames'],
      params: mediumParams,
      response: { 200: z.null().describe('There is a medium.'), ...problems(400, 401, 403, 404, 410, 429, 503) },
    },
    handler: async (request, reply) => {
      const { id, name } = request.params;
      return sendFileHead(tools, request, reply, storedMedium(await getOrThrow(callerOf(request), id), name));
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

/** @throws Failure NO_MEDIUM */
function storedMedium({ id, state, session }: VerificationView, name: OtherMedium): StoredFile {
  const stored = session?.media.find((each) => each.name === name);
  if (stored !== undefined) return { id, stored, type: stored.type, medium: name };
  const retry = session === null || isTerminal(state) ? {} : { retryAfterMs: 1_000 };
  throw ourFailure('NO_MEDIUM', `the verification has no ${name} to read`, retry);
}
