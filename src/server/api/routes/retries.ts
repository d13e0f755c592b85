/** Starts ended verifications again, a page at a time. The caller decides how fast the pages follow each other. */
import { isStarted, retryProblem } from '../../../domain/operations/retries.ts';
import { callerOf } from '../auth.ts';
import { problems } from '../openapi.ts';
import { malformed } from '../problems.ts';
import { type Api, actorName, auditActor, type RouteTools } from '../route-tools.ts';
import { retries, retryBody } from '../schemas.ts';

export function retryRoutes(app: Api, { audit, mode }: RouteTools): void {
  app.route({
    method: 'POST',
    url: '/retries',
    config: { scope: 'operate' },
    schema: {
      operationId: 'retry',
      summary: 'Retry failed verifications and lost frames of the tenant of the key',
      tags: ['operating'],
      body: retryBody,
      response: { 200: retries, ...problems(400, 401, 403, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const caller = callerOf(request);
      const { dryRun, ...body } = request.body;
      const by = actorName(caller);
      const wrong = retryProblem({ ...body, by, dryRun });
      if (wrong !== null) throw malformed(wrong.field, wrong.problem);
      const what = 'what a retry would start';
      await audit.write({ act: 'verifications.list', ...auditActor(caller, request.id), what });
      const plan = await caller.client.retryPage({ ...body, by, dryRun: true });
      const answer = { mode, dryRun, cursor: plan.cursor };
      if (dryRun || plan.results.length === 0) return { ...answer, results: [...plan.results] };
      const act = { act: 'retry', purpose: body.why, ...auditActor(caller, request.id) } as const;
      for (const { id, status } of plan.results.filter(isStarted)) await audit.write({ ...act, on: id, what: status });
      const ids = plan.results.map(({ id }) => id);
      const { results } = await caller.client.retryPage({ ids, by, why: body.why, limit: ids.length });
      return { ...answer, results: [...results] };
    },
  });
}
