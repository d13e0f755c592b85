/** Connects to the deployment in Redis, for workers and the dashboard. */
import { connectWorker, waitUntilReady } from '../redis/connection.ts';
import { createDeployment, type Deployment } from '../redis/deployment.ts';
import { requireNamespace } from '../redis/deployment-namespace.ts';
import { RedisProbe } from '../redis/probe.ts';
import type { Config } from './config.ts';

const READY_MS = 15_000;

/** @throws Failure REDIS_UNAVAILABLE; NAMESPACE_MISMATCH, because this process would compute other ids than the others */
export async function openRedis(
  config: Pick<Config, 'redis' | 'prefix' | 'keyRing' | 'namespace'>,
): Promise<Deployment> {
  const redis = connectWorker(config.redis);
  // The caller reports errors. Without a listener ioredis would print the address to stderr.
  redis.on('error', () => undefined);
  try {
    await waitUntilReady(redis, READY_MS);
    const deployment = createDeployment(redis, config.prefix, config.keyRing);
    if (config.namespace !== undefined) await requireNamespace(deployment, config.namespace);
    return deployment;
  } catch (error) {
    redis.disconnect();
    throw error;
  }
}

/** Asks Redis for a write and a read, over a connection of its own. */
export function openProbe({ redis, prefix }: Pick<Config, 'redis' | 'prefix'>): RedisProbe {
  return new RedisProbe(redis, prefix);
}
