/**
 * The Bull dashboard under `/dashboard`: what the queues hold, with each verification's stage, decision and attempts beside its
 * job.
 *
 * What must hold: nothing but GET is answered (a button that moves a job would go round the journal); nothing from outside is
 * loaded or may be (strict CSP); no link, secret, path or name in any field. The last follows from what jobs are made of
 * (options.ts, verify-worker.ts): ids, enums and codes.
 */
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import type { Job, Queue } from 'bullmq';
import type { FastifyInstance } from 'fastify';
import type { Region } from '../../domain/actions.ts';
import type { Mode } from '../../domain/verification.ts';
import type { RedisClient } from '../../queue/connection.ts';
import type { Names } from '../../queue/names.ts';
import type { Sealer } from '../../queue/seal.ts';
import { readViews } from '../../queue/view.ts';

export interface BoardOptions {
  readonly redis: RedisClient;
  readonly names: Names;
  readonly sealer: Sealer;
  readonly mode: Mode;
  readonly verify: ReadonlyMap<Region, Queue>;
  readonly erase: Queue;
  readonly notify: Queue;
}

const BOARD = '/dashboard';

/** bull-board's page has one inline style block and one JSON block (not run); its fonts come from outside and are done without. */
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

export async function serveBoard(app: FastifyInstance, options: BoardOptions): Promise<void> {
  const board = new FastifyAdapter();
  board.setBasePath(BOARD);
  createBullBoard({
    queues: [
      ...[...options.verify.values()].map((queue) => new VerifyAdapter(queue, options)),
      new BullMQAdapter(options.erase, {
        readOnlyMode: true,
        description: 'Objects to be deleted from the own bucket',
      }),
      new BullMQAdapter(options.notify, {
        readOnlyMode: true,
        description: 'What webhook endpoints are told; failed: given up',
      }),
    ],
    serverAdapter: board,
    options: { uiConfig: { boardTitle: `Bestframe ${options.mode.toUpperCase()}`, hideRedisDetails: true } },
  });
  app.addHook('onRequest', async (request, reply) => {
    if (!/^\/dashboard([/?]|$)/.test(request.url)) return;
    reply.header('content-security-policy', CSP);
    if (request.method === 'GET' || request.method === 'HEAD') return;
    await reply
      .code(405)
      .header('allow', 'GET')
      .send({ error: 'read only: moving a job here would go round its journal' });
  });
  await app.register(board.registerPlugin(), { prefix: BOARD });
}

/** Puts what the journal knows into each job's progress, in one round trip a page. */
class VerifyAdapter extends BullMQAdapter {
  readonly #options: BoardOptions;

  constructor(queue: Queue, options: BoardOptions) {
    super(queue, { readOnlyMode: true, description: 'Verifications: upload, md5, detect, download' });
    this.#options = options;
  }

  override async getJobs(...args: Parameters<BullMQAdapter['getJobs']>): Promise<Job[]> {
    const jobs = (await super.getJobs(...args)) as Job[];
    return this.#withJournal(jobs);
  }

  override async getJob(id: string): Promise<Job | undefined> {
    const job = (await super.getJob(id)) as Job | undefined;
    if (job === undefined || job === null) return undefined;
    const [shown] = await this.#withJournal([job]);
    return shown;
  }

  async #withJournal(jobs: Job[]): Promise<Job[]> {
    const { redis, names, sealer } = this.#options;
    const views = await readViews(
      redis,
      names,
      jobs.map((job) => job.id ?? ''),
      sealer,
    );
    for (const [index, job] of jobs.entries()) {
      const view = views[index];
      if (view == null) continue;
      const attempts = Object.fromEntries(view.stages.map(({ name, attempts: count }) => [name, count]));
      const reason = view.reason === null ? {} : { reason: view.reason.code, advice: view.reason.advice };
      const { state, stage, decision, similarity, frame, paidCalls } = view;
      job.progress = { state, stage, decision, similarity, frame, attempts, paidCalls, ...reason };
    }
    return jobs;
  }
}
