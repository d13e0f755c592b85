/** The sessions: log out, see who is logged in, and end a session. An operator without the role `operator` sees only their own. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { SiteSession } from '../../../domain/operations/sessions.ts';
import { sessionsPage } from '../pages/sessions.ts';
import { SESSION_COOKIE } from '../session.ts';
import {
  auditAct,
  cookieOptions,
  type Fields,
  operatorOf,
  readerOf,
  redirectTo,
  type SiteTools,
  sendNotFound,
  sendPage,
  wordsFor,
} from '../site-tools.ts';

export function sessionRoutes(app: FastifyInstance, tools: SiteTools): void {
  const { sessions } = tools;

  app.post('/logout', async (request, reply) => {
    const id = request.session?.id ?? '';
    await auditAct(tools, request, { act: 'session.end', on: id, what: 'logout' });
    await sessions.end(id);
    reply.clearCookie(SESSION_COOKIE, cookieOptions(tools, request));
    return redirectTo(tools, reply, '/login');
  });

  app.get<{ Querystring: Fields }>('/sessions', async (request, reply) => {
    const visible = (await sessions.list()).filter((each) => mayEnd(request, each));
    const notice = request.query.notice === 'done' ? wordsFor(request).done : null;
    const own = request.session?.id ?? null;
    return sendPage(reply, sessionsPage(readerOf(tools, request), { sessions: visible, own, notice }));
  });

  app.post<{ Params: { id: string } }>('/sessions/:id/end', async (request, reply) => {
    const { id } = request.params;
    const session = (await sessions.list()).find((each) => each.id === id && mayEnd(request, each));
    if (session === undefined) return sendNotFound(tools, request, reply);
    await auditAct(tools, request, { act: 'session.end', on: id, what: session.operator });
    await sessions.end(id);
    return redirectTo(tools, reply, '/sessions?notice=done');
  });
}

function mayEnd(request: FastifyRequest, { operator }: SiteSession): boolean {
  const { name, roles } = operatorOf(request);
  return roles.includes('operator') || operator === name;
}
