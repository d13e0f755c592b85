/** Lists undelivered notifications, and requeues them. */
import { z } from 'zod';
import { callerOf } from '../auth.ts';
import { problems } from '../openapi.ts';
import { ourFailure } from '../problems.ts';
import { type Api, auditActor, type RouteTools } from '../route-tools.ts';
import { deadNotifications } from '../schemas.ts';

const deadQuery = z.strictObject({
  endpoint: z.string().max(64).optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(50),
});
const deadParams = z.strictObject({
  id: z.string().regex(/^notify-[\w-]{1,80}$/, 'is not a notification id: give one from the list'),
});

const tags = ['operating'];
const config = { scope: 'operate' } as const;

export function deadNotificationRoutes(app: Api, { audit, mode }: RouteTools): void {
  app.route({
    method: 'GET',
    url: '/dead-notifications',
    config,
    schema: {
      operationId: 'deadNotifications',
      summary: 'List notifications that could not be delivered, newest first. They are kept for 30 days.',
      tags,
      querystring: deadQuery,
      response: { 200: deadNotifications, ...problems(400, 401, 403, 429, 503) },
    },
    handler: async (request) => {
      const caller = callerOf(request);
      await audit.write({ act: 'webhook.list', ...auditActor(caller, request.id), what: 'dead notifications' });
      return { mode, notifications: await caller.client.webhooks.deadLetters(request.query) };
    },
  });

  app.route({
    method: 'POST',
    url: '/dead-notifications/:id/redeliver',
    config,
    schema: {
      operationId: 'redeliver',
      summary: 'Deliver a notification again, with the same `webhook-id` and a new set of attempts',
      tags,
      params: deadParams,
      response: { 200: deadParams, ...problems(400, 401, 403, 404, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const { id } = request.params;
      const caller = callerOf(request);
      const actor = auditActor(caller, request.id);
      await audit.write({ act: 'webhook.change', ...actor, what: `redeliver ${id}` });
      if (!(await caller.client.webhooks.redeliver(id))) {
        throw ourFailure('RECORD_MISSING', 'no undelivered notification has this id');
      }
      return { id };
    },
  });
}
