/**
 * The operators' site: one verdict at `/`, each verification's timeline, what a person may decide, the Bull dashboard under
 * `/dashboard`, and `/metrics` for Prometheus.
 *
 * What must hold:
 * 1. Nobody sees anything without a login but the login page and the style sheet.
 * 2. Whatever changes something is a form of this session (token, same site), by somebody whose role permits it, and is in the
 *    audit log before it is done.
 * 3. No key, metadata, link or path on any page; a frame only to who may see frames, and each look is audited.
 * 4. No script, nothing from outside, no inline style (strict CSP; bull-board's page has a policy of its own).
 */
import { Readable } from 'node:stream';
import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import rateLimit from '@fastify/rate-limit';
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import type { Audit, AuditEntry } from '../../audit.ts';
import type { ApiKeys } from '../../client/api-keys.ts';
import type { BestframeClient } from '../../client/client.ts';
import { GATED_ACTIONS, type Limits, REGIONS } from '../../domain/actions.ts';
import { CODES } from '../../domain/errors/index.ts';
import { Failure } from '../../domain/failure.ts';
import { STEERS } from '../../domain/gates.ts';
import { HELD_CHOICES } from '../../domain/held.ts';
import type { Operator, Role } from '../../domain/operators.ts';
import type { FrameSink } from '../../domain/ports.ts';
import { recentOf, verdictOf } from '../../domain/verdict.ts';
import type { VerificationView } from '../../domain/view.ts';
import { METRICS_TYPE, metricsText } from '../metrics.ts';
import { type BoardOptions, serveBoard } from './board.ts';
import { html } from './html.ts';
import { layout, type Reader } from './pages/layout.ts';
import { loginPage } from './pages/login.ts';
import { overviewPage } from './pages/overview.ts';
import { verificationPage } from './pages/verification.ts';
import { COOKIE, type Proxies, SESSION_MS, Sessions } from './session.ts';
import { STYLE } from './style.ts';
import { LANGUAGES, languageOf, type Words } from './words.ts';

export interface SiteOptions extends BoardOptions {
  readonly client: BestframeClient;
  /** Where several share the deployment, their names. */
  readonly keys: Pick<ApiKeys, 'list'>;
  readonly audit: Audit;
  readonly operators: readonly Operator[];
  readonly proxies: Proxies | null;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly limits: Limits;
  readonly sink: Pick<FrameSink, 'open'>;
}

export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

const CSP = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src 'self' data:",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Of the newest that ended; pace, mix and p95 are theirs. */
const LOOKED_AT = 300;
const LISTED = 20;
/** To fetch a frame that lies in a bucket. */
const FRAME_MS = 15_000;
const LANGUAGE = 'bestframe-language';
const TRIES = { max: 10, timeWindow: 5 * 60_000 };

declare module 'fastify' {
  interface FastifyRequest {
    operator: Operator | null;
  }
}

type Form = Readonly<Record<string, string | undefined>>;

export async function openSite(options: SiteOptions): Promise<Site> {
  const { client, audit, mode, host, port } = options;
  const sessions = new Sessions(options.operators, await secretOf(options), options.proxies);
  const trusted = options.proxies?.trusted ?? [];
  const app = fastify({ logger: false, forceCloseConnections: true, trustProxy: trusted.length > 0 && [...trusted] });
  await app.register(cookie);
  await app.register(formbody, { bodyLimit: 16_384 });
  await app.register(rateLimit, { global: false });
  app.decorateRequest('operator', null);

  const wordsFor = (request: FastifyRequest): Words =>
    LANGUAGES[languageOf(request.cookies[LANGUAGE], request.headers['accept-language'])];
  const readerOf = (request: FastifyRequest): Reader => {
    const operator = request.operator as Operator;
    return { words: wordsFor(request), mode, operator, token: sessions.tokenOf(operator) };
  };
  const plain = (request: FastifyRequest, reply: FastifyReply, status: number, text: string) => {
    const reader = request.operator === null ? null : readerOf(request);
    const words = wordsFor(request);
    const body = html`<h1>${text}</h1>`;
    return page(reply.code(status), layout({ title: String(status), words, mode, reader, body }));
  };

  // ── who ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  app.addHook('onRequest', async (request, reply) => {
    reply.header('content-security-policy', CSP);
    reply.header('x-content-type-options', 'nosniff');
    reply.header('referrer-policy', 'same-origin');
    reply.header('cache-control', 'no-store');
    const reads = request.method === 'GET' || request.method === 'HEAD';
    request.operator =
      sessions.byCookie(request.cookies[COOKIE], Date.now()) ??
      sessions.byProxy(request.headers, request.socket.remoteAddress ?? '') ??
      (reads ? await sessions.byPassword(request.headers.authorization) : null);
    if (request.operator !== null || OPEN.test(request.url)) return;
    const wantsPage = reads && (request.headers.accept ?? '').includes('text/html');
    if (wantsPage) return reply.redirect(`/login?to=${encodeURIComponent(request.url)}`, 303);
    await reply.code(401).header('www-authenticate', 'Basic realm="Bestframe"').send({ error: 'log in first' });
  });

  app.get<{ Querystring: Form }>('/login', async (request, reply) =>
    page(reply, loginPage({ words: wordsFor(request), mode, to: pathOf(request.query.to), fault: null })),
  );

  app.post<{ Body: Form }>('/login', { config: { rateLimit: TRIES } }, async (request, reply) => {
    const { name = '', password = '', to } = request.body ?? {};
    const operator = await sessions.login(name, password);
    if (operator === null) {
      await audit.write({ act: 'login.refused', actor: null, tenant: null, requestId: request.id });
      const words = wordsFor(request);
      return page(reply.code(401), loginPage({ words, mode, to: pathOf(to), fault: words.wrong }));
    }
    await audit.write({ act: 'login', actor: operator.name, tenant: null, requestId: request.id });
    reply.setCookie(COOKIE, sessions.begin(operator, Date.now()), {
      path: '/',
      httpOnly: true,
      sameSite: 'strict',
      secure: request.protocol === 'https',
      maxAge: SESSION_MS / 1_000,
    });
    return reply.redirect(pathOf(to), 303);
  });

  app.get<{ Params: { language: string } }>('/language/:language', async (request, reply) => {
    const { language } = request.params;
    if (language in LANGUAGES) reply.setCookie(LANGUAGE, language, { path: '/', sameSite: 'strict', httpOnly: true });
    return reply.redirect(backOf(request), 303);
  });

  app.get('/style.css', async (_request, reply) => reply.type('text/css; charset=utf-8').send(STYLE));

  // ── what is shown ────────────────────────────────────────────────────────────────────────────────────────────────

  app.get<{ Querystring: Form }>('/', async (request, reply) => {
    const now = Date.now();
    const [metrics, ended, live, held] = await Promise.all([
      client.metrics(),
      client.list({ ended: true, limit: LOOKED_AT }),
      client.list({ ended: false, limit: LISTED }),
      client.held({ limit: LISTED }),
    ]);
    const recent = recentOf(ended, now);
    const latest = [...live, ...ended].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1)).slice(0, LISTED);
    const verdict = verdictOf({ metrics, recent, limits: options.limits, now });
    const reader = readerOf(request);
    const { said, refresh } = request.query;
    const done = said === 'done' ? reader.words.done : null;
    const overview = { verdict, metrics, recent, held, latest, said: done, refresh: refresh === '1', now };
    return page(reply, overviewPage(reader, overview));
  });

  app.get<{ Querystring: Form }>('/find', async (request, reply) => {
    const what = (request.query.what ?? '').trim();
    const found = what === '' ? null : ((await client.get(what)) ?? (await byKey(what)));
    if (found === null) return plain(request, reply, 404, wordsFor(request).notFound);
    return reply.redirect(`/v/${found.id}`, 303);
  });

  /** The deployment's own, or the first tenant's that has it. */
  async function byKey(key: string): Promise<VerificationView | null> {
    const own = await client.getByKey(key);
    if (own !== null) return own;
    for (const tenant of new Set((await options.keys.list()).map((each) => each.tenant))) {
      const found = await client.forTenant(tenant).getByKey(key);
      if (found !== null) return found;
    }
    return null;
  }

  app.get<{ Params: { id: string }; Querystring: Form }>('/v/:id', async (request, reply) => {
    const { id } = request.params;
    const reader = readerOf(request);
    const view = await client.get(id);
    if (view === null) return plain(request, reply, 404, reader.words.notFound);
    await write(request, { act: 'timeline.read', on: id });
    const { said, frame } = request.query;
    const refused = reader.words.refusedDecision[said as keyof Words['refusedDecision']];
    const shown = said === 'done' ? reader.words.done : (refused ?? null);
    return page(reply, verificationPage(reader, { view, said: shown, frame: frame === '1' }));
  });

  app.get<{ Params: { id: string } }>('/v/:id/frame', { preHandler: only('frames') }, async (request, reply) => {
    const { id } = request.params;
    const view = await client.get(id);
    const stored = view?.frame === 'stored' ? view.bestFrame : null;
    if (stored === null) return plain(request, reply, 404, wordsFor(request).notFound);
    await write(request, { act: 'frame.read', on: id });
    const frame = await options.sink.open(stored, AbortSignal.timeout(FRAME_MS));
    if (frame === null) return plain(request, reply, 404, wordsFor(request).notFound);
    const picture = Readable.from(frame.bytes(0, stored.bytes - 1)).once('close', () => void frame.close());
    return reply.type('image/jpeg').send(picture);
  });

  app.get('/metrics', async (_request, reply) =>
    reply.type(METRICS_TYPE).send(await metricsText(await client.metrics())),
  );

  await serveBoard(app, options);

  // ── what is done ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Only from a page of this session, and only by whom it is permitted to. */
  function only(role: Role | null) {
    return async (request: FastifyRequest, reply: FastifyReply) => {
      const operator = request.operator as Operator;
      const token = (request.body as Form | null | undefined)?.token;
      if (request.method === 'POST' && !sessions.isToken(operator, token))
        return plain(request, reply, 403, wordsFor(request).stale);
      if (role !== null && !operator.roles.includes(role))
        return plain(request, reply, 403, wordsFor(request).forbidden);
    };
  }

  app.post('/logout', { preHandler: only(null) }, async (_request, reply) => {
    reply.clearCookie(COOKIE, { path: '/' });
    return reply.redirect('/login', 303);
  });

  app.post<{ Params: { id: string }; Body: Form }>(
    '/v/:id/decide',
    { preHandler: only('operator') },
    async (request, reply) => {
      const { id } = request.params;
      const { choice: given, why = '', payAgain } = request.body;
      const choice = HELD_CHOICES.find((each) => each === given);
      if (choice === undefined || why.trim() === '') return plain(request, reply, 400, wordsFor(request).askedWhy);
      await write(request, { act: 'held.resolve', on: id, what: choice, purpose: why });
      const by = request.operator?.name ?? '';
      const { status } = await client.resolve(id, choice, { by, why, payAgain: payAgain === '1' });
      return reply.redirect(`/v/${id}?said=${status === 'ok' ? 'done' : encodeURIComponent(status)}`, 303);
    },
  );

  app.post<{ Params: { region: string; action: string }; Body: Form }>(
    '/gate/:region/:action',
    { preHandler: only('operator') },
    async (request, reply) => {
      const region = REGIONS.find((each) => each === request.params.region);
      const action = GATED_ACTIONS.find((each) => each === request.params.action);
      const steer = STEERS.find((each) => each === request.body.steer);
      const { why = '' } = request.body;
      if (region === undefined || action === undefined || steer === undefined)
        return plain(request, reply, 404, wordsFor(request).notFound);
      if (why.trim() === '') return plain(request, reply, 400, wordsFor(request).askedWhy);
      await write(request, { act: 'gate.steer', on: `${region} ${action}`, what: steer, purpose: why });
      await client.steer(region, action, steer, request.operator?.name ?? '', why);
      return reply.redirect('/?said=done', 303);
    },
  );

  // ── what went wrong ──────────────────────────────────────────────────────────────────────────────────────────────

  app.setNotFoundHandler((request, reply) => plain(request, reply, 404, wordsFor(request).notFound));
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const words = wordsFor(request);
    if (error instanceof Failure && error.code === CODES.REDIS_UNAVAILABLE)
      return plain(request, reply, 503, words.away);
    if (error.statusCode === 429) return plain(request, reply, 429, words.tooMany);
    const status = error.statusCode !== undefined && error.statusCode < 500 ? error.statusCode : 500;
    return plain(request, reply, status, error instanceof Failure ? error.message : `${status}`);
  });

  function write(request: FastifyRequest, entry: Pick<AuditEntry, 'act' | 'on' | 'what' | 'purpose'>): Promise<void> {
    return audit.write({ actor: request.operator?.name ?? null, tenant: null, requestId: request.id, ...entry });
  }

  await app.listen({ host, port });
  const address = app.server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  return { url: `http://${host}:${bound}/`, close: () => app.close() };
}

/** Without a login. */
const OPEN = /^\/(login|style\.css|language\/\w+)(\?|$)/;

/** One for all processes of a deployment, made by the first. */
async function secretOf({ redis, names }: BoardOptions): Promise<string> {
  await redis.set(names.siteSecret, Sessions.newSecret(), 'NX');
  return (await redis.get(names.siteSecret)) ?? Sessions.newSecret();
}

/** A path of ours, and nothing that leads elsewhere. */
function pathOf(to: string | undefined): string {
  return to !== undefined && /^\/(?![/\\])[^\r\n]*$/.test(to) ? to : '/';
}

/** Where a link was clicked, if that was here. */
function backOf(request: FastifyRequest): string {
  const from = request.headers.referer;
  if (from === undefined || !URL.canParse(from)) return '/';
  const url = new URL(from);
  return url.host === request.host ? pathOf(`${url.pathname}${url.search}`) : '/';
}

function page(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('text/html; charset=utf-8').send(text);
}
