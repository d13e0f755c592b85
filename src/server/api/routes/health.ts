/** Liveness, readiness and metrics of the process. */
import { z } from 'zod';
import { callerOf } from '../auth.ts';
import { METRICS_TYPE, metricsText } from '../metrics.ts';
import { problems } from '../openapi.ts';
import { type Api, type RouteTools, requireDeployment } from '../route-tools.ts';
import { health } from '../schemas.ts';

export function healthRoutes(app: Api, { client, closing, redisTrouble, mode }: RouteTools): void {
  app.route({
    method: 'GET',
    url: '/healthz',
    schema: {
      operationId: 'healthz',
      summary: 'Whether the process is alive',
      tags: ['operating'],
      security: [],
      response: { 200: health },
    },
    handler: async () => ({ status: 'ok' as const, mode }),
  });

  app.route({
    method: 'GET',
    url: '/readyz',
    schema: {
      operationId: 'readyz',
      summary:
        'Whether the process can accept verifications: Redis takes a write and answers a read, and the process is not shutting down',
      tags: ['operating'],
      security: [],
      response: { 200: health, 503: health },
    },
    handler: async (_request, reply) => {
      const trouble = closing.aborted ? 'the process is shutting down' : await redisTrouble();
      if (trouble === null) return { status: 'ok' as const, mode };
      return reply.code(503).send({ status: 'not_ready', mode, reasons: [trouble] });
    },
  });

  app.route({
    method: 'GET',
    url: '/metrics',
    config: { scope: 'operate' },
    schema: {
      operationId: 'metrics',
      summary: 'Metrics of the deployment for Prometheus',
      tags: ['operating'],
      response: {
        200: {
          description: 'All metrics are in docs/metrics.md.',
          content: { 'text/plain': { schema: z.string() } },
        },
        ...problems(400, 401, 403, 429, 503),
      },
    },
    onRequest: async (request) => requireDeployment(callerOf(request)),
    handler: async (_request, reply) => reply.type(METRICS_TYPE).send(await metricsText(await client.metrics())),
  });
}
