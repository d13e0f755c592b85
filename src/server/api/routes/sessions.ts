/**
 * Sessions: Tencent's SDK or page checks the person. The start returns the token; everything else about a session is under
 * /verifications, like everything about a verification.
 *
 * What must hold: the token is only in the answer to the request that starts the session, or repeats it.
 */
import { type SessionRequest, sessionRequest } from '../../../domain/verification/session-request.ts';
import { callerOf } from '../auth.ts';
import { problems } from '../openapi.ts';
import { ourFailure } from '../problems.ts';
import {
  type Api,
  auditActor,
  idempotencyKey,
  notFound,
  type RouteTools,
  traceparentOf,
  withKey,
} from '../route-tools.ts';
import { idParams } from '../schemas.ts';
import { finished, session, startQuery } from '../session-schemas.ts';
import { refuseStagedSources } from '../submission.ts';
import { exceptBody } from '../validate.ts';
import { disconnectSignal } from '../waiting.ts';

export function sessionRoutes(app: Api, tools: RouteTools): void {
  startRoute(app, tools);
  finishedRoute(app);
}

function startRoute(app: Api, { edge, staging, audit, closing }: RouteTools): void {
  app.route({
    method: 'POST',
    url: '/sessions',
    config: { scope: 'submit' },
    schema: {
      operationId: 'startSession',
      summary: 'Start a session, and get its token',
      description:
        'The key is in the body or in `Idempotency-Key`. The same request returns the same token until the session ends. `GET /v1/verifications/{id}` returns the decision.',
      tags: ['sessions'],
      body: sessionRequest,
      querystring: startQuery,
      response: {
        200: session.describe('The token.'),
        202: session.describe(
          'The session is safe, and has no token yet, or no longer. Send the request again, or read the verification.',
        ),
        ...problems(400, 401, 403, 409, 410, 413, 415, 429, 503),
      },
    },
    // The handler parses the body, because the key may be in the header.
    validatorCompiler: exceptBody,
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const body = refuseStagedSources(withKey(request.body as unknown, idempotencyKey(request)), staging);
      const started = await caller.client.startSession(body as unknown as SessionRequest, {
        timeoutMs: request.query.wait * 1_000,
        signal: AbortSignal.any([closing, disconnectSignal(reply)]),
        traceparent: traceparentOf(request),
      });
      const { status: enqueued, ...session } = started;
      const { id, token } = session;
      if (enqueued === 'same')
        await audit.write({ act: 'verification.resubmit', ...auditActor(caller, request.id), on: id });
      reply.header('location', `${edge.basePath}/v1/verifications/${id}`);
      return reply.code(token === null ? 202 : 200).send({ ...session, enqueued });
    },
  });
}

function finishedRoute(app: Api): void {
  app.route({
    method: 'POST',
    url: '/sessions/:id/finished',
    config: { scope: 'submit' },
    schema: {
      operationId: 'finishSession',
      summary: 'Report that the person has finished: the result is asked for at once',
      tags: ['sessions'],
      params: idParams,
      response: { 200: finished, ...problems(400, 401, 403, 404, 409, 410, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const caller = callerOf(request);
      const { id } = request.params;
      const status = await caller.client.finishSession(id);
      if (status === 'missing') throw await notFound(caller, id);
      if (status === 'no_session')
        throw ourFailure('NOT_POSSIBLE_NOW', 'the verification is no session: nobody has to report its end');
      return { id, status };
    },
  });
}
