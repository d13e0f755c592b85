/**
 * Access to the routes of the site. Each route says who may use it in `config.access`; a route that says nothing needs a login.
 *
 * What must hold:
 * 1. The route that runs decides, not the spelling of the path in the request.
 * 2. A request that may change something needs the form token of its session.
 * 3. A session that the identity proxy started counts only while the proxy names the same operator.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Operator, Role } from '../../domain/operations/operators.ts';
import type { SessionWay } from '../../domain/operations/sessions.ts';
import { basicCredentials } from './password-login.ts';
import { isRead, wantsPage } from './request-kind.ts';
import { isFormOf, SESSION_COOKIE } from './session.ts';
import { cookieOptions, type Fields, refuseLogin, type SiteTools, sendMessage, wordsFor } from './site-tools.ts';

/** `public`: no login. `viewer`: every operator. Otherwise the role that the operator needs. */
export type Access = 'public' | 'viewer' | Role;

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
  }
}

/** Identifies the operator of each request, and refuses those that the route does not admit. */
export function addAccessHooks(app: FastifyInstance, tools: SiteTools): void {
  app.addHook('onRequest', async (request, reply) => {
    await identify(tools, request, reply);
    const { access = 'viewer' } = request.routeOptions.config;
    if (access === 'public') return;
    const { operator } = request;
    if (operator === null) return refuseLogin(tools, request, reply);
    if (access !== 'viewer' && !operator.roles.includes(access))
      return sendMessage(tools, request, reply, { status: 403, text: wordsFor(request).forbidden });
  });
  app.addHook('preHandler', async (request, reply) => {
    if (isRead(request) || request.is404) return;
    // A form of another site must not log a browser in, either.
    const isForeign = request.headers['sec-fetch-site'] === 'cross-site';
    if (request.routeOptions.config.access === 'public' && !isForeign) return;
    const token = (request.body as Fields | null | undefined)?.token;
    if (request.session === null || !isFormOf(request.session, token))
      return sendMessage(tools, request, reply, { status: 403, text: wordsFor(request).staleForm });
  });
}

async function identify(
  { sessions, ...tools }: SiteTools,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const found = await sessions.byCookie(request.cookies[SESSION_COOKIE]);
  const named = sessions.operatorByProxy(request.headers);
  if (named !== null && found?.operator.name !== named.name) {
    request.operator = named;
    // Only a page needs a session, for its forms. A program behind the proxy would start a new one with each request.
    if (wantsPage(request))
      await startSession({ ...tools, sessions }, request, reply, { operator: named, way: 'proxy' });
    return;
  }
  const login = found?.session.way === 'proxy' && named === null ? null : found;
  request.operator = login?.operator ?? (await byBasicAuthentication(tools, request));
  request.session = login?.session ?? null;
}

/**
 * Basic authentication permits only reading, because a browser would send the password even with a form of another site.
 * @throws Failure RATE_LIMITED after too many failures
 */
async function byBasicAuthentication({ passwords }: Pick<SiteTools, 'passwords'>, request: FastifyRequest) {
  const credentials = basicCredentials(request.headers.authorization);
  const isNeeded = isRead(request) && request.routeOptions.config.access !== 'public';
  return credentials === null || !isNeeded ? null : passwords.check(request, credentials);
}

/** Starts a session for the operator, sets its cookie, and ends the session that the request had. */
export async function startSession(
  tools: SiteTools,
  request: FastifyRequest,
  reply: FastifyReply,
  { operator, way }: { readonly operator: Operator; readonly way: SessionWay },
): Promise<void> {
  const { audit, sessions } = tools;
  const previous = await sessions.byCookie(request.cookies[SESSION_COOKIE]);
  await audit.write({
    act: 'login',
    actor: operator.name,
    tenant: null,
    what: way,
    requestId: request.id,
    address: request.ip,
  });
  if (previous !== null) await sessions.end(previous.session.id);
  const { session, cookie, lifeMs } = await sessions.start(operator, way, request.ip);
  request.session = session;
  reply.setCookie(SESSION_COOKIE, cookie, {
    ...cookieOptions(tools, request),
    maxAge: Math.ceil(lifeMs / 1_000),
  });
}
