/** The overview, search, and the live stream. */
import type { FastifyInstance } from 'fastify';
import { computeStatus } from '../../../domain/operations/status.ts';
import { activityOf, computeVerdict, ENDED_SPANS } from '../../../domain/operations/verdict.ts';
import { TENANT_PATTERN } from '../../../domain/verification/names.ts';
import { countEnded } from '../../../redis/indexes.ts';
import { MinuteReader } from '../../../redis/series.ts';
import { queryOf } from '../filter.ts';
import { findNamed } from '../lookup.ts';
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
  const minuteReader = new MinuteReader(deployment);
  app.get<{ Querystring: Fields }>('/', async (request, reply) => {
    const now = Date.now();
    const { tenant = '' } = request.query;
    const span = request.query.span === 'day' ? 'day' : 'hour';
    const shown = TENANT_PATTERN.test(tenant) ? client.forTenant(tenant) : client;
    await auditView(tools, request, 'overview');
    const [metrics, latest, minutes, { counts, lastEndedAt }] = await Promise.all([
      client.metrics(),
      shown.list({ limit: MAX_LISTED }),
      minuteReader.read(span === 'day' ? DAY_MINUTES : HOUR_MINUTES, now),
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
  app.get<{ Querystring: Fields }>('/find', async (request, reply) => {
    const what = (request.query.what ?? '').trim();
    await auditAct(tools, request, { act: 'verifications.list', what: 'one key or id' });
    if (what === '') return sendNotFound(tools, request, reply);
    const anywhere = { tenant: null, id: null, key: null, subject: null };
    const byId = await findNamed(tools, { ...anywhere, id: what });
    const [view, ...others] = byId?.length ? byId : ((await findNamed(tools, { ...anywhere, key: what })) ?? []);
    if (view === undefined) return sendNotFound(tools, request, reply);
    // Several tenants may have used the same key.
    return redirectTo(tools, reply, others.length === 0 ? `/v/${view.id}` : `/verifications?${queryOf({ key: what })}`);
  });
}
