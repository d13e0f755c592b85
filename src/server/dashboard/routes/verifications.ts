/** The list of verifications, and its CSV. */
import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { VerificationView } from '../../../domain/verification/view.ts';
import { countIndexed, longestWaiting } from '../../../redis/indexes.ts';
import { csvLine } from '../csv.ts';
import { type FilterFields, type ListFilter, queryOf, readFilter } from '../filter.ts';
import { COLUMNS, type ColumnName, DEFAULT_COLUMNS } from '../pages/verification-table.ts';
import { verificationsPage, waitingPage } from '../pages/verifications.ts';
import { everyView, readPage, viewsOf, wordsOf } from '../selection.ts';
import { auditAct, auditView, type Fields, readerOf, type SiteTools, sendPage, wordsFor } from '../site-tools.ts';

const PAGE = 50;
/** How many pages back the address remembers. */
const MAX_BACK = 50;
const MAX_CSV = 100_000;
const CURSOR = /^[le]?\d{1,15}\.v[0-9a-z]{25}$/;

export function verificationsRoutes(app: FastifyInstance, tools: SiteTools): void {
  listRoute(app, tools);
  waitingRoute(app, tools);
  csvRoute(app, tools);
}

// ── list ───────────────────────────────────────────────────────────────────────────────────────────────────────────

function listRoute(app: FastifyInstance, tools: SiteTools): void {
  app.get<{ Querystring: Fields }>('/verifications', async (request, reply) => {
    const { query } = request;
    const list = readFilter(query, Date.now());
    await auditView(tools, request, `verifications: ${wordsOf(list)}`);
    const back = (query.back ?? '').split(',').filter((each) => each === '-' || CURSOR.test(each));
    const cursor = query.cursor !== undefined && CURSOR.test(query.cursor) ? query.cursor : undefined;
    const { verifications: views, cursor: more } = await readPage(tools, list, { cursor, limit: PAGE });
    const columns = columnsOf(query);
    const kept = { ...list.fields, ...columnFields(query) };
    const before = cursor === undefined ? 0 : back.length * PAGE;
    const page = {
      views,
      fields: list.fields,
      columns,
      count: await countOf(tools, list, { seen: before + views.length, isLast: more === null }),
      from: before + 1,
      previous: cursor === undefined ? null : backQuery(kept, back),
      next:
        more === null
          ? null
          : queryOf({ ...kept, cursor: more, back: [...back, cursor ?? '-'].slice(-MAX_BACK).join(',') }),
      notice: query.notice === 'done' ? wordsFor(request).done : null,
    };
    return sendPage(reply, verificationsPage(readerOf(tools, request), page));
  });
}

/** The list without filter and pages: who waits longest. */
function waitingRoute(app: FastifyInstance, tools: SiteTools): void {
  app.get('/waiting', async (request, reply) => {
    await auditView(tools, request, 'waiting longest');
    const views = await viewsOf(tools, await longestWaiting(tools.deployment, PAGE));
    return sendPage(reply, waitingPage(readerOf(tools, request), views));
  });
}

function backQuery(kept: FilterFields, back: readonly string[]): string {
  const last = back.at(-1);
  const rest = back.slice(0, -1).join(',');
  return queryOf({ ...kept, ...(last === undefined || last === '-' ? {} : { cursor: last, back: rest }) });
}

function columnsOf(query: Fields): readonly ColumnName[] {
  const chosen = COLUMNS.filter((name) => query[`c-${name}`] === '1');
  return chosen.length === 0 ? DEFAULT_COLUMNS : chosen;
}

function columnFields(query: Fields): Record<string, string> {
  return Object.fromEntries(COLUMNS.filter((name) => query[`c-${name}`] === '1').map((name) => [`c-${name}`, '1']));
}

/** All that match without a filter are counted; with a filter, those that were read. */
async function countOf(
  { deployment, client }: SiteTools,
  { fields, tenant }: ListFilter,
  { seen, isLast }: { seen: number; isLast: boolean },
): Promise<{ number: number; exact: boolean }> {
  if (isLast) return { number: seen, exact: true };
  const others = Object.keys(fields).filter((name) => name !== 'tenant' && name !== 'ended');
  if (others.length > 0) return { number: seen, exact: false };
  if (tenant !== null && fields.ended === undefined)
    return { number: (await client.tenants.counts(tenant)).records, exact: true };
  if (tenant !== null) return { number: seen, exact: false };
  const { live, ended } = await countIndexed(deployment);
  if (fields.ended === undefined) return { number: live + ended, exact: true };
  return { number: fields.ended === 'yes' ? ended : live, exact: true };
}

function csvRoute(app: FastifyInstance, tools: SiteTools): void {
  app.get<{ Querystring: Fields }>('/verifications.csv', async (request, reply) => {
    const list = readFilter(request.query, Date.now());
    await auditAct(tools, request, { act: 'export', what: `csv: ${wordsOf(list)}` });
    async function* lines() {
      yield 'id,state,decision,similarity,code,region,action,paid_calls,possibly_paid_calls,accepted_at,decided_at,ended_at\n';
      for await (const view of everyView(tools, list, MAX_CSV)) yield lineOf(view);
    }
    const name = `verifications-${new Date().toISOString().slice(0, 10)}.csv`;
    reply.header('content-disposition', `attachment; filename="${name}"`);
    return reply.type('text/csv; charset=utf-8').send(Readable.from(lines()));
  });
}

function lineOf(view: VerificationView): string {
  const { id, state, decision, similarity, reason, region, action, paidCalls, possiblyPaidCalls } = view;
  const outcome = [id, state, decision, similarity, reason?.code, region, action];
  return csvLine([...outcome, paidCalls, possiblyPaidCalls, view.createdAt, view.decidedAt, view.endedAt]);
}
