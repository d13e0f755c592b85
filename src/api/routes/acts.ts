/** What a caller does to a verification: cancel, decide about a held one, acknowledge its frame, erase it. */
import { CODES } from '../../domain/errors/index.ts';
import type { Decided } from '../../domain/held.ts';
import { callerOf } from '../auth.ts';
import { errors } from '../openapi.ts';
import { ourFailure } from '../problems.ts';
import {
  acknowledged,
  answerOf,
  cancelled,
  idParams,
  receipt,
  receiptOf,
  resolveBody,
  verification,
} from '../schemas.ts';
import type { Api, RouteTools } from '../server.ts';
import { actOf, missing, there } from './verifications.ts';

export function actRoutes(app: Api, { audit, staging }: RouteTools): void {
  app.route({
    method: 'POST',
    url: '/verifications/:id/cancel',
    config: { scope: 'submit' },
    schema: {
      operationId: 'cancel',
      summary: 'Asks for an end; before the paid call nothing is paid',
      tags: ['verifications'],
      params: idParams,
      response: {
        200: cancelled.describe('Nothing was paid, and nothing will be.'),
        202: cancelled.describe(
          'Somebody is at work: it ends at the next step; an answer that is paid for is recorded.',
        ),
        ...errors(400, 401, 403, 404, 409, 410, 413, 415, 429, 503),
      },
    },
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const { id } = request.params;
      const { status, state } = await caller.client.cancel(id);
      if (status === 'missing') throw await missing(caller, id);
      if (status === 'ended' && state !== 'cancelled')
        throw ourFailure('NOT_POSSIBLE_NOW', `it has ended: it is ${state}`);
      if (status === 'cancelling') return reply.code(202).send({ id, status, state });
      return reply.code(200).send({ id, status: 'cancelled' as const, state });
    },
  });

  app.route({
    method: 'POST',
    url: '/verifications/:id/resolve',
    config: { scope: 'operate' },
    schema: {
      operationId: 'resolve',
      summary: 'What a person decides about a held verification',
      tags: ['verifications'],
      params: idParams,
      body: resolveBody,
      response: { 200: verification, ...errors(400, 401, 403, 404, 409, 410, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const caller = callerOf(request);
      const { id } = request.params;
      const { choice, why, payAgain } = request.body;
      await there(caller, id);
      await audit.write({ act: 'held.resolve', ...actOf(caller, request.id), on: id, what: choice });
      const decided = await caller.client.resolve(id, choice, { by: byOf(caller.key.id), why, payAgain });
      if (decided.status === 'missing') throw await missing(caller, id);
      if (decided.status !== 'ok') throw ourFailure('NOT_POSSIBLE_NOW', notDone(decided));
      return answerOf(await there(caller, id));
    },
  });

  app.route({
    method: 'POST',
    url: '/verifications/:id/acknowledge',
    config: { scope: 'frames' },
    schema: {
      operationId: 'acknowledge',
      summary: 'You have the frame: it is deleted in seconds',
      tags: ['frames'],
      params: idParams,
      response: {
        200: acknowledged.describe('`not kept`: there is none, or it was delivered to a bucket of yours.'),
        ...errors(400, 401, 403, 404, 410, 413, 415, 429, 503),
      },
    },
    handler: async (request) => {
      const caller = callerOf(request);
      const { id } = request.params;
      const status = await caller.client.acknowledge(id);
      if (status === 'missing') throw await missing(caller, id);
      return { id, status };
    },
  });

  app.route({
    method: 'DELETE',
    url: '/verifications/:id',
    config: { scope: 'erase' },
    schema: {
      operationId: 'erase',
      summary: 'Erases it: record, objects, frame; again is the same as once',
      description: '`X-Purpose` says why; it is in the receipt.',
      tags: ['erasing'],
      params: idParams,
      response: { 200: receipt, ...errors(400, 401, 403, 404, 409, 410, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const caller = callerOf(request);
      const { id } = request.params;
      await known(caller, id);
      await audit.write({ act: 'erase', ...actOf(caller, request.id), on: id });
      const asked = { by: byOf(caller.key.id), why: caller.purpose ?? 'over HTTP, without a purpose' };
      const erased = await caller.client.erase(id, asked);
      if (erased.status === 'missing' || (erased.status === 'gone' && erased.receipt === null)) {
        throw await missing(caller, id);
      }
      if (erased.status === 'legal hold') {
        throw ourFailure(CODES.LEGAL_HOLD, `a legal hold stands against it, since ${erased.hold?.since ?? 'just now'}`);
      }
      if (staging !== null) await staging.remove((await staging.list()).filter((file) => file.id === id));
      return receiptOf(erased.receipt as NonNullable<typeof erased.receipt>);
    },
  });

  app.route({
    method: 'GET',
    url: '/verifications/:id/receipt',
    config: { scope: 'erase' },
    schema: {
      operationId: 'receipt',
      summary: 'What was erased, and what of it is confirmed by now',
      tags: ['erasing'],
      params: idParams,
      response: { 200: receipt, ...errors(400, 401, 403, 404, 429, 503) },
    },
    handler: async (request) => {
      const caller = callerOf(request);
      const found = await caller.client.receipt(request.params.id);
      if (found === null) throw ourFailure('RECORD_MISSING', 'nothing was erased under this id');
      return receiptOf(found);
    },
  });

  async function known(caller: ReturnType<typeof callerOf>, id: string): Promise<void> {
    if ((await caller.client.get(id)) === null && (await caller.client.receipt(id)) === null)
      throw await missing(caller, id);
  }
}

/** In histories and receipts. */
export function byOf(keyId: string): string {
  return `API key ${keyId}`;
}

function notDone({ status, state }: Decided): string {
  switch (status) {
    case 'pay again':
      return 'a call was or may have been paid: say payAgain where it may be made again';
    case 'nothing late':
      return 'there is no late answer to accept';
    default:
      return `it is not held: it is ${state}`;
  }
}
