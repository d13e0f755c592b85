/**
 * Whether Redis has rewritten its append-only file (AOF) since a moment, and how to ask for it. Deleted data stays in the AOF until
 * Redis rewrites it.
 *
 * Redis counts the rewrites that it began, but does not say when. Each observation stores the count with Redis's time: if the count is
 * higher at the next observation, a rewrite began after the earlier one. As soon as no rewrite runs and the last one succeeded, the
 * file contains nothing that was deleted before that time.
 *
 * In a Cluster the answer is `unknown`: a command without a key reaches any node, and not the one that holds the deployment.
 */
import type { AofState } from '../domain/operations/erasure.ts';
import { readClock } from './clock.ts';
import type { Deployment } from './deployment.ts';

/** At most one rewrite is asked for in this time, because a rewrite costs Redis memory and disk. */
export const REWRITE_PAUSE_MS = 3_600_000;

/**
 * `asked`: Redis rewrites its AOF. `recently`: it was asked within the last hour. `running`: a rewrite that began earlier is running;
 * ask again when it is over. `off`: there is no AOF. `not_allowed`: the user of the connection, or the provider, forbids it.
 */
export type RewriteAnswer = 'asked' | 'recently' | 'running' | 'off' | 'not_allowed' | 'unknown';

interface Observation {
  readonly enabled: boolean;
  readonly running: boolean;
  /** Every time before this, ms since 1970 by Redis's clock, is rewritten; 0 if no rewrite was seen yet. */
  readonly rewrittenBefore: number;
}

/** @param deletedAt Redis's time, ms since 1970; undefined while something is still to be deleted */
export async function readAofState(deployment: Deployment, deletedAt: number | undefined): Promise<AofState> {
  const seen = await observeAof(deployment);
  if (seen === null) return 'unknown';
  if (!seen.enabled) return 'off';
  return deletedAt !== undefined && deletedAt <= seen.rewrittenBefore ? 'rewritten' : 'not_yet';
}

/** Looks at the state of the AOF, and remembers it for the next look. @returns null if Redis does not tell. */
export async function observeAof(deployment: Deployment): Promise<Observation | null> {
  const { redis, names } = deployment;
  if (redis.isCluster) return null;
  const at = await readClock(deployment); // before INFO, so that a rewrite that begins in between counts as later
  const info = await readInfo(deployment);
  if (info === null) return null;
  const [enabled, rewrites, run] = [info.get('aof_enabled') === '1', info.get('aof_rewrites'), info.get('run_id')];
  if (!enabled) return { enabled, running: false, rewrittenBefore: 0 };
  if (rewrites === undefined || run === undefined) return null; // before Redis 7
  const running = info.get('aof_rewrite_in_progress') === '1' || info.get('aof_rewrite_scheduled') === '1';
  const before = await redis.hgetall(names.aof);
  const isSameRun = before.run === run;
  const hasBegun = Number(rewrites) > Number(before.rewrites);
  const began = isSameRun ? (hasBegun ? before.at : before.began) : undefined;
  const isDone = !running && info.get('aof_last_bgrewrite_status') === 'ok' && began !== undefined;
  const rewrittenBefore = Math.max(Number(before.rewritten ?? 0), isDone ? Number(began) : 0);
  await redis.hset(names.aof, { run, rewrites, at, rewritten: rewrittenBefore });
  if (began !== undefined && !isDone) await redis.hset(names.aof, { began });
  else await redis.hdel(names.aof, 'began');
  return { enabled, running, rewrittenBefore };
}

/** Asks Redis to rewrite its AOF, at most once an hour over all processes. */
export async function askForRewrite(deployment: Deployment): Promise<RewriteAnswer> {
  const { redis, names } = deployment;
  const seen = await observeAof(deployment);
  if (seen === null) return 'unknown';
  if (!seen.enabled) return 'off';
  if (seen.running) return 'running';
  if ((await redis.set(names.aofAsked, '1', 'PX', REWRITE_PAUSE_MS, 'NX')) !== 'OK') return 'recently';
  try {
    await redis.bgrewriteaof();
    return 'asked';
  } catch (error) {
    if (!/already in progress/i.test(error instanceof Error ? error.message : '')) return 'not_allowed';
    await redis.del(names.aofAsked);
    return 'running';
  }
}

async function readInfo({ redis }: Deployment): Promise<ReadonlyMap<string, string> | null> {
  try {
    const text = await redis.info();
    return new Map(
      text.split(/\r?\n/).map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
    );
  } catch {
    return null; // the user of the connection may not ask
  }
}
