/** For whoever runs the process: does it live, can it take anything, what can be counted. */
import { z } from 'zod';
import { METRICS_TYPE, metricsText } from '../metrics.ts';
import { errors } from '../openapi.ts';
import { health } from '../schemas.ts';
import type { Api, RouteTools } from '../server.ts';

export function healthRoutes(app: Api, { client, closing, mode }: RouteTools): void {
  app.route({
    method: 'GET',
    url: '/healthz',
    schema: {
      operationId: 'healthz',
      summary: 'The process answers',
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
      summary: 'It can take verifications: Redis answers, and it is not about to stop',
      tags: ['operating'],
      security: [],
      response: { 200: health, 503: health },
    },
    handler: async (_request, reply) => {
      const ready =
        !closing.aborted &&
        (await client.known([]).then(
          () => true,
          () => false,
        ));
      return reply.code(ready ? 200 : 503).send({ status: ready ? 'ok' : 'not ready', mode });
    },
  });

  app.route({
    method: 'GET',
    url: '/metrics',
    config: { scope: 'operate' },
    schema: {
      operationId: 'metrics',
      summary: 'What can be counted, as Prometheus reads it',
      tags: ['operating'],
      response: {
        200: { description: 'docs/metrics.md', content: { 'text/plain': { schema: z.string() } } },
        ...errors(400, 401, 403, 429, 503),
      },
    },
    handler: async (_request, reply) => reply.type(METRICS_TYPE).send(await metricsText(await client.metrics())),
  });
}
