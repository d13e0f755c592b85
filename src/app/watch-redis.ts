/** Logs once that Redis has become unusable, with the cause, and once that it is usable again. */
import type { Logger } from 'pino';
import type { RedisProbe } from '../redis/probe.ts';

/** How often Redis is asked. */
const EVERY_MS = 2_000;
/** How often Redis is asked while it is unusable, so that the length of the outage is right to about a second. */
const AGAIN_MS = 1_000;

/** @returns a function that ends the watch. The caller closes the probe. */
export function watchRedis(probe: Pick<RedisProbe, 'run'>, log: Logger): () => void {
  let troubledAt: number | null = null;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const look = async () => {
    const askedAt = performance.now();
    // Asked twice, because one slow answer, or a failover that a new connection finds, is no outage.
    const trouble = (await probe.run()) && (await probe.run());
    if (stopped) return;
    if (trouble !== null && troubledAt === null) {
      troubledAt = askedAt;
      log.error({ event: 'redis_unusable', reason: trouble }, trouble);
    } else if (trouble === null && troubledAt !== null) {
      const ms = Math.round(performance.now() - troubledAt);
      troubledAt = null;
      log.info({ event: 'redis_usable', ms }, `Redis is usable again, after ${(ms / 1_000).toFixed(1)} s`);
    }
    timer = setTimeout(look, troubledAt === null ? EVERY_MS : AGAIN_MS);
  };
  void look();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
