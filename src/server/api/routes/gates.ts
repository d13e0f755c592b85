/** Shows and steers the gates. Gates belong to the deployment, so a key of a tenant other than `default` is refused. */
import { callerOf } from '../auth.ts';
import { problems } from '../openapi.ts';
import { type Api, actorName, auditActor, type RouteTools, requireDeployment } from '../route-tools.ts';
import { gates, steerBody, steered } from '../schemas.ts';

export function gateRoutes(app: Api, { audit, client, mode }: RouteTools): void {
  const present = async () => {
    const [open, breakers] = await Promise.all([client.gates(), client.breakers()]);
    return { gates: open, breakers };
  };

  app.route({
    method: 'GET',
    url: '/gate',
    config: { scope: 'operate' },
    schema: {
      operationId: 'gates',
      summary:
        'All gates that were ever used, with their state and its reason, and the services that verifications need',
      tags: ['operating'],
      response: { 200: gates, ...problems(400, 401, 403, 429, 503) },
    },
    onRequest: async (request) => requireDeployment(callerOf(request)),
    handler: async () => ({ mode, ...(await present()) }),
  });

  app.route({
    method: 'POST',
    url: '/gate',
    config: { scope: 'operate' },
    schema: {
      operationId: 'steer',
      summary: 'Open, close, pause or resume a gate',
      tags: ['operating'],
      body: steerBody,
      response: { 200: steered, ...problems(400, 401, 403, 413, 415, 429, 503) },
    },
    // Before the body is read, so that a tenant learns nothing from its validation.
    onRequest: async (request) => requireDeployment(callerOf(request)),
    handler: async (request) => {
      const caller = callerOf(request);
      const { region, action, steer, why } = request.body;
      const act = { act: 'gate.steer', on: `${region} ${action}`, what: steer } as const;
      await audit.write({ ...act, ...auditActor(caller, request.id) });
      const changed = await client.steerGate({ region, action }, steer, { by: actorName(caller), why });
      return { mode, ...(await present()), changed };
    },
  });
}
