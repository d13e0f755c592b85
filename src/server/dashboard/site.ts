/**
 * The operators' site: the overview at `/`, lists and a page for each verification, a page for each part of the deployment, the
 * forms of operators, the Bull dashboard under `/dashboard`, and `/metrics` for Prometheus.
 *
 * What must hold:
 * 1. Without a login, only the login page, the language links, the style sheet and the script are visible.
 * 2. Every change comes from a form of the operator's session (token, same site), needs a role, and is in the audit log before it
 *    is made.
 * 3. No page shows a key, metadata, link or path. A frame is visible only with the role `frames`, and each view is audited.
 * 4. Pages have one script of their own, and no inline script, inline style or content from other hosts (strict CSP; the page of
 *    bull-board has its own policy). Every page works without the script.
 */
import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { Failure } from '../../domain/errors/failure.ts';
import { CODES, explain } from '../../domain/errors/index.ts';
import { METRICS_TYPE, metricsText } from '../api/metrics.ts';
import { edgeOptions, transportHeaders } from '../edge.ts';
import { observeRequests } from '../observe-requests.ts';
import { Refusals } from '../refusals.ts';
import { recordRoutes } from '../route-table.ts';
import { addAccessHooks } from './access.ts';
import { serveBoard } from './board.ts';
import { BulkRuns } from './bulk-runs.ts';
import { titleIn } from './pages/error-words.ts';
import { PasswordLogin } from './password-login.ts';
import { actionRoutes } from './routes/actions.ts';
import { bulkRoutes } from './routes/bulk.ts';
import { liveRoute } from './routes/live.ts';
import { loginRoutes } from './routes/login.ts';
import { pageRoutes } from './routes/pages.ts';
import { partRoutes } from './routes/parts.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { tenantRoutes } from './routes/tenants.ts';
import { verificationRoutes } from './routes/verification.ts';
import { verificationsRoutes } from './routes/verifications.ts';
import { Sessions } from './session.ts';
import {
  auditAct,
  type Fields,
  languageOf,
  type SiteOptions,
  type SiteTools,
  sendMessage,
  sendNotFound,
  wordsFor,
} from './site-tools.ts';

export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

const MAX_FORM_BYTES = 16_384;
/** Time limit of a request. A form is small. */
const REQUEST_MS = 30_000;

const HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "connect-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cache-control': 'no-store',
};

export interface Address {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
}

/** Opens the site at an address. */
export async function openSite(options: SiteOptions, { host, port }: Address): Promise<Site> {
  const app = await buildSite(options);
  await app.listen({ host, port });
  const address = app.server.address();
  const boundPort = typeof address === 'object' && address !== null ? address.port : port;
  return { url: `http://${host}:${boundPort}/`, close: () => app.close() };
}

export async function buildSite(options: SiteOptions): Promise<FastifyInstance> {
  const { audit, client, limiter, operators, edge, identityProxy } = options;
  const { sessionStore: store, sessionLimits: limits } = options;
  const refusals = new Refusals(audit, limiter);
  const tools: SiteTools = {
    ...options,
    sessions: new Sessions({ operators, store, limits, identityProxy }),
    passwords: new PasswordLogin({ operators, limiter, refusals }),
    bulk: new BulkRuns(options.deployment, client),
  };
  const app = fastify({
    routerOptions: { querystringParser: parseFields },
    // These errors occur before routing, so no hook and no error handler sees them.
    frameworkErrors: (_error, request, reply) => {
      const plain = reply as unknown as FastifyReply;
      sendMessage(tools, request, plain.headers(HEADERS), { status: 400, text: wordsFor(request).malformed });
    },
    logger: false,
    forceCloseConnections: true,
    ...edgeOptions(edge, REQUEST_MS),
  });
  recordRoutes(app);
  if (options.observer !== undefined) observeRequests(app, { observer: options.observer, service: 'site' });
  await app.register(cookie);
  await app.register(formbody, { bodyLimit: MAX_FORM_BYTES, parser: parseFields });
  app.decorateRequest('operator', null);
  app.decorateRequest('session', null);
  addErrorHandlers(app, tools); // before the routes: a route that is registered earlier would keep Fastify's own error page
  app.addHook('onRequest', async (request, reply) => void reply.headers({ ...HEADERS, ...transportHeaders(request) }));
  addAccessHooks(app, tools);
  loginRoutes(app, tools);
  pageRoutes(app, tools);
  verificationRoutes(app, tools);
  verificationsRoutes(app, tools);
  bulkRoutes(app, tools);
  partRoutes(app, tools);
  liveRoute(app, tools);
  actionRoutes(app, tools);
  sessionRoutes(app, tools);
  tenantRoutes(app, tools);
  app.get('/metrics', async (_request, reply) =>
    reply.type(METRICS_TYPE).send(await metricsText(await client.metrics())),
  );
  auditBoard(app, tools);
  await serveBoard(app, tools);
  app.addHook('onClose', async () => {
    await tools.bulk.close();
    await refusals.close();
  });
  await app.ready();
  return app;
}

/** Parses a query or a form. Of a repeated field, the last one counts; a field may have any name, also `__proto__`. */
function parseFields(text: string): Fields {
  return Object.fromEntries(new URLSearchParams(text));
}

/**
 * Audits views of the Bull dashboard. Its page asks for the jobs every few seconds, so an operator's requests of one minute share a
 * line.
 */
function auditBoard(app: FastifyInstance, tools: SiteTools): void {
  const auditedUntil = new Map<string, number>();
  app.addHook('onRequest', async (request) => {
    const { operator, routeOptions } = request;
    if (operator === null || routeOptions.url?.startsWith('/dashboard') !== true) return;
    if ((auditedUntil.get(operator.name) ?? 0) > Date.now()) return;
    await auditAct(tools, request, { act: 'verifications.list', what: 'Bull dashboard' });
    auditedUntil.set(operator.name, Date.now() + 60_000);
  });
}

function addErrorHandlers(app: FastifyInstance, tools: SiteTools): void {
  app.setNotFoundHandler((request, reply) => sendNotFound(tools, request, reply));
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const words = wordsFor(request);
    if (error instanceof Failure && error.code === CODES.REDIS_UNAVAILABLE)
      return sendMessage(tools, request, reply, { status: 503, text: words.redisUnavailable });
    if (error instanceof Failure && error.code === CODES.RATE_LIMITED) {
      reply.header('retry-after', Math.ceil((error.retryAfterMs ?? 0) / 1_000));
      return sendMessage(tools, request, reply, { status: 429, text: words.tooManyAttempts });
    }
    if (error instanceof Failure && error.code === CODES.WEBHOOK_UNKNOWN) return sendNotFound(tools, request, reply);
    if (error instanceof Failure && explain(error.code)?.class === 'caller')
      return sendMessage(tools, request, reply, { status: 400, text: errorText(request, error) ?? '' });
    const status = error.statusCode !== undefined && error.statusCode < 500 ? error.statusCode : 500;
    return sendMessage(tools, request, reply, { status, text: errorText(request, error) ?? String(status) });
  });
}

/** The text that a page shows for an error. A failure's message is English, so other languages show the code's title. */
function errorText(request: FastifyRequest, error: Error): string | null {
  if (!(error instanceof Failure)) return null;
  const language = languageOf(request);
  return language === 'en' ? error.message : titleIn(language, { code: error.code, title: error.message });
}
