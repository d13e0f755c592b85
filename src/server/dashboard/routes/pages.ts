/** The pages of the site: overview, search, one verification, and its frame. */
import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { computeVerdict, summarizeRecent } from '../../../domain/operations/verdict.ts';
import { TENANT_PATTERN } from '../../../domain/verification/names.ts';
import type { VerificationView } from '../../../domain/verification/view.ts';
import { overviewPage } from '../pages/overview.ts';
import { verificationPage } from '../pages/verification.ts';
import {
  auditAct,
  type Fields,
  readerOf,
  redirectTo,
  type SiteTools,
  sendNotFound,
  sendPage,
  wordsFor,
} from '../site-tools.ts';
import type { Words } from '../words/en.ts';

/** Rate, results and p95 are computed from this many of the most recently ended verifications. */
const SAMPLE = 300;
const MAX_LISTED = 20;
/** Time limit to read a frame from a bucket. */
const FRAME_TIMEOUT_MS = 15_000;

export function pageRoutes(app: FastifyInstance, tools: SiteTools): void {
  overviewRoute(app, tools);
  findRoute(app, tools);
  verificationRoute(app, tools);
  frameRoute(app, tools);
}

function overviewRoute(app: FastifyInstance, tools: SiteTools): void {
  const { client, limits } = tools;
  app.get<{ Querystring: Fields }>('/', async (request, reply) => {
    const now = Date.now();
    const { tenant = '' } = request.query;
    const shown = TENANT_PATTERN.test(tenant) ? client.forTenant(tenant) : client;
    await auditAct(tools, request, { act: 'verifications.list', what: 'overview' });
    const [metrics, ended, live, held] = await Promise.all([
      client.metrics(),
      shown.list({ ended: true, limit: SAMPLE }),
      shown.list({ ended: false, limit: MAX_LISTED }),
      shown.held({ limit: MAX_LISTED }),
    ]);
    const recent = summarizeRecent(ended, now);
    const latest = [...live, ...ended].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1)).slice(0, MAX_LISTED);
    const verdict = computeVerdict({ metrics, recent, limits, now });
    const notice = request.query.notice === 'done' ? wordsFor(request).done : null;
    const refresh = request.query.refresh === '1';
    const filter = shown === client ? null : tenant;
    const overview = { verdict, metrics, recent, held, latest, notice, refresh, now, tenant: filter };
    return sendPage(reply, overviewPage(readerOf(tools, request), overview));
  });
}

function findRoute(app: FastifyInstance, tools: SiteTools): void {
  const { client } = tools;
  app.get<{ Querystring: Fields }>('/find', async (request, reply) => {
    const what = (request.query.what ?? '').trim();
    await auditAct(tools, request, { act: 'verifications.list', what: 'one key or id' });
    const view = what === '' ? null : ((await client.get(what)) ?? (await findByKey(tools, what)));
    if (view === null) return sendNotFound(tools, request, reply);
    return redirectTo(tools, reply, `/v/${view.id}`);
  });
}

/** Finds the verification with this idempotency key: first without a tenant, then in each tenant until one has it. */
async function findByKey({ client, keys }: SiteTools, key: string): Promise<VerificationView | null> {
  const own = await client.getByKey(key);
  if (own !== null) return own;
  for (const tenant of new Set((await keys.list()).map((each) => each.tenant))) {
    const view = await client.forTenant(tenant).getByKey(key);
    if (view !== null) return view;
  }
  return null;
}

function verificationRoute(app: FastifyInstance, tools: SiteTools): void {
  app.get<{ Params: { id: string }; Querystring: Fields }>('/v/:id', async (request, reply) => {
    const { id } = request.params;
    const view = await tools.client.get(id);
    if (view === null) return sendNotFound(tools, request, reply);
    await auditAct(tools, request, { act: 'timeline.read', on: id });
    const notice = decisionNotice(wordsFor(request), request.query.notice);
    const showFrame = request.query.frame === '1';
    return sendPage(reply, verificationPage(readerOf(tools, request), { view, notice, showFrame }));
  });
}

function decisionNotice({ done, refusals }: Words, outcome: string | undefined): string | null {
  if (outcome === 'done') return done;
  return outcome !== undefined && Object.hasOwn(refusals, outcome) ? refusals[outcome as keyof typeof refusals] : null;
}

function frameRoute(app: FastifyInstance, tools: SiteTools): void {
  app.get<{ Params: { id: string } }>('/v/:id/frame', { config: { access: 'frames' } }, async (request, reply) => {
    const { id } = request.params;
    const view = await tools.client.get(id);
    const stored = view?.frame === 'stored' ? view.bestFrame : null;
    if (stored === null) return sendNotFound(tools, request, reply);
    await auditAct(tools, request, { act: 'frame.read', on: id });
    const frame = await tools.sink.open(stored, AbortSignal.timeout(FRAME_TIMEOUT_MS));
    if (frame === null) return sendNotFound(tools, request, reply);
    const stream = Readable.from(frame.bytes(0, stored.bytes - 1)).once('close', () => void frame.close());
    return reply.type('image/jpeg').send(stream);
  });
}
