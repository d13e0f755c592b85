/** Erases verifications and shows the receipts. */
import { CODES } from '../../../domain/errors/index.ts';
import { receiptAnswer } from '../answers.ts';
import { callerOf } from '../auth.ts';
import { problems } from '../openapi.ts';
import { ourFailure } from '../problems.ts';
import { type Api, actorName, auditActor, notFound, type RouteTools } from '../route-tools.ts';
import { idParams, receipt } from '../schemas.ts';

export function erasureRoutes(app: Api, tools: RouteTools): void {
  eraseRoute(app, tools);
  receiptRoute(app, tools);
}

function eraseRoute(app: Api, { audit, staging }: RouteTools): void {
  app.route({
    method: 'DELETE',
    url: '/verifications/:id',
    config: { scope: 'erase' },
    schema: {
      operationId: 'erase',
      summary: 'Erase a verification: its record, objects and frame. Idempotent.',
      description: 'The value of `X-Purpose` goes into the receipt as the reason.',
      tags: ['erasing'],
      params: idParams,
      response: { 200: receipt, ...problems(400, 401, 403, 404, 409, 410, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const caller = callerOf(request);
      const { client } = caller;
      const { id } = request.params;
      // An erased verification has a receipt but no record. Erasing it again succeeds.
      if ((await client.get(id)) === null && (await client.receipt(id)) === null) throw await notFound(caller, id);
      await audit.write({ act: 'erase', ...auditActor(caller, request.id), on: id });
      const why = caller.purpose ?? 'over HTTP, without a purpose';
      const erased = await client.erase(id, { by: actorName(caller), why });
      if (erased.status === 'missing') throw await notFound(caller, id);
      if (erased.status === 'legal_hold') {
        const since = erased.hold?.since ?? 'just now';
        throw ourFailure(CODES.LEGAL_HOLD, `the verification is under a legal hold since ${since}: lift it first`);
      }
      if (erased.receipt === null) throw await notFound(caller, id);
      if (staging !== null) await staging.remove((await staging.list()).filter((file) => file.id === id));
      return receiptAnswer(erased.receipt);
    },
  });
}

function receiptRoute(app: Api, { audit }: RouteTools): void {
  app.route({
    method: 'GET',
    url: '/verifications/:id/receipt',
    config: { scope: 'erase' },
    schema: {
      operationId: 'receipt',
      summary: 'What was erased, and which deletions are confirmed by now',
      tags: ['erasing'],
      params: idParams,
      response: { 200: receipt, ...problems(400, 401, 403, 404, 429, 503) },
    },
    handler: async (request) => {
      const caller = callerOf(request);
      const { id } = request.params;
      const found = await caller.client.receipt(id);
      if (found === null) throw ourFailure('RECORD_MISSING', 'nothing was erased under this id');
      await audit.write({ act: 'receipt.read', ...auditActor(caller, request.id), on: id });
      return receiptAnswer(found);
    },
  });
}
