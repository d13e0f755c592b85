/**
 * Bestframe's machinery: a verify worker as `workers/verify.ts` runs it, with its log and its metrics, but with edges that answer at
 * once. Each request makes it work through a stretch of the queue of one deployment. The process stays, so its code stays compiled.
 */
import { pathToFileURL } from 'node:url';
import { Redis } from 'ioredis';
import type { readConfig } from '../src/app/config.ts';
import type { createLogger } from '../src/app/logger.ts';
import type { createMachine } from '../src/app/machine.ts';
import type { createProcessMetrics } from '../src/app/process-metrics.ts';
import type { openRedis } from '../src/app/redis.ts';
import type { startVerify } from '../src/app/workers.ts';
import { openNoopEdges } from './noop-edges.ts';
import { type Stretch, type Work, WorkWindow } from './work-window.ts';

export interface NoopRequest extends Stretch {
  /** The deployment in Redis. */
  readonly prefix: string;
  /** Verifications that run at a time. */
  readonly slots: number;
  /** How long FaceID works on a call, ms. */
  readonly detectMs: number;
}

const { DIST = '', BESTFRAME_REDIS_URL: redisUrl = '' } = process.env;
const load = async <T>(path: string) => (await import(pathToFileURL(`${DIST}/src/app/${path}.js`).href)) as T;
// The worker is of the build that is measured, which may be an older one.
const app = {
  ...(await load<{ readConfig: typeof readConfig }>('config')),
  ...(await load<{ createLogger: typeof createLogger }>('logger')),
  ...(await load<{ createMachine: typeof createMachine }>('machine')),
  ...(await load<{ createProcessMetrics: typeof createProcessMetrics }>('process-metrics')),
  ...(await load<{ openRedis: typeof openRedis }>('redis')),
  ...(await load<{ startVerify: typeof startVerify }>('workers')),
};

const DRAIN_MS = 10_000;
const { observer } = app.createProcessMetrics([]);

async function work({ prefix, slots, detectMs, ...stretch }: NoopRequest): Promise<Work> {
  const config = app.readConfig({ ...process.env, BESTFRAME_PREFIX: prefix, BESTFRAME_SLOTS: String(slots) });
  const log = app.createLogger(config, process.stdout); // of which nothing is kept
  const redis = new Redis(redisUrl);
  const deployment = await app.openRedis(config);
  const window = new WorkWindow(redis, stretch);
  const edges = openNoopEdges({ detectMs, onStored: () => window.ended() });
  const { regions } = config;
  const { machine, serve, close } = app.createMachine({ worker: 'noop', regions, deployment, probes: [], log });
  await machine.start();
  const running = await app.startVerify(config, { deployment, edges, machine, serve, observer }, log);
  try {
    return await window.work;
  } finally {
    await running.stop(DRAIN_MS);
    await close();
    deployment.redis.disconnect();
    redis.disconnect();
  }
}

process.on('message', async (request: NoopRequest) => process.send?.(await work(request)));
process.on('disconnect', () => process.exit());
process.send?.('ready');
