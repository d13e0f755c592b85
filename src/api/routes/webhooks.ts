/** Endpoints that are told of verifications, and what could not be delivered to them. They are the deployment's, as gates are. */
import { z } from 'zod';
import { WEBHOOK_EVENTS } from '../../domain/webhooks.ts';
import { callerOf } from '../auth.ts';
import { errors } from '../openapi.ts';
import { ourFailure } from '../problems.ts';
import { deadNotifications, webhookDone, webhookSecret, webhooks, webhookTest } from '../schemas.ts';
import type { Api, RouteTools } from '../server.ts';
import { actOf } from './verifications.ts';

const named = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/, 'is no name of an endpoint: small letters, digits and -'),
});
const endpointBody = z.strictObject({
  url: z.string().max(2_048).describe('https, at an address that is public or that the deployment allows.'),
  events: z.array(z.enum(WEBHOOK_EVENTS)).min(1).optional().describe('Default: all.'),
  secret: z.string().optional().describe('`whsec_…`; default: a new one.'),
});
const secretBody = z.strictObject({ secret: z.string().optional().describe('`whsec_…`; default: a new one.') });
const deadQuery = z.strictObject({
  endpoint: z.string().max(64).optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(50),
});
const deadParams = z.strictObject({ id: z.string().regex(/^notify-[\w-]{1,80}$/, 'is no id of a notification') });

const tags = ['operating'];

export function webhookRoutes(app: Api, { audit, client, mode }: RouteTools): void {
  const endpoints = client.webhooks;
  const config = { scope: 'operate' } as const;
  const refusals = errors(400, 401, 403, 413, 415, 429, 503);

  app.route({
    method: 'GET',
    url: '/webhook-endpoints',
    config,
    schema: {
      operationId: 'webhookEndpoints',
      summary: 'All endpoints, how each does, and no secret of any',
      tags,
      response: { 200: webhooks, ...errors(400, 401, 403, 429, 503) },
    },
    handler: async () => ({
      mode,
      endpoints: (await endpoints.list()).map(({ events, ...rest }) => ({
        ...rest,
        events: events === null ? null : [...events],
      })),
    }),
  });

  app.route({
    method: 'PUT',
    url: '/webhook-endpoints/:name',
    config,
    schema: {
      operationId: 'putWebhookEndpoint',
      summary: 'Registers an endpoint, or gives it another URL, events and secret',
      tags,
      params: named,
      body: endpointBody,
      response: { 200: webhookSecret.describe('The secret is shown this once.'), ...refusals },
    },
    handler: async (request) => {
      const { name } = request.params;
      await written(request, `put ${name}`);
      return endpoints.add({ name, ...request.body });
    },
  });

  app.route({
    method: 'DELETE',
    url: '/webhook-endpoints/:name',
    config,
    schema: {
      operationId: 'removeWebhookEndpoint',
      summary: 'Removes it; what was still to be told to it is given up',
      tags,
      params: named,
      response: { 200: webhookDone, ...errors(400, 401, 403, 404, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const { name } = request.params;
      await written(request, `remove ${name}`);
      if ((await endpoints.remove(name)) === 'missing') throw ourFailure('RECORD_MISSING', 'there is no such endpoint');
      return { name };
    },
  });

  app.route({
    method: 'POST',
    url: '/webhook-endpoints/:name/rotate',
    config,
    schema: {
      operationId: 'rotateWebhookSecret',
      summary: 'A new secret beside the one that is there; deliveries are signed with both until it is settled',
      tags,
      params: named,
      body: secretBody,
      response: { 200: webhookSecret.describe('The secret is shown this once.'), ...refusals },
    },
    handler: async (request) => {
      const { name } = request.params;
      await written(request, `rotate ${name}`);
      return endpoints.rotate(name, request.body.secret);
    },
  });

  for (const [act, summary] of [
    ['settle', 'The older of two secrets counts no more'],
    ['enable', 'As if nothing had ever gone wrong with it'],
  ] as const) {
    app.route({
      method: 'POST',
      url: `/webhook-endpoints/:name/${act}`,
      config,
      schema: {
        operationId: `${act}Webhook`,
        summary,
        tags,
        params: named,
        response: { 200: webhookDone, ...errors(400, 401, 403, 413, 415, 429, 503) },
      },
      handler: async (request) => {
        const { name } = request.params;
        await written(request, `${act} ${name}`);
        await endpoints[act](name);
        return { name };
      },
    });
  }

  app.route({
    method: 'POST',
    url: '/webhook-endpoints/:name/test',
    config,
    schema: {
      operationId: 'testWebhook',
      summary: 'Has a `webhook.test` sent, and says what came of it',
      tags,
      params: named,
      response: { 200: webhookTest, ...errors(400, 401, 403, 413, 415, 429, 503) },
    },
    handler: async (request) => endpoints.test(request.params.name),
  });

  app.route({
    method: 'GET',
    url: '/dead-notifications',
    config,
    schema: {
      operationId: 'deadNotifications',
      summary: 'What could not be delivered, the newest first; kept for 30 days',
      tags,
      querystring: deadQuery,
      response: { 200: deadNotifications, ...errors(400, 401, 403, 429, 503) },
    },
    handler: async (request) => ({ mode, notifications: await endpoints.dead(request.query) }),
  });

  app.route({
    method: 'POST',
    url: '/dead-notifications/:id/redeliver',
    config,
    schema: {
      operationId: 'redeliver',
      summary: 'Delivers it once more, under the same `webhook-id`, with all its tries',
      tags,
      params: deadParams,
      response: { 200: deadParams, ...errors(400, 401, 403, 404, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const { id } = request.params;
      await written(request, `redeliver ${id}`);
      if (!(await endpoints.redeliver(id))) throw ourFailure('RECORD_MISSING', 'it is not among the dead');
      return { id };
    },
  });

  function written(request: Parameters<typeof callerOf>[0], what: string): Promise<void> {
    return audit.write({ act: 'webhook.change', ...actOf(callerOf(request), request.id), what });
  }
}
