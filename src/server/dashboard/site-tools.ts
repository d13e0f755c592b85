/** Shared by the routes of the site: options, the operator of a request, pages, permissions and the audit log. */
import type { Queue } from 'bullmq';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Audit } from '../../adapters/audit.ts';
import type { ApiKeys } from '../../client/redis/api-keys.ts';
import type { BestframeClient } from '../../client/redis/client.ts';
import type { LoginLimiter } from '../../client/redis/login-limiter.ts';
import type { SiteSessions } from '../../client/redis/site-sessions.ts';
import type { AuditEntry } from '../../domain/operations/audit.ts';
import type { PlacedLine } from '../../domain/operations/audit-report.ts';
import type { Prices } from '../../domain/operations/costs.ts';
import type { Operator } from '../../domain/operations/operators.ts';
import type { Observer } from '../../domain/operations/process-metrics.ts';
import type { SessionLimits } from '../../domain/operations/sessions.ts';
import type { FrameSink } from '../../domain/ports.ts';
import type { Limits } from '../../domain/verification/actions.ts';
import type { Mode } from '../../domain/verification/mode.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { Deployment } from '../../redis/deployment.ts';
import type { Edge } from '../edge.ts';
import type { BulkRuns } from './bulk-runs.ts';
import { html } from './html.ts';
import type { DoctorReport } from './pages/doctor.ts';
import { isZone, layout, type Reader } from './pages/layout.ts';
import type { PasswordLogin } from './password-login.ts';
import { acceptsPage, wantsPage } from './request-kind.ts';
import type { IdentityProxy, OpenSession, Sessions } from './session.ts';
import type { Words } from './words/en.ts';
import { chooseLanguage, type Language, WORDS } from './words/language.ts';

export interface SiteOptions {
  readonly deployment: Deployment;
  readonly mode: Mode;
  readonly edge: Edge;
  readonly queues: {
    readonly verify: ReadonlyMap<Region, Queue>;
    readonly erase: Queue;
    readonly notify: Queue;
  };
  readonly client: BestframeClient;
  /** The API keys, which contain the names of the deployment's tenants. */
  readonly keys: Pick<ApiKeys, 'list'>;
  readonly audit: Audit;
  /** The present operators. */
  readonly operators: () => readonly Operator[];
  readonly limiter: LoginLimiter;
  readonly sessionStore: SiteSessions;
  readonly sessionLimits: SessionLimits;
  readonly identityProxy: IdentityProxy | null;
  readonly limits: Limits;
  readonly sink: Pick<FrameSink, 'open'>;
  readonly observer?: Observer;
  /** Prices of calls, to say what an act costs. Default: none. */
  readonly prices?: Prices | null;
  /** Reads the lines of the audit log, oldest first. Default: the log is not a file. */
  readonly auditLines?: (() => AsyncIterable<PlacedLine>) | undefined;
  /** Runs the checks of `bestframe doctor`. Default: not available. */
  readonly diagnose?: (() => Promise<DoctorReport>) | undefined;
}

export interface SiteTools extends SiteOptions {
  readonly sessions: Sessions;
  readonly passwords: PasswordLogin;
  readonly bulk: BulkRuns;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Null if nobody is logged in. */
    operator: Operator | null;
    /** Null if nobody is logged in, or if the request itself identifies the operator, by a password or through a proxy. */
    session: OpenSession | null;
  }
}

/** Fields of a query or a form. */
export type Fields = Readonly<Record<string, string | undefined>>;

export const LANGUAGE_COOKIE = 'bestframe-language';
/** The site's script sets it. */
const ZONE_COOKIE = 'bestframe-zone';

function zoneOf({ cookies }: FastifyRequest): string {
  const zone = cookies[ZONE_COOKIE];
  return zone !== undefined && zone.length < 50 && isZone(zone) ? zone : 'UTC';
}

export function languageOf(request: FastifyRequest): Language {
  // An address that cannot be routed is answered before any hook, so its cookies are not parsed.
  const cookies: FastifyRequest['cookies'] | undefined = request.cookies;
  return chooseLanguage(cookies?.[LANGUAGE_COOKIE], request.headers['accept-language']);
}

export function wordsFor(request: FastifyRequest): Words {
  return WORDS[languageOf(request)];
}

/** The operator of a request. Only for routes that need a login. */
export function operatorOf({ operator }: FastifyRequest): Operator {
  if (operator === null) throw new Error('a route without a login asked for its operator');
  return operator;
}

export function readerOf({ edge, mode }: SiteTools, request: FastifyRequest): Reader {
  const formToken = request.session?.formToken ?? null;
  const operator = operatorOf(request);
  return { language: languageOf(request), mode, base: edge.basePath, operator, formToken, zone: zoneOf(request) };
}

export function sendPage(reply: FastifyReply, page: string): FastifyReply {
  return reply.type('text/html; charset=utf-8').send(page);
}

interface Message {
  readonly status: number;
  readonly text: string;
}

/** Answers with one sentence: a browser gets a page, a program gets JSON. Every error of the site is answered here. */
export function sendMessage(
  tools: SiteTools,
  request: FastifyRequest,
  reply: FastifyReply,
  { status, text }: Message,
): FastifyReply {
  if (!acceptsPage(request)) return reply.code(status).send({ error: text });
  // Before routing, a request does not even have the decoration `operator`.
  const reader = request.operator == null ? null : readerOf(tools, request);
  const body = html`<h1>${text}</h1>`;
  const { edge, mode } = tools;
  const language = languageOf(request);
  const page = layout({ title: String(status), language, mode, base: edge.basePath, reader, body });
  return sendPage(reply.code(status), page);
}

export function sendNotFound(tools: SiteTools, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return sendMessage(tools, request, reply, { status: 404, text: wordsFor(request).notFound });
}

/** Redirects to a path of the site, after a form or a search. */
export function redirectTo({ edge }: Pick<SiteTools, 'edge'>, reply: FastifyReply, path: string): FastifyReply {
  return reply.redirect(`${edge.basePath}${path}`, 303);
}

/** The options of every cookie: scripts and other sites cannot use it, and it stays below the base path. */
export function cookieOptions({ edge }: Pick<SiteTools, 'edge'>, { protocol }: FastifyRequest) {
  const path = edge.basePath === '' ? '/' : edge.basePath;
  return { path, httpOnly: true, sameSite: 'strict', secure: protocol === 'https' } as const;
}

/** Sends a browser to the login page, and asks a program for a password. */
export function refuseLogin(tools: SiteTools, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (wantsPage(request)) return redirectTo(tools, reply, `/login?to=${encodeURIComponent(request.url)}`);
  reply.header('www-authenticate', 'Basic realm="Bestframe"');
  return sendMessage(tools, request, reply, { status: 401, text: wordsFor(request).loginRequired });
}

/** Whether the site's script asks for a page again, to update it. */
export function isUpdate({ headers }: FastifyRequest): boolean {
  return headers['x-bestframe-live'] === '1';
}

const auditedUntil = new Map<string, number>();

/**
 * Audits the view of a list. The site's script asks for a page again whenever something changes, so an operator's updates of one list
 * share a line in a minute.
 */
export async function auditView(tools: SiteTools, request: FastifyRequest, what: string): Promise<void> {
  const key = `${request.operator?.name ?? ''} ${what}`;
  const now = Date.now();
  if (isUpdate(request) && (auditedUntil.get(key) ?? 0) > now) return;
  await auditAct(tools, request, { act: 'verifications.list', what });
  for (const [known, until] of auditedUntil) if (until <= now) auditedUntil.delete(known);
  auditedUntil.set(key, now + 60_000);
}

/** Writes an action of the request's operator to the audit log. Call it before the action. */
export function auditAct(
  { audit }: SiteTools,
  request: FastifyRequest,
  entry: Pick<AuditEntry, 'act' | 'on' | 'what' | 'purpose'>,
): Promise<void> {
  return audit.write({ actor: request.operator?.name ?? null, tenant: null, requestId: request.id, ...entry });
}
