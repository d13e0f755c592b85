/** The list of verifications, its CSV, and acts on many of them. */
import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { describeFilter, matchesFilter } from '../../../domain/verification/filter.ts';
import { isTerminal } from '../../../domain/verification/states.ts';
import type { VerificationView } from '../../../domain/verification/view.ts';
import { countIndexed, longestWaiting } from '../../../redis/indexes.ts';
import { readViews } from '../../../redis/read-view.ts';
import { BULK_ACTS, type BulkPlan, MAX_BULK } from '../bulk-runs.ts';
import { csvLine } from '../csv.ts';
import { type FilterFields, type ListFilter, queryOf, readFilter } from '../filter.ts';
import { clientOf, findNamed } from '../lookup.ts';
import { bulkPage } from '../pages/bulk.ts';
import { COLUMNS, type ColumnName, DEFAULT_COLUMNS } from '../pages/verification-table.ts';
import { verificationsPage, waitingPage } from '../pages/verifications.ts';
import { priceText } from '../prices.ts';
import {
  auditAct,
  auditView,
  type Fields,
  operatorOf,
  readerOf,
  redirectTo,
  type SiteTools,
  sendMessage,
  sendNotFound,
  sendPage,
  wordsFor,
} from '../site-tools.ts';

const PAGE = 50;
/** How many pages back the address remembers. */
const MAX_BACK = 50;
const READ = 200;
const MAX_CSV = 100_000;
const CURSOR = /^[le]?\d{1,15}\.v[0-9a-z]{25}$/;

export function verificationsRoutes(app: FastifyInstance, tools: SiteTools): void {
  listRoute(app, tools);
  waitingRoute(app, tools);
  csvRoute(app, tools);
  bulkRoutes(app, tools);
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

interface Page {
  readonly verifications: readonly VerificationView[];
  readonly cursor: string | null;
}

async function readPage(
  tools: SiteTools,
  list: ListFilter,
  range: { cursor: string | undefined; limit: number },
): Promise<Page> {
  const { filter } = list;
  const named = await findNamed(tools, list);
  if (named === null) return clientOf(tools, list.tenant).page({ ...filter, ...range });
  const { ended } = filter;
  const matching = named.filter(
    (view) => matchesFilter(view, filter) && (ended === undefined || isTerminal(view.state) === ended),
  );
  return { verifications: matching, cursor: null };
}

/** The filter in words, for the audit log and for a plan. A key or subject is not written: it may name a person. */
function wordsOf({ filter, tenant, id, key, subject }: ListFilter): string {
  const { ended, ...rest } = filter;
  const more = [
    ...(ended === undefined ? [] : [ended ? 'ended' : 'not ended']),
    ...(tenant === null ? [] : [`tenant ${tenant}`]),
    ...(id === null ? [] : ['one id']),
    ...(key === null ? [] : ['one key']),
    ...(subject === null ? [] : ['one subject']),
  ];
  return [describeFilter(rest), ...more].join(', ');
}

/** All that match, newest first, up to a limit. A verification that ends meanwhile may move, so repeated ids are left out. */
async function* everyView(tools: SiteTools, list: ListFilter, most: number): AsyncGenerator<VerificationView> {
  const seen = new Set<string>();
  let cursor: string | undefined;
  do {
    const page = await readPage(tools, list, { cursor, limit: READ });
    for (const view of page.verifications) {
      if (seen.has(view.id)) continue;
      seen.add(view.id);
      yield view;
      if (seen.size >= most) return;
    }
    cursor = page.cursor ?? undefined;
  } while (cursor !== undefined);
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

// ── acts on many ───────────────────────────────────────────────────────────────────────────────────────────────────

function bulkRoutes(app: FastifyInstance, tools: SiteTools): void {
  const { bulk } = tools;
  const config = { access: 'operator' } as const;

  app.post<{ Body: Fields }>('/bulk', { config }, async (request, reply) => {
    const { body } = request;
    const words = wordsFor(request);
    const act = BULK_ACTS.find((each) => each === body.act);
    const list = readFilter(Object.fromEntries(new URLSearchParams(body.query ?? '')), Date.now());
    const isSelection = body.scope !== 'filter';
    const ids = Object.keys(body).flatMap((name) => (/^id-v[0-9a-z]{25}$/.test(name) ? [name.slice(3)] : []));
    if (act === undefined || (isSelection && ids.length === 0))
      return sendMessage(tools, request, reply, { status: 400, text: words.bulk.nothingSelected });
    const what = isSelection ? `${ids.length} selected` : wordsOf(list);
    await auditAct(tools, request, { act: 'verifications.list', what: `dry run of ${act}: ${what}` });
    const views = isSelection ? await viewsOf(tools, ids) : await collect(everyView(tools, list, MAX_BULK + 1));
    const selection = {
      act,
      views: views.slice(0, MAX_BULK),
      operator: operatorOf(request).name,
      filter: what,
      cut: views.length > MAX_BULK,
    };
    const plan = await bulk.plan(selection, (chosen) => priceText(tools.prices ?? null, chosen));
    return redirectTo(tools, reply, `/bulk/${plan.id}`);
  });

  app.get<{ Params: { plan: string }; Querystring: Fields }>('/bulk/:plan', { config }, async (request, reply) => {
    const plan = bulk.find(request.params.plan);
    if (plan === null) return sendNotFound(tools, request, reply);
    return sendPage(reply, bulkPage(readerOf(tools, request), plan, null));
  });

  app.post<{ Params: { plan: string }; Body: Fields }>('/bulk/:plan/start', { config }, async (request, reply) => {
    const plan = bulk.find(request.params.plan);
    const { name } = operatorOf(request);
    if (plan === null || plan.operator !== name) return sendNotFound(tools, request, reply);
    const words = wordsFor(request);
    const { why = '', confirm, payAgain } = request.body;
    const rate = Number(request.body.rate);
    if (why.trim() === '') return sendMessage(tools, request, reply, { status: 400, text: words.reasonRequired });
    if (!(rate >= 1 && rate <= 100) || (plan.act === 'erase' && confirm?.trim() !== String(plan.ids.length)))
      return sendMessage(tools, request, reply, { status: 400, text: words.bulk.notConfirmed });
    const requestId = request.id;
    const audit = (entry: Pick<Parameters<typeof auditAct>[2], 'act' | 'on' | 'what' | 'purpose'>) =>
      tools.audit.write({ actor: name, tenant: null, requestId, ...entry });
    const hasStarted = bulk.start(plan, { why, perSecond: rate, payAgain: payAgain === '1', audit });
    if (!hasStarted) return sendMessage(tools, request, reply, { status: 409, text: words.bulk.started });
    return redirectTo(tools, reply, `/bulk/${plan.id}`);
  });

  app.post<{ Params: { plan: string } }>('/bulk/:plan/stop', { config }, async (request, reply) => {
    const plan: BulkPlan | null = bulk.find(request.params.plan);
    if (plan === null) return sendNotFound(tools, request, reply);
    bulk.stop(plan);
    return redirectTo(tools, reply, `/bulk/${plan.id}`);
  });
}

async function viewsOf({ deployment }: SiteTools, ids: readonly string[]): Promise<VerificationView[]> {
  return (await readViews(deployment, ids)).flatMap((view) => view ?? []);
}

async function collect(views: AsyncIterable<VerificationView>): Promise<VerificationView[]> {
  const found: VerificationView[] = [];
  for await (const view of views) found.push(view);
  return found;
}
