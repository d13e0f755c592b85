/**
 * The Bull dashboard under `/dashboard`: the queues, and for each job the stage, decision and attempts of its verification.
 *
 * What must hold:
 * 1. Only GET is answered. A button that moves a job would bypass the journal.
 * 2. The page loads nothing from other hosts, and its policy (CSP) forbids such requests.
 * 3. No field shows a link, secret, path or name. Jobs consist of ids, enums and codes only (`redis/*-queue.ts`).
 */

import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import type { Job, Queue } from 'bullmq';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { adviseOn } from '../../domain/verification/advice.ts';
import type { Deployment } from '../../redis/deployment.ts';
import { readViews } from '../../redis/read-view.ts';
import { isRead } from './request-kind.ts';
import { type SiteTools, sendMessage, sendNotFound, wordsFor } from './site-tools.ts';

const MAX_JOBS_PER_PAGE = 100;
const BOARD_PATH = '/dashboard';

/**
 * The page of bull-board has one inline style block and one inline block of JSON, which is not executed. The policy blocks the
 * fonts, which come from another host; the page works without them.
 */
const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export async function serveBoard(app: FastifyInstance, options: SiteTools): Promise<void> {
  const { verify, erase, notify } = options.queues;
  const board = new FastifyAdapter();
  board.setBasePath(`${options.edge.basePath}${BOARD_PATH}`);
  createBullBoard({
    queues: [
      ...[...verify.values()].map((queue) => new VerifyAdapter(queue, options.deployment)),
      new BullMQAdapter(erase, { readOnlyMode: true, description: 'Deletions in the own bucket' }),
      new BullMQAdapter(notify, {
        readOnlyMode: true,
        description: 'Webhook notifications; failed ones were given up',
      }),
    ],
    serverAdapter: board,
    options: { uiConfig: { boardTitle: `Bestframe ${options.mode.toUpperCase()}`, hideRedisDetails: true } },
  });
  await app.register(
    async (scope) => {
      scope.addHook('onRequest', async (request, reply) => {
        reply.header('content-security-policy', CSP);
        if (isRead(request)) return capPage(request);
        reply.header('allow', 'GET');
        return sendMessage(options, request, reply, { status: 405, text: wordsFor(request).boardIsReadOnly });
      });
      scope.setNotFoundHandler((request, reply) => sendNotFound(options, request, reply));
      await scope.register(board.registerPlugin());
    },
    { prefix: BOARD_PATH },
  );
}

/** bull-board reads as many jobs as the query asks for: 100,000 take 846 MB. Its own page asks for 10. */
function capPage({ query }: FastifyRequest): void {
  const fields = query as Record<string, string | undefined>;
  if (Number(fields.jobsPerPage) > MAX_JOBS_PER_PAGE) fields.jobsPerPage = String(MAX_JOBS_PER_PAGE);
}

/** Shows a summary of each verification as the progress of its job. All summaries of a page are read in one round trip. */
class VerifyAdapter extends BullMQAdapter {
  readonly #deployment: Deployment;

  constructor(queue: Queue, deployment: Deployment) {
    super(queue, { readOnlyMode: true, description: 'Verifications: upload, md5, detect, download' });
    this.#deployment = deployment;
  }

  override async getJobs(...args: Parameters<BullMQAdapter['getJobs']>): Promise<Job[]> {
    return this.#addSummaries((await super.getJobs(...args)) as Job[]);
  }

  override async getJob(id: string): Promise<Job | undefined> {
    const job = (await super.getJob(id)) as Job | null | undefined;
    if (job == null) return undefined;
    await this.#addSummaries([job]);
    return job;
  }

  async #addSummaries(jobs: Job[]): Promise<Job[]> {
    const ids = jobs.map((job) => job.id ?? '');
    const views = await readViews(this.#deployment, ids);
    for (const [index, job] of jobs.entries()) {
      const view = views[index];
      if (view == null) continue;
      const attempts = Object.fromEntries(view.stages.map(({ name, attempts: count }) => [name, count]));
      const { reason: why } = view;
      const reason =
        why === null
          ? {}
          : {
              reason: why.code,
              advice: adviseOn({ ...view, opinion: view.secondOpinion?.status ?? null }, why).operator,
            };
      const { state, stage, decision, similarity, frame, paidCalls } = view;
      job.progress = { state, stage, decision, similarity, frame, attempts, paidCalls, ...reason };
    }
    return jobs;
  }
}
