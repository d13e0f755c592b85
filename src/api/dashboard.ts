/**
 * The Bull dashboard: what the queues hold, with each verification's stage, decision and attempts beside its job; and
 * `/metrics` for Prometheus.
 *
 * What must hold: behind basic auth; nothing but GET is answered (a button that moves a job would go round the journal);
 * nothing from outside is loaded or may be (strict CSP); no link, secret, path or name in any field. The last follows from
 * what jobs are made of (options.ts, verify-worker.ts): ids, enums and codes.
 */

import { timingSafeEqual } from 'node:crypto';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import basicAuth from '@fastify/basic-auth';
import type { Job, Queue } from 'bullmq';
import fastify from 'fastify';
import type { Region } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import { inputFailure } from '../domain/failure.ts';
import type { Mode } from '../domain/verification.ts';
import type { RedisClient } from '../queue/connection.ts';
import { readMetrics } from '../queue/metrics.ts';
import type { Names } from '../queue/names.ts';
import type { Sealer } from '../queue/seal.ts';
import { readViews } from '../queue/view.ts';
import { METRICS_TYPE, metricsText } from './metrics.ts';

export interface DashboardOptions {
  readonly redis: RedisClient;
  readonly names: Names;
  readonly sealer: Sealer;
  readonly mode: Mode;
  readonly verify: ReadonlyMap<Region, Queue>;
  readonly erase: Queue;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

export interface Dashboard {
  readonly url: string;
  close(): Promise<void>;
}

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

export async function openDashboard(options: DashboardOptions): Promise<Dashboard> {
  const app = fastify({ logger: false, forceCloseConnections: true });
  await app.register(basicAuth, {
    authenticate: { realm: 'Bestframe' },
    validate: async (user, password) => {
      if (!same(user, options.user) || !same(password, options.password)) throw new Error('wrong user or password');
    },
  });
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('content-security-policy', CSP);
    reply.header('x-content-type-options', 'nosniff');
    reply.header('referrer-policy', 'no-referrer');
    reply.header('cache-control', 'no-store');
  });
  app.addHook('onRequest', app.basicAuth);
  app.addHook('onRequest', async (request, reply) => {
    if (request.method === 'GET' || request.method === 'HEAD') return;
    await reply
      .code(405)
      .header('allow', 'GET')
      .send({ error: 'read only: moving a job here would go round its journal' });
  });

  app.get('/metrics', async (_request, reply) => {
    const { redis, names, verify, erase } = options;
    reply.type(METRICS_TYPE);
    return metricsText(await readMetrics(redis, names, verify, erase));
  });

  const board = new FastifyAdapter();
  createBullBoard({
    queues: [
      ...[...options.verify.values()].map((queue) => new VerifyAdapter(queue, options)),
      new BullMQAdapter(options.erase, {
        readOnlyMode: true,
        description: 'Objects to be deleted from the own bucket',
      }),
    ],
    serverAdapter: board,
    options: { uiConfig: { boardTitle: `Bestframe ${options.mode.toUpperCase()}`, hideRedisDetails: true } },
  });
  await app.register(board.registerPlugin());
  await app.listen({ host: options.host, port: options.port });
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  return { url: `http://${options.host}:${port}/`, close: () => app.close() };
}

/** @throws Failure INVALID_SETTINGS where user or password is missing: there is no dashboard without them, and no default. */
export function dashboardLogin(settings: { user: string | undefined; password: string | undefined }): {
  user: string;
  password: string;
} {
  const { user, password } = settings;
  if (user !== undefined && password !== undefined) return { user, password };
  const message = 'the dashboard needs BESTFRAME_DASHBOARD_USER and BESTFRAME_DASHBOARD_PASSWORD: set both';
  throw inputFailure(CODES.INVALID_SETTINGS, 'dashboard', message);
}

/** Puts what the journal knows into each job's progress, in one round trip a page. */
class VerifyAdapter extends BullMQAdapter {
  readonly #options: DashboardOptions;

  constructor(queue: Queue, options: DashboardOptions) {
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

function same(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
