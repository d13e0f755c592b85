/** An operator's or caller's actions on a verification: cancel it, and resolve a held one. */
import type { HeldDecisionResult } from '../../../domain/operations/held.ts';
import { verificationAnswer } from '../answers.ts';
import { callerOf } from '../auth.ts';
import { problems } from '../openapi.ts';
import { ourFailure } from '../problems.ts';
import { type Api, actorName, auditActor, getOrThrow, notFound, type RouteTools } from '../route-tools.ts';
import { cancelled, idParams, resolveBody, verification } from '../schemas.ts';

export function actionRoutes(app: Api, tools: RouteTools): void {
  cancelRoute(app, tools);
  resolveRoute(app, tools);
}

function cancelRoute(app: Api, { audit }: RouteTools): void {
  app.route({
    method: 'POST',
    url: '/verifications/:id/cancel',
    config: { scope: 'submit' },
    schema: {
      operationId: 'cancel',
      summary: 'Cancel a verification. Before the paid call, nothing is paid.',
      tags: ['verifications'],
      params: idParams,
      response: {
        200: cancelled.describe('It is cancelled: nothing was paid, and nothing will be.'),
        202: cancelled.describe(
          'A worker is processing it. It ends at the next step; a paid answer is still recorded.',
        ),
        ...problems(400, 401, 403, 404, 409, 410, 413, 415, 429, 503),
      },
    },
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const { id } = request.params;
      await getOrThrow(caller, id);
      await audit.write({ act: 'cancel', ...auditActor(caller, request.id), on: id });
      const { status, state } = await caller.client.cancel(id);
      if (status === 'missing') throw await notFound(caller, id);
      if (status === 'ended' && state !== 'cancelled')
        throw ourFailure('NOT_POSSIBLE_NOW', `the verification has already ended: its state is ${state}`);
      if (status === 'cancelling') return reply.code(202).send({ id, status, state });
      return reply.code(200).send({ id, status: 'cancelled' as const, state });
    },
  });
}

function resolveRoute(app: Api, { audit }: RouteTools): void {
  app.route({
    method: 'POST',
    url: '/verifications/:id/resolve',
    config: { scope: 'operate' },
    schema: {
      operationId: 'resolve',
      summary: 'Decide about a held verification',
      tags: ['verifications'],
      params: idParams,
      body: resolveBody,
      response: { 200: verification, ...problems(400, 401, 403, 404, 409, 410, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const caller = callerOf(request);
      const { id } = request.params;
      const { choice, why, payAgain } = request.body;
      await getOrThrow(caller, id);
      await audit.write({ act: 'held.resolve', ...auditActor(caller, request.id), on: id, what: choice });
      const decided = await caller.client.resolve(id, choice, { by: actorName(caller), why, payAgain });
      if (decided.status === 'missing') throw await notFound(caller, id);
      if (decided.status !== 'ok') throw ourFailure('NOT_POSSIBLE_NOW', refusalReason(decided));
      return verificationAnswer(await getOrThrow(caller, id));
    },
  });
}

function refusalReason({ status, state }: HeldDecisionResult): string {
  switch (status) {
    case 'pay_again':
      return 'an earlier call was, or may have been, billed: send payAgain: true to allow another one';
    case 'nothing_late':
      return 'the verification has no late answer to accept: make another choice';
    default:
      return `the verification is not held: its state is ${state}`;
  }
}
