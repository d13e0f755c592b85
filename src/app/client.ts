/** Creates the Redis client from the configuration. Loads no vendor SDK. */
import { BestframeClient } from '../client/redis/client.ts';
import type { Config } from './config.ts';

export function openClient(config: Config): BestframeClient {
  return new BestframeClient({
    redis: config.redis,
    prefix: config.prefix,
    ...(config.namespace === undefined ? {} : { namespace: config.namespace }),
    ...(config.tenant === undefined ? {} : { tenant: config.tenant }),
    mode: config.mode,
    demands: config.demands,
    recordTtlMs: config.recordTtlMs,
    keyRing: config.keyRing,
    webhook: config.webhook,
    webhookAllow: config.webhookAllow,
    objectFolder: config.objectFolder,
    buckets: config.buckets,
    metricsTenants: config.metricsTenants,
    fileRoots: config.fileRoots,
    checkHosts: config.proxy === undefined && !config.allowPrivateSources,
  });
}
