import { setTimeout as pause } from 'node:timers/promises';
import type { Registry } from 'prom-client';
import { type Deployment, isConnected } from '../redis/deployment.ts';

/** A service that runs until it is stopped. */
export interface Running {
  /**
   * Accepts no more work and waits for running work. Idempotent.
   * @returns false if work was still running at the deadline.
   */
  stop(drainMs: number): Promise<boolean>;
  /** Why the service takes no work now, in words, apart from Redis; null if it does. Absent: only Redis can keep it from work. */
  readonly trouble?: () => string | null;
  /** Resolves with the reason if the service can never work again: the process must end. */
  readonly failed?: Promise<string>;
  /** Reads the metrics of the whole deployment. */
  readonly deploymentMetrics?: () => Promise<Registry>;
}

/** Makes a stop function idempotent. The deadline of the first call applies. */
export function stopOnce(stop: (drainMs: number) => Promise<boolean>): (drainMs: number) => Promise<boolean> {
  let stopped: Promise<boolean> | undefined;
  return (drainMs) => {
    stopped ??= stop(drainMs);
    return stopped;
  };
}

const CLEAN_UP_MS = 2_000;

/**
 * Cleans up after a drain, when no work is running any more. While Redis is away, a worker's commands wait for it without limit.
 * So they are failed first if the connection is lost, and if Redis hangs, the cleanup is abandoned.
 */
export async function cleanUp(
  { deployment }: { deployment: Deployment },
  cleanup: () => Promise<unknown>,
): Promise<void> {
  if (!isConnected(deployment)) deployment.redis.disconnect();
  const limit = new AbortController();
  await Promise.race([
    cleanup().catch(() => undefined), // what it writes is for operators, and expires by itself
    pause(CLEAN_UP_MS, undefined, { signal: limit.signal }).catch(() => undefined),
  ]);
  limit.abort();
}
