/** Shows what the paid calls of the key's tenant cost. */
import { callerOf } from '../auth.ts';
import { problems } from '../openapi.ts';
import type { Api, RouteTools } from '../route-tools.ts';
import { costs, costsQuery } from '../schemas.ts';

export function costRoutes(app: Api, { mode }: RouteTools): void {
  app.route({
    method: 'GET',
    url: '/costs',
    config: { scope: 'operate' },
    schema: {
      operationId: 'costs',
      summary:
        'Paid and possibly paid calls of the tenant of the key, with their cost, by day, tenant, region or action',
      tags: ['operating'],
      querystring: costsQuery,
      response: { 200: costs, ...problems(400, 401, 403, 429, 503) },
    },
    handler: async (request) => {
      const { by } = request.query;
      const sums = await callerOf(request).client.costs(request.query);
      return { mode, by, sums: sums.map((sum) => ({ ...sum, costs: [...sum.costs] })) };
    },
  });
}
