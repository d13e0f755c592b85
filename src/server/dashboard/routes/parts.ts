/** The pages of one part of the deployment each: held verifications, webhooks, workers, costs, audit log, checks. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { BestframeClient } from '../../../client/redis/client.ts';
import { Failure } from '../../../domain/errors/failure.ts';
import { ACTS, parseLine } from '../../../domain/operations/audit.ts';
import { checkAudit } from '../../../domain/operations/audit-report.ts';
import { COST_GROUPS, costsCsv, dayAt } from '../../../domain/operations/costs.ts';
import { TENANT_PATTERN } from '../../../domain/verification/names.ts';
import { tenantNames } from '../lookup.ts';
import { type AuditLine, auditPage } from '../pages/audit.ts';
import { costsPage } from '../pages/costs.ts';
import { type DoctorPage, doctorPage } from '../pages/doctor.ts';
import { heldPage } from '../pages/held.ts';
import { webhooksPage } from '../pages/webhooks.ts';
import { workersPage } from '../pages/workers.ts';
import {
  auditAct,
  auditView,
  type Fields,
  readerOf,
  redirectTo,
  type SiteTools,
  sendMessage,
  sendNotFound,
  sendPage,
  wordsFor,
} from '../site-tools.ts';

const MAX_LISTED = 100;
const DAY_MS = 86_400_000;
const config = { access: 'operator' } as const;

export function partRoutes(app: FastifyInstance, tools: SiteTools): void {
  const { client } = tools;
  app.get<{ Querystring: Fields }>('/held', async (request, reply) => {
    await auditView(tools, request, 'held');
    const [views, { held: total }] = await Promise.all([client.held({ limit: MAX_LISTED }), client.metrics()]);
    return sendPage(reply, heldPage(readerOf(tools, request), { views, total, notice: doneNotice(request) }));
  });
  app.get('/workers', async (request, reply) =>
    sendPage(reply, workersPage(readerOf(tools, request), await client.metrics())),
  );
  webhookRoutes(app, tools);
  costRoutes(app, tools);
  auditRoute(app, tools);
  doctorRoutes(app, tools);
}

function doneNotice(request: FastifyRequest): string | null {
  return (request.query as Fields).notice === 'done' ? wordsFor(request).done : null;
}

// ── webhooks ───────────────────────────────────────────────────────────────────────────────────────────────────────

type ByName = { Params: { name: string }; Body: Fields };

function webhookRoutes(app: FastifyInstance, tools: SiteTools): void {
  const { client } = tools;
  app.get<{ Querystring: Fields }>('/webhooks', async (request, reply) => {
    await auditAct(tools, request, { act: 'webhook.list' });
    const owners = await ownersOf(tools);
    const [{ toNotify: waiting, deadNotifications: deadTotal }, ...lists] = await Promise.all([
      client.metrics(),
      ...owners.map(async ({ tenant, webhooks }) => ({
        endpoints: (await webhooks.list()).map((each) => ({ ...each, tenant })),
        dead: (await webhooks.deadLetters({ limit: MAX_LISTED })).map((each) => ({ ...each, tenant })),
      })),
    ]);
    const endpoints = lists.flatMap((each) => each.endpoints);
    const dead = lists
      .flatMap((each) => each.dead)
      .sort((a, b) => (a.at < b.at ? 1 : -1))
      .slice(0, MAX_LISTED);
    const notice = testNotice(request) ?? doneNotice(request);
    return sendPage(reply, webhooksPage(readerOf(tools, request), { endpoints, dead, waiting, deadTotal, notice }));
  });

  app.post<ByName>('/webhooks/:name/test', { config }, async (request, reply) => {
    const { name } = request.params;
    await auditAct(tools, request, { act: 'webhook.change', what: `test ${name}` });
    const { status, code } = await ownerOf(tools, request.body).webhooks.test(name);
    return redirectTo(
      tools,
      reply,
      `/webhooks?tested=${status}${code === null ? '' : `&code=${encodeURIComponent(code)}`}`,
    );
  });
  app.post<ByName>('/webhooks/:name/enable', { config }, async (request, reply) => {
    const { name } = request.params;
    await auditAct(tools, request, { act: 'webhook.change', what: `enable ${name}` });
    await ownerOf(tools, request.body).webhooks.enable(name);
    return redirectTo(tools, reply, '/webhooks?notice=done');
  });
  app.post<{ Params: { notification: string }; Body: Fields }>(
    '/webhooks/redeliver/:notification',
    { config },
    async (request, reply) => {
      const { notification } = request.params;
      await auditAct(tools, request, { act: 'webhook.change', what: `redeliver ${notification}` });
      const isQueued = await ownerOf(tools, request.body).webhooks.redeliver(notification);
      return isQueued ? redirectTo(tools, reply, '/webhooks?notice=done') : sendNotFound(tools, request, reply);
    },
  );
}

/** The deployment, and each tenant with a policy or an API key. */
async function ownersOf(tools: SiteTools): Promise<{ tenant: string; webhooks: BestframeClient['webhooks'] }[]> {
  const { client } = tools;
  const tenants = (await tenantNames(tools)).filter((tenant) => tenant !== 'default');
  return [
    { tenant: '', webhooks: client.webhooks },
    ...tenants.map((tenant) => ({ tenant, webhooks: client.forTenant(tenant).webhooks })),
  ];
}

function ownerOf({ client }: SiteTools, { tenant = '' }: Fields): BestframeClient {
  return TENANT_PATTERN.test(tenant) ? client.forTenant(tenant) : client;
}

function testNotice(request: FastifyRequest): string | null {
  const { tested, code = '' } = request.query as Fields;
  const words = wordsFor(request).tested;
  if (tested === undefined || !Object.hasOwn(words, tested)) return null;
  return `${words[tested as keyof typeof words]}${/^[\w.]{1,80}$/.test(code) ? ` ${code}` : ''}`;
}

// ── costs ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function costRoutes(app: FastifyInstance, tools: SiteTools): void {
  const { client } = tools;
  const range = ({ query }: FastifyRequest<{ Querystring: Fields }>) => {
    const { since, until, tenant = '' } = query;
    const by = COST_GROUPS.find((each) => each === query.by) ?? 'day';
    const now = Date.now();
    const given = { since: since || dayAt(now - 30 * DAY_MS), until: until || dayAt(now), by };
    return { ...given, tenant: TENANT_PATTERN.test(tenant) ? tenant : '' };
  };
  const sumsOf = ({ tenant, ...filter }: ReturnType<typeof range>) =>
    (tenant === '' ? client : client.forTenant(tenant)).costs(filter).catch((error: unknown) => {
      if (error instanceof Failure && error.field === 'since') return null;
      throw error;
    });
  app.get<{ Querystring: Fields }>('/costs', async (request, reply) => {
    const asked = range(request);
    const [sums, { costs }] = await Promise.all([sumsOf(asked), client.metrics()]);
    const notice = sums === null ? wordsFor(request).wrongRange : null;
    const page = { ...asked, sums: sums ?? [], budgets: costs.budgets, notice };
    return sendPage(reply, costsPage(readerOf(tools, request), page));
  });
  app.get<{ Querystring: Fields }>('/costs.csv', async (request, reply) => {
    const asked = range(request);
    const sums = await sumsOf(asked);
    if (sums === null) return sendMessage(tools, request, reply, { status: 400, text: wordsFor(request).wrongRange });
    reply.header('content-disposition', `attachment; filename="costs-${asked.since}-${asked.until}.csv"`);
    return reply.type('text/csv; charset=utf-8').send(costsCsv(sums, asked.by));
  });
}

// ── audit log and checks ───────────────────────────────────────────────────────────────────────────────────────────

function auditRoute(app: FastifyInstance, tools: SiteTools): void {
  const { auditLines } = tools;
  app.get<{ Querystring: Fields }>('/audit', { config }, async (request, reply) => {
    const { actor, on, check } = request.query;
    const act = ACTS.find((each) => each === request.query.act);
    const fields = { act, actor: actor?.trim() || undefined, on: on?.trim() || undefined };
    await auditAct(tools, request, {
      act: 'audit.read',
      what: Object.values(fields).filter(Boolean).join(', ') || 'all',
    });
    if (auditLines === undefined)
      return sendPage(reply, auditPage(readerOf(tools, request), { fields, lines: null, matching: 0, report: null }));
    const newest: AuditLine[] = [];
    let matching = 0;
    for await (const { text } of auditLines()) {
      const line = auditLineOf(text);
      if (line === null) continue;
      if (
        Object.entries(fields).some(([name, value]) => value !== undefined && line[name as keyof AuditLine] !== value)
      )
        continue;
      matching += 1;
      newest.push(line);
      if (newest.length > MAX_LISTED) newest.shift();
    }
    const report = check === '1' ? await checkAudit({ read: auditLines, olderGone: true, stopped: false }) : null;
    const page = { fields, lines: newest.reverse(), matching, report };
    return sendPage(reply, auditPage(readerOf(tools, request), page));
  });
}

function auditLineOf(text: string): AuditLine | null {
  if (parseLine(text) === null) return null;
  const line = JSON.parse(text) as Record<string, unknown>;
  const word = (name: string) => (typeof line[name] === 'string' ? (line[name] as string) : '');
  const count = typeof line.count === 'number' ? `×${line.count} ` : '';
  return {
    ...{ at: word('at'), act: word('act'), on: word('on'), what: `${count}${word('what')}` },
    ...{ purpose: word('purpose'), address: word('address') },
    actor: line.actor === null ? null : word('actor'),
    tenant: line.tenant === null || line.tenant === undefined ? null : word('tenant'),
  };
}

function doctorRoutes(app: FastifyInstance, tools: SiteTools): void {
  const { diagnose } = tools;
  let last: DoctorPage['last'] = null;
  let isRunning = false;
  const available = diagnose !== undefined;
  app.get('/doctor', { config }, async (request, reply) =>
    sendPage(reply, doctorPage(readerOf(tools, request), { last, available, notice: null })),
  );
  app.post('/doctor', { config }, async (request, reply) => {
    if (diagnose === undefined) return redirectTo(tools, reply, '/doctor');
    if (isRunning) return sendMessage(tools, request, reply, { status: 409, text: wordsFor(request).doctorBusy });
    isRunning = true;
    try {
      last = { report: await diagnose(), at: new Date().toISOString() };
    } finally {
      isRunning = false;
    }
    return redirectTo(tools, reply, '/doctor');
  });
}
