/** The overview, search, and the live stream. */
import type { FastifyInstance } from 'fastify';
import { computeStatus } from '../../../domain/operations/status.ts';
import { activityOf, computeVerdict, ENDED_SPANS } from '../../../domain/operations/verdict.ts';
import { TENANT_PATTERN } from '../../../domain/verification/names.ts';
import type { VerificationView } from '../../../domain/verification/view.ts';
import { countEnded } from '../../../redis/indexes.ts';
import { readMinutes } from '../../../redis/series.ts';
import { overviewPage } from '../pages/overview.ts';
import {
  auditAct,
  auditView,
  type Fields,
  readerOf,
  redirectTo,
  type SiteTools,
  sendNotFound,
  sendPage,
  wordsFor,
} from '../site-tools.ts';

const MAX_LISTED = 12;
const HOUR_MINUTES = 60;
const DAY_MINUTES = 24 * 60;

export function pageRoutes(app: FastifyInstance, tools: SiteTools): void {
  overviewRoute(app, tools);
  findRoute(app, tools);
}

function overviewRoute(app: FastifyInstance, tools: SiteTools): void {
  const { client, deployment, limits } = tools;
  app.get<{ Querystring: Fields }>('/', async (request, reply) => {
    const now = Date.now();
    const { tenant = '' } = request.query;
    const span = request.query.span === 'day' ? 'day' : 'hour';
    const shown = TENANT_PATTERN.test(tenant) ? client.forTenant(tenant) : client;
    await auditView(tools, request, 'overview');
    const [metrics, latest, minutes, { counts, lastEndedAt }] = await Promise.all([
      client.metrics(),
      shown.list({ limit: MAX_LISTED }),
      readMinutes(deployment, span === 'day' ? DAY_MINUTES : HOUR_MINUTES, now),
      countEnded(deployment, Object.values(ENDED_SPANS), now),
    ]);
    const [withinPace = 0, lately = 0, lastHour = 0] = counts;
    const recent = activityOf(minutes, { withinPace, lately, lastHour, lastEndedAt });
    const input = { metrics, recent, limits, now };
    const status = { ...computeStatus(input), verdict: computeVerdict(input) };
    const notice = request.query.notice === 'done' ? wordsFor(request).done : null;
    const filter = shown === client ? null : tenant;
    const overview = { status, metrics, recent, latest, notice, tenant: filter, span, minutes, limits, now } as const;
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
