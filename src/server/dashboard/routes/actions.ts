/** The forms of operators: decide about a held verification, steer a gate. */
import type { FastifyInstance } from 'fastify';
import { GATE_COMMANDS } from '../../../domain/operations/gates.ts';
import { HELD_CHOICES } from '../../../domain/operations/held.ts';
import { GATED_ACTIONS, serves } from '../../../domain/verification/actions.ts';
import { REGIONS } from '../../../domain/verification/regions.ts';
import {
  auditAct,
  type Fields,
  operatorOf,
  redirectTo,
  type SiteTools,
  sendMessage,
  sendNotFound,
  wordsFor,
} from '../site-tools.ts';

export function actionRoutes(app: FastifyInstance, tools: SiteTools): void {
  decideRoute(app, tools);
  steerRoute(app, tools);
}

function decideRoute(app: FastifyInstance, tools: SiteTools): void {
  app.post<{ Params: { id: string }; Body: Fields }>(
    '/v/:id/decide',
    { config: { access: 'operator' } },
    async (request, reply) => {
      const { id } = request.params;
      const { why = '', payAgain } = request.body;
      const choice = HELD_CHOICES.find((each) => each === request.body.choice);
      if (choice === undefined || why.trim() === '')
        return sendMessage(tools, request, reply, { status: 400, text: wordsFor(request).reasonRequired });
      await auditAct(tools, request, { act: 'held.resolve', on: id, what: choice, purpose: why });
      const by = operatorOf(request).name;
      const { status } = await tools.client.resolve(id, choice, { by, why, payAgain: payAgain === '1' });
      return redirectTo(tools, reply, `/v/${id}?notice=${status === 'ok' ? 'done' : status}`);
    },
  );
}

function steerRoute(app: FastifyInstance, tools: SiteTools): void {
  type Route = { Params: { region: string; action: string }; Body: Fields };
  app.post<Route>('/gate/:region/:action', { config: { access: 'operator' } }, async (request, reply) => {
    const { params, body } = request;
    const region = REGIONS.find((each) => each === params.region);
    const action = GATED_ACTIONS.find((each) => each === params.action);
    const steer = GATE_COMMANDS.find((each) => each === body.steer);
    const { why = '' } = body;
    if (region === undefined || action === undefined || steer === undefined) return sendNotFound(tools, request, reply);
    if (!serves(region, action)) return sendNotFound(tools, request, reply);
    if (why.trim() === '')
      return sendMessage(tools, request, reply, { status: 400, text: wordsFor(request).reasonRequired });
    await auditAct(tools, request, { act: 'gate.steer', on: `${region} ${action}`, what: steer, purpose: why });
    await tools.client.steerGate({ region, action }, steer, { by: operatorOf(request).name, why });
    return redirectTo(tools, reply, '/?notice=done');
  });
}
