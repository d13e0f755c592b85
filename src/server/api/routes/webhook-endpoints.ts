/** Registers and manages the webhook endpoints of the key's tenant. Endpoints of other tenants are unknown. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { WEBHOOK_EVENTS } from '../../../domain/operations/webhooks.ts';
import { WEBHOOK_NAME_PATTERN } from '../../../domain/verification/names.ts';
import { callerOf } from '../auth.ts';
import { problems } from '../openapi.ts';
import { ourFailure } from '../problems.ts';
import { type Api, auditActor, type RouteTools } from '../route-tools.ts';
import { webhookDone, webhookSecret, webhooks, webhookTest } from '../schemas.ts';

const nameParams = z.strictObject({
  name: z
    .string()
    .regex(WEBHOOK_NAME_PATTERN, 'is not an endpoint name: use up to 40 lower-case letters, digits and "-"'),
});
const secret = z.string().optional().describe('`whsec_…`. Default: a new secret.');
const endpointBody = z.strictObject({
  url: z.string().max(2_048).describe('An https URL with a public host, or a host that the deployment allows.'),
  events: z.array(z.enum(WEBHOOK_EVENTS)).min(1).optional().describe('Default: all events.'),
  secret,
});
const secretBody = z.strictObject({ secret });

const tags = ['operating'];
const config = { scope: 'operate' } as const;
const SHOWN_ONCE = 'The secret is shown only this once.';

export function webhookRoutes(app: Api, tools: RouteTools): void {
  listRoute(app, tools);
  putRoute(app, tools);
  removeRoute(app, tools);
  rotateRoute(app, tools);
  toggleRoute(app, tools, {
    act: 'settle',
    summary: 'End a rotation: the older of the two secrets is no longer used',
  });
  toggleRoute(app, tools, { act: 'enable', summary: 'Enable a resting or disabled endpoint again' });
  testRoute(app, tools);
}

function listRoute(app: Api, { audit, mode }: RouteTools): void {
  app.route({
    method: 'GET',
    url: '/webhook-endpoints',
    config,
    schema: {
      operationId: 'webhookEndpoints',
      summary: 'List the endpoints of the key’s tenant with their state, without secrets',
      tags,
      response: { 200: webhooks, ...problems(400, 401, 403, 429, 503) },
    },
    handler: async (request) => {
      const caller = callerOf(request);
      await audit.write({ act: 'webhook.list', ...auditActor(caller, request.id), what: 'endpoints' });
      const views = await caller.client.webhooks.list();
      const endpoints = views.map((view) => ({ ...view, events: view.events === null ? null : [...view.events] }));
      return { mode, endpoints };
    },
  });
}

function putRoute(app: Api, { audit }: RouteTools): void {
  app.route({
    method: 'PUT',
    url: '/webhook-endpoints/:name',
    config,
    schema: {
      operationId: 'putWebhookEndpoint',
      summary: 'Register an endpoint, or replace its URL, events and secret',
      tags,
      params: nameParams,
      body: endpointBody,
      response: { 200: webhookSecret.describe(SHOWN_ONCE), ...problems(400, 401, 403, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const { name } = request.params;
      await audit.write(changeOf(request, `put ${name}`));
      return callerOf(request).client.webhooks.add({ name, ...request.body });
    },
  });
}

function removeRoute(app: Api, { audit }: RouteTools): void {
  app.route({
    method: 'DELETE',
    url: '/webhook-endpoints/:name',
    config,
    schema: {
      operationId: 'removeWebhookEndpoint',
      summary: 'Remove an endpoint. Its pending notifications are given up.',
      tags,
      params: nameParams,
      response: { 200: webhookDone, ...problems(400, 401, 403, 404, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const { name } = request.params;
      await audit.write(changeOf(request, `remove ${name}`));
      if ((await callerOf(request).client.webhooks.remove(name)) === 'missing') {
        throw ourFailure('RECORD_MISSING', 'no webhook endpoint has this name');
      }
      return { name };
    },
  });
}

function rotateRoute(app: Api, { audit }: RouteTools): void {
  app.route({
    method: 'POST',
    url: '/webhook-endpoints/:name/rotate',
    config,
    schema: {
      operationId: 'rotateWebhookSecret',
      summary: 'Add a new secret. Deliveries are signed with both until you settle the rotation.',
      tags,
      params: nameParams,
      body: secretBody,
      response: { 200: webhookSecret.describe(SHOWN_ONCE), ...problems(400, 401, 403, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const { name } = request.params;
      await audit.write(changeOf(request, `rotate ${name}`));
      return callerOf(request).client.webhooks.rotate(name, request.body.secret);
    },
  });
}

interface Toggle {
  readonly act: 'settle' | 'enable';
  readonly summary: string;
}

function toggleRoute(app: Api, { audit }: RouteTools, { act, summary }: Toggle): void {
  app.route({
    method: 'POST',
    url: `/webhook-endpoints/:name/${act}`,
    config,
    schema: {
      operationId: `${act}Webhook`,
      summary,
      tags,
      params: nameParams,
      response: { 200: webhookDone, ...problems(400, 401, 403, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const { name } = request.params;
      await audit.write(changeOf(request, `${act} ${name}`));
      await callerOf(request).client.webhooks[act](name);
      return { name };
    },
  });
}

function testRoute(app: Api, { audit }: RouteTools): void {
  app.route({
    method: 'POST',
    url: '/webhook-endpoints/:name/test',
    config,
    schema: {
      operationId: 'testWebhook',
      summary: 'Send a `webhook.test` and return the outcome',
      tags,
      params: nameParams,
      response: { 200: webhookTest, ...problems(400, 401, 403, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const { name } = request.params;
      await audit.write(changeOf(request, `test ${name}`));
      return callerOf(request).client.webhooks.test(name);
    },
  });
}

function changeOf(request: FastifyRequest, what: string) {
  return { act: 'webhook.change', ...auditActor(callerOf(request), request.id), what } as const;
}
