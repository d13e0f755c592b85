/** Looking at verifications: one, with its history, and many, a page at a time. */

import { CODES } from '../../domain/errors/index.ts';
import { inputFailure } from '../../domain/failure.ts';
import type { VerificationView } from '../../domain/view.ts';
import { type Caller, callerOf } from '../auth.ts';
import { errors } from '../openapi.ts';
import { answerOf, historyOf, idParams, listQuery, page, verificationWithHistory, waitQuery } from '../schemas.ts';
import type { Api, RouteTools } from '../server.ts';
import { waitFor } from '../waiting.ts';

export function verificationRoutes(app: Api, { audit, closing }: RouteTools): void {
  app.route({
    method: 'GET',
    url: '/verifications',
    config: { scope: 'read' },
    schema: {
      operationId: 'list',
      summary: 'Verifications of the key’s tenant, newest first',
      description:
        'A page that finds few may be short, or empty, and still have a cursor: a bounded number is looked at.',
      tags: ['verifications'],
      querystring: listQuery,
      response: { 200: page, ...errors(400, 401, 403, 429, 503) },
    },
    handler: async (request) => {
      const { client } = callerOf(request);
      const { key, ...filter } = request.query;
      if (key === undefined) {
        const found = await client.page(filter);
        return { verifications: found.verifications.map(answerOf), cursor: found.cursor };
      }
      const view = await client.getByKey(key);
      const fits =
        view !== null && (filter.state ?? view.state) === view.state && (filter.region ?? view.region) === view.region;
      return { verifications: fits ? [answerOf(view)] : [], cursor: null };
    },
  });

  app.route({
    method: 'GET',
    url: '/verifications/:id',
    config: { scope: 'read' },
    schema: {
      operationId: 'get',
      summary: 'One verification, with its history',
      tags: ['verifications'],
      params: idParams,
      querystring: waitQuery,
      response: { 200: verificationWithHistory, ...errors(400, 401, 403, 404, 410, 429, 503) },
    },
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const { id } = request.params;
      const now = await there(caller, id);
      await audit.write({ act: 'timeline.read', ...actOf(caller, request.id), on: id });
      const { wait } = request.query; // nobody who does not wait has it read twice
      const view = wait === 0 ? now : await waitFor(caller.client, id, wait, reply, closing);
      if (view === null) throw await missing(caller, id);
      return { ...answerOf(view), history: historyOf(view) };
    },
  });
}

/** @throws Failure RECORD_MISSING, or KEY_GONE where it was erased. A stranger's is missing. */
export async function there(caller: Caller, id: string): Promise<VerificationView> {
  const view = await caller.client.get(id);
  if (view === null) throw await missing(caller, id);
  return view;
}

export async function missing({ client }: Caller, id: string) {
  if ((await client.receipt(id)) !== null)
    return inputFailure(CODES.KEY_GONE, 'id', 'id is of a verification that was erased');
  return inputFailure(CODES.RECORD_MISSING, 'id', 'id is of no verification that there is');
}

/** For the audit log. */
export function actOf({ key, purpose }: Caller, requestId: string) {
  return { actor: key.id, tenant: key.tenant, requestId, ...(purpose === undefined ? {} : { purpose }) };
}
