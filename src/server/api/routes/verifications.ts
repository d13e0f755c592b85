/** Reads verifications: one with its history, or many page by page. */
import type { PageFilter } from '../../../client/contract.ts';
import { describeFilter, matchesFilter } from '../../../domain/verification/filter.ts';
import { historyAnswer, verificationAnswer } from '../answers.ts';
import { callerOf } from '../auth.ts';
import { problems } from '../openapi.ts';
import { type Api, auditActor, getOrThrow, notFound, type RouteTools } from '../route-tools.ts';
import { idParams, listQuery, page, verificationWithHistory, waitQuery } from '../schemas.ts';
import { waitForDecision } from '../waiting.ts';

export function verificationRoutes(app: Api, tools: RouteTools): void {
  listRoute(app, tools);
  getRoute(app, tools);
}

function listRoute(app: Api, { audit }: RouteTools): void {
  app.route({
    method: 'GET',
    url: '/verifications',
    config: { scope: 'read' },
    schema: {
      operationId: 'list',
      summary: 'List the verifications of the key’s tenant, newest first',
      description:
        'A page examines a bounded number of verifications. With a filter, it may be short or empty and still have a cursor.',
      tags: ['verifications'],
      querystring: listQuery,
      response: { 200: page, ...problems(400, 401, 403, 429, 503) },
    },
    handler: async (request) => {
      const caller = callerOf(request);
      const { client } = caller;
      const { key, ...filter } = request.query;
      const what = describeList(request.query);
      await audit.write({ act: 'verifications.list', ...auditActor(caller, request.id), what });
      if (key === undefined) {
        const found = await client.page(filter);
        return { verifications: found.verifications.map(verificationAnswer), cursor: found.cursor };
      }
      const view = await client.getByKey(key);
      const matches = view !== null && matchesFilter(view, filter);
      return { verifications: matches ? [verificationAnswer(view)] : [], cursor: null };
    },
  });
}

/** The filter for the audit log. It does not contain the caller's key, which may be a name. */
function describeList({
  key,
  cursor,
  limit: _limit,
  ...filter
}: PageFilter & { readonly key?: string | undefined }): string {
  const parts = [
    key === undefined ? null : 'one key',
    describeFilter(filter),
    cursor === undefined ? null : 'next page',
  ];
  return parts.filter((part) => part !== null).join(', ');
}

function getRoute(app: Api, { audit, closing }: RouteTools): void {
  app.route({
    method: 'GET',
    url: '/verifications/:id',
    config: { scope: 'read' },
    schema: {
      operationId: 'get',
      summary: 'Get one verification with its history',
      tags: ['verifications'],
      params: idParams,
      querystring: waitQuery,
      response: { 200: verificationWithHistory, ...problems(400, 401, 403, 404, 410, 429, 503) },
    },
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const { id } = request.params;
      const { wait: seconds } = request.query;
      const current = await getOrThrow(caller, id);
      await audit.write({ act: 'timeline.read', ...auditActor(caller, request.id), on: id });
      const view = seconds === 0 ? current : await waitForDecision(caller.client, id, { seconds, reply, closing });
      if (view === null) throw await notFound(caller, id);
      return { ...verificationAnswer(view), history: historyAnswer(view) };
    },
  });
}
