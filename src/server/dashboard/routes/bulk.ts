/** Acts on many verifications: the dry run, and the run with its progress. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { BULK_ACTS, type BulkPlan, MAX_BULK } from '../../../domain/operations/bulk.ts';
import type { VerificationView } from '../../../domain/verification/view.ts';
import { readFilter } from '../filter.ts';
import { bulkPage } from '../pages/bulk.ts';
import { priceText } from '../prices.ts';
import { everyView, viewsOf, wordsOf } from '../selection.ts';
import {
  auditAct,
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

const config = { access: 'operator' } as const;

export function bulkRoutes(app: FastifyInstance, tools: SiteTools): void {
  planRoute(app, tools);
  runRoutes(app, tools);
}

function planRoute(app: FastifyInstance, tools: SiteTools): void {
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
    const views = isSelection
      ? (await viewsOf(tools, ids)).filter(({ tenant }) => list.tenant === null || tenant === list.tenant)
      : await collect(everyView(tools, list, MAX_BULK + 1));
    const plan = await tools.bulk.plan(
      {
        act,
        views: views.slice(0, MAX_BULK),
        operator: operatorOf(request).name,
        tenant: list.tenant,
        filter: what,
        cut: views.length > MAX_BULK,
      },
      (chosen) => priceText(tools.prices ?? null, chosen),
    );
    return redirectTo(tools, reply, `/bulk/${plan}`);
  });
}

function runRoutes(app: FastifyInstance, tools: SiteTools): void {
  const { bulk } = tools;
  app.get<ByPlan>('/bulk/:plan', { config }, async (request, reply) => {
    const found = await bulk.find(request.params.plan);
    if (found === null) return sendNotFound(tools, request, reply);
    return sendPage(reply, bulkPage(readerOf(tools, request), found));
  });

  app.post<ByPlan>('/bulk/:plan/start', { config }, async (request, reply) => {
    const plan = await ownPlan(tools, request);
    if (plan === null) return sendNotFound(tools, request, reply);
    const words = wordsFor(request);
    const { why = '', confirm, payAgain } = request.body;
    const rate = Number(request.body.rate);
    if (why.trim() === '') return sendMessage(tools, request, reply, { status: 400, text: words.reasonRequired });
    if (!(rate >= 1 && rate <= 100) || (plan.act === 'erase' && confirm?.trim() !== String(plan.ids.length)))
      return sendMessage(tools, request, reply, { status: 400, text: words.bulk.notConfirmed });
    const order = { why, perSecond: rate, payAgain: payAgain === '1' };
    const hasStarted = await bulk.start(plan, order, (entry) => auditAct(tools, request, entry));
    if (!hasStarted) return sendMessage(tools, request, reply, { status: 409, text: words.bulk.started });
    return redirectTo(tools, reply, `/bulk/${plan.id}`);
  });

  app.post<ByPlan>('/bulk/:plan/continue', { config }, async (request, reply) => {
    const plan = await ownPlan(tools, request);
    if (plan === null) return sendNotFound(tools, request, reply);
    const goesOn = await bulk.continue(plan, (entry) => auditAct(tools, request, entry));
    if (!goesOn)
      return sendMessage(tools, request, reply, { status: 409, text: wordsFor(request).bulk.cannotContinue });
    return redirectTo(tools, reply, `/bulk/${plan.id}`);
  });

  app.post<ByPlan>('/bulk/:plan/stop', { config }, async (request, reply) => {
    const plan = await ownPlan(tools, request);
    if (plan === null) return sendNotFound(tools, request, reply);
    await bulk.stop(plan);
    return redirectTo(tools, reply, `/bulk/${plan.id}`);
  });
}

type ByPlan = { Params: { plan: string }; Body: Fields };

/** The plan that a request names, if the request's operator made it. */
async function ownPlan({ bulk }: SiteTools, request: FastifyRequest<ByPlan>): Promise<BulkPlan | null> {
  const plan = (await bulk.find(request.params.plan))?.plan ?? null;
  return plan?.operator === operatorOf(request).name ? plan : null;
}

async function collect(views: AsyncIterable<VerificationView>): Promise<VerificationView[]> {
  const found: VerificationView[] = [];
  for await (const view of views) found.push(view);
  return found;
}
