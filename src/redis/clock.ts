import type { Deployment } from './deployment.ts';

/** Redis's time, ms since 1970: one clock for all machines. */
export async function readClock({ redis }: Pick<Deployment, 'redis'>): Promise<number> {
  const [seconds, microseconds] = await redis.time();
  return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
}
