/** A client by settings. Apart from `compose.ts`, so that who only enqueues or asks loads no vendor SDK. */

import { BestframeClient } from './client/client.ts';
import type { Config } from './config.ts';

export function openClient(config: Config): BestframeClient {
  return new BestframeClient({
    redis: config.redis,
    prefix: config.prefix,
    namespace: config.namespace,
    ...(config.tenant === undefined ? {} : { tenant: config.tenant }),
    mode: config.mode,
    demands: config.demands,
    recordTtlMs: config.recordTtlMs,
    keyRing: config.keyRing,
    webhook: config.webhook,
    webhookAllow: config.webhookAllow,
    fileRoots: config.fileRoots,
    checkHosts: config.proxy === undefined && !config.allowPrivateSources,
  });
}
