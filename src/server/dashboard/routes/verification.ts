/** The page of one verification, its frame, and the acts on it. */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isStarted, type RetryStatus } from '../../../domain/operations/retries.ts';
import { isTerminal } from '../../../domain/verification/states.ts';
import type { VerificationView } from '../../../domain/verification/view.ts';
import { subjectIds } from '../../../redis/indexes.ts';
import { type NotifyEvent, notificationId } from '../../../redis/notify-queue.ts';
import { readViews } from '../../../redis/read-view.ts';
import { type Delivery, verificationPage } from '../pages/verification.ts';
import { priceText } from '../prices.ts';
import {
  auditAct,
  type Fields,
  isUpdate,
  operatorOf,
  readerOf,
  redirectTo,
  type SiteTools,
  sendMessage,
  sendNotFound,
  sendPage,
  wordsFor,
} from '../site-tools.ts';
import type { Words } from '../words/en.ts';

/** Time limit to read a frame from a bucket. */
const FRAME_TIMEOUT_MS = 15_000;
const MAX_RELATED = 10;

type Route = { Params: { id: string }; Querystring: Fields; Body: Fields };

export function verificationRoutes(app: FastifyInstance, tools: SiteTools): void {
  app.get<Route>('/v/:id', async (request, reply) => {
    const { id } = request.params;
    const view = await tools.client.get(id);
    if (view === null) return sendNotFound(tools, request, reply);
    if (!isUpdate(request)) await auditAct(tools, request, { act: 'timeline.read', on: id });
    const page = {
      view,
      notice: noticeOf(wordsFor(request), request.query.notice),
      showFrame: request.query.frame === '1',
      now: Date.now(),
      price: priceText(tools.prices ?? null, [view]),
      ...(await surroundings(tools, view)),
    };
    return sendPage(reply, verificationPage(readerOf(tools, request), page));
  });
  frameRoute(app, tools);
  actRoute(app, tools, 'retry');
  actRoute(app, tools, 'cancel');
  actRoute(app, tools, 'erase');
}

function noticeOf(words: Words, outcome: string | undefined): string | null {
  if (outcome === 'done') return words.done;
  const { refusals } = words;
  return outcome !== undefined && Object.hasOwn(refusals, outcome) ? refusals[outcome as keyof typeof refusals] : null;
}

async function surroundings(
  tools: SiteTools,
  view: VerificationView,
): Promise<{ retry: RetryStatus | null; deliveries: Delivery[]; related: VerificationView[] }> {
  const { client, deployment } = tools;
  const { id, subject, state } = view;
  const [planned, deliveries, ids] = await Promise.all([
    isTerminal(state) ? client.retry({ ids: [id], by: '', why: '', dryRun: true }) : [],
    deliveriesOf(tools, view),
    subject === null ? [] : subjectIds(deployment, subject),
  ]);
  const others = ids
    .filter((each) => each !== id)
    .slice(-MAX_RELATED)
    .reverse();
  const related = (await readViews(deployment, others)).flatMap((each) => each ?? []);
  return { retry: planned[0]?.status ?? null, deliveries, related };
}

const EVENTS: readonly NotifyEvent[] = ['decided', 'held', 'ended'];

/** The notifications whose jobs are still kept. */
async function deliveriesOf({ queues }: SiteTools, { id, webhook, retries }: VerificationView): Promise<Delivery[]> {
  if (webhook === null) return [];
  const jobs = EVENTS.flatMap((event) =>
    Array.from({ length: retries + 1 }, (_, retry) => ({ id, event, to: webhook, ...(retry === 0 ? {} : { retry }) })),
  );
  const found = await Promise.all(
    jobs.map(async (data) => {
      const job = await queues.notify.getJob(notificationId(data));
      if (job == null) return null;
      const code = job.failedReason === undefined || job.failedReason === '' ? null : job.failedReason;
      return { event: data.event, endpoint: webhook, state: await job.getState(), tries: job.attemptsMade, code };
    }),
  );
  return found.flatMap((each) => each ?? []);
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

/** A form with a reason. Erasing also needs the id, typed by hand. */
function actRoute(app: FastifyInstance, tools: SiteTools, act: 'retry' | 'cancel' | 'erase'): void {
  app.post<Route>(`/v/:id/${act}`, { config: { access: 'operator' } }, async (request, reply) => {
    const { id } = request.params;
    const { why = '', confirm } = request.body;
    const words = wordsFor(request);
    if (why.trim() === '') return refuse(tools, request, reply, words.reasonRequired);
    if (act === 'erase' && confirm?.trim() !== id) return refuse(tools, request, reply, words.bulk.notConfirmed);
    await auditAct(tools, request, { act, on: id, purpose: why });
    const outcome = await carryOut(tools, act, id, { by: operatorOf(request).name, why });
    if (act === 'erase' && outcome === 'done') return redirectTo(tools, reply, '/verifications?notice=done');
    return redirectTo(tools, reply, `/v/${encodeURIComponent(id)}?notice=${outcome}`);
  });
}

function refuse(tools: SiteTools, request: FastifyRequest, reply: FastifyReply, text: string): FastifyReply {
  return sendMessage(tools, request, reply, { status: 400, text });
}

async function carryOut(
  { client }: SiteTools,
  act: 'retry' | 'cancel' | 'erase',
  id: string,
  by: { by: string; why: string },
): Promise<'done' | 'refused' | 'legal_hold'> {
  switch (act) {
    case 'retry':
      return (await client.retry({ ids: [id], ...by })).every(isStarted) ? 'done' : 'refused';
    case 'cancel': {
      const { status } = await client.cancel(id);
      return status === 'cancelled' || status === 'cancelling' ? 'done' : 'refused';
    }
    case 'erase': {
      const { status } = await client.erase(id, by);
      return status === 'erased' ? 'done' : status === 'legal_hold' ? 'legal_hold' : 'refused';
    }
  }
}
