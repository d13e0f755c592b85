/**
 * Sessions: Tencent's SDK or page checks the person. The start returns the token; everything else about a session is under
 * /verifications, like everything about a verification.
 *
 * What must hold: the token is only in the answer to the request that starts the session, or repeats it.
 */
import { z } from 'zod';
import { type SessionRequest, sessionRequest } from '../../../domain/verification/session-request.ts';
import { STATES } from '../../../domain/verification/states.ts';
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
import { refuseStagedSources } from '../submission.ts';
import { exceptBody } from '../validate.ts';
import { disconnectSignal } from '../waiting.ts';

const MAX_WAIT_S = 50;

const startQuery = z.strictObject({
  wait: z.coerce
    .number('is not a number: give seconds')
    .int('is not a whole number: give seconds')
    .min(0, 'is below 0: give seconds')
    .max(MAX_WAIT_S, `is above ${MAX_WAIT_S}: send the request again instead`)
    .default(10)
    .describe('Seconds to wait for the token.'),
});

const session = z
  .object({
    id: z.string(),
    key: z.string(),
    enqueued: z.enum(['new', 'same']).describe('`same`: this key and payload were submitted before.'),
    state: z.enum(STATES),
    token: z
      .string()
      .nullable()
      .describe('For Tencent’s SDK or page. A secret: give it only to the phone or browser of this person.'),
    url: z.string().nullable().describe('Address of Tencent’s page, for the flow with a page.'),
    startBy: z.iso.datetime().nullable().describe('The person must begin by then.'),
  })
  .meta({ id: 'Session' });

const finished = z
  .object({
    id: z.string(),
    status: z
      .enum(['asked', 'early', 'decided', 'ended'])
      .describe('`asked`: the result is asked for now. `early`: the session has no token yet.'),
  })
  .meta({ id: 'SessionFinished' });

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
      const { id, key, status, state, token, url, startBy } = started;
      if (status === 'same')
        await audit.write({ act: 'verification.resubmit', ...auditActor(caller, request.id), on: id });
      reply.header('location', `${edge.basePath}/v1/verifications/${id}`);
      return reply.code(token === null ? 202 : 200).send({ id, key, enqueued: status, state, token, url, startBy });
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
