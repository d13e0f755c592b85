/** What holds calls back, and how an operator steers it. Gates are the deployment's, not a tenant's. */
import { callerOf } from '../auth.ts';
import { errors } from '../openapi.ts';
import { gates, steerBody, steered } from '../schemas.ts';
import type { Api, RouteTools } from '../server.ts';
import { byOf } from './acts.ts';
import { actOf } from './verifications.ts';

export function gateRoutes(app: Api, { audit, client, mode }: RouteTools): void {
  app.route({
    method: 'GET',
    url: '/gate',
    config: { scope: 'operate' },
    schema: {
      operationId: 'gates',
      summary: 'The gates that were ever used: open, closed or paused, and why',
      tags: ['operating'],
      response: { 200: gates, ...errors(400, 401, 403, 429, 503) },
    },
    handler: async () => ({ mode, gates: await client.gates() }),
  });

  app.route({
    method: 'POST',
    url: '/gate',
    config: { scope: 'operate' },
    schema: {
      operationId: 'steer',
      summary: 'Opens, closes, pauses or resumes a gate',
      tags: ['operating'],
      body: steerBody,
      response: { 200: steered, ...errors(400, 401, 403, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const caller = callerOf(request);
      const { region, action, steer, why } = request.body;
      await audit.write({ act: 'gate.steer', ...actOf(caller, request.id), on: `${region} ${action}`, what: steer });
      const changed = await client.steer(region, action, steer, byOf(caller.key.id), why);
      return { mode, gates: await client.gates(), changed };
    },
  });
}
