/** Starts the HTTP API. The SDK of Tencent's APIs is loaded only when the first light sequence is requested. */
import type { Logger } from 'pino';
import { openAudit } from '../adapters/audit.ts';
import { ApiKeys } from '../client/redis/api-keys.ts';
import type { BestframeClient } from '../client/redis/client.ts';
import { LoginLimiter } from '../client/redis/login-limiter.ts';
import { Failure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import { NO_OBSERVER } from '../domain/operations/process-metrics.ts';
import { RedisProbe } from '../redis/probe.ts';
import { metricsRegistry } from '../server/api/metrics.ts';
import { buildApi, startApi } from '../server/api/server.ts';
import { StagingSweep } from '../server/api/staging-sweep.ts';
import { hasCredentials, openStorage } from './adapters.ts';
import { openClient } from './client.ts';
import type { Config } from './config.ts';
import { type Running, stopOnce } from './running.ts';
import type { OpenSequences } from './workers.ts';

export async function openApi(
  config: Config,
  log: Logger,
  observer = NO_OBSERVER,
): Promise<Running & { readonly url: string }> {
  const { redis, prefix, mode, api } = config;
  const cleanups: (() => Promise<unknown>)[] = [];
  const cleanUp = async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  };
  try {
    const audit = await openAudit(config.audit);
    cleanups.push(() => audit.close());
    const client = openClient({ ...config, tenant: undefined }); // Each API key has its own tenant.
    cleanups.push(() => client.close());
    await checkNamespace(client);
    const keys = new ApiKeys(redis, prefix);
    cleanups.push(() => keys.close());
    const limiter = new LoginLimiter(redis, config.loginLimits, prefix);
    cleanups.push(() => limiter.close());
    const probe = new RedisProbe(redis, prefix);
    cleanups.push(async () => probe.close());
    const { sink, staging, close } = openStorage(config);
    cleanups.push(close);
    if (staging !== null) {
      const sweep = new StagingSweep({ client, staging, log });
      sweep.start();
      cleanups.push(() => sweep.stop());
    }
    let opened: OpenSequences | undefined;
    const sequences = hasCredentials(config)
      ? async () => {
          const { openSequences } = await import('./workers.ts');
          opened ??= openSequences(config, log, observer);
          return opened.sequences;
        }
      : null;
    cleanups.push(async () => opened?.close());
    const app = await buildApi({
      ...{ client, keys, audit, limiter, sink, staging, sequences, mode, observer, log },
      redisTrouble: () => probe.run(),
      edge: config.edge,
      limits: config.limits,
      streamLimits: api.streams,
    });
    const server = await startApi(app, api, keys, mode).catch(async (error: unknown) => {
      await app.close();
      throw error;
    });
    const { url } = server;
    log.info({ event: 'ready', mode, address: url }, `HTTP API ready at ${url}`);
    return {
      url,
      deploymentMetrics: async () => metricsRegistry(await client.metrics()),
      stop: stopOnce(async (drainMs: number) => {
        const drained = await server.close(drainMs);
        await cleanUp();
        return drained;
      }),
    };
  } catch (error) {
    await cleanUp();
    throw error;
  }
}

/** @throws Failure NAMESPACE_MISMATCH, INVALID_SETTINGS. If Redis is unreachable, the API starts, and requests make the check. */
async function checkNamespace(client: BestframeClient): Promise<void> {
  try {
    await client.checkNamespace();
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== CODES.REDIS_UNAVAILABLE) throw error;
  }
}
