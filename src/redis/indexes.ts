/** The indexes over verifications: sorted sets of ids by a time in ms since 1970. */
import { openPipeline, repliesOf } from './connection.ts';
import type { Deployment } from './deployment.ts';

type Indexes = Pick<Deployment, 'redis' | 'names'>;

export interface IndexEntry {
  readonly id: string;
  /** ms since 1970. */
  readonly at: number;
}

// ── live and ended ───────────────────────────────────────────────────────────────────────────────────────────────────

/** Ids of the newest live verifications, then of the newest ended ones. Each part is sorted by itself. */
export async function newestIds(
  { redis, names }: Indexes,
  which: 'live' | 'ended' | 'all',
  limit: number,
): Promise<string[]> {
  const indexes = which === 'all' ? [names.live, names.ended] : [names[which]];
  const ids = await Promise.all(indexes.map((index) => redis.zrevrange(index, 0, limit - 1)));
  return ids.flat();
}

/** Live or ended verifications, newest first, starting at `from` (ms since 1970; null: at the newest). */
export async function newestEntries(
  { redis, names }: Indexes,
  which: 'live' | 'ended',
  range: { from: number | null; offset: number; limit: number },
): Promise<IndexEntry[]> {
  return newestOf(redis, names[which], range);
}

/** Ids of the live verifications that were enqueued first, without held ones. */
export async function longestWaiting({ redis, names }: Indexes, limit: number): Promise<string[]> {
  const [live, held] = await Promise.all([
    redis.zrange(names.live, '0', String(2 * limit - 1)),
    redis.zrange(names.held, '0', '-1'),
  ]);
  const isHeld = new Set(held);
  return live.filter((id) => !isHeld.has(id)).slice(0, limit);
}

/** The live verifications that were enqueued first, oldest first, with held ones. */
export async function oldestLive({ redis, names }: Indexes, limit: number): Promise<IndexEntry[]> {
  return entriesOf(await redis.zrange(names.live, '0', String(limit - 1), 'WITHSCORES'));
}

/** All live verifications with the time at which they were enqueued, read in pages, unsorted. A verification may appear twice. */
export async function* scanLive({ redis, names }: Indexes, pageSize: number): AsyncGenerator<IndexEntry[]> {
  let cursor = '0';
  do {
    const [next, flat] = await redis.zscan(names.live, cursor, 'COUNT', pageSize);
    cursor = next;
    yield entriesOf(flat);
  } while (cursor !== '0');
}

export async function removeFromLive({ redis, names }: Indexes, id: string): Promise<void> {
  await redis.zrem(names.live, id);
}

/** Ids of verifications that ended before a time, oldest first. @param offset number of ids to skip. */
export function endedBefore(
  { redis, names }: Indexes,
  before: number,
  { offset = 0, limit }: { offset?: number; limit: number },
): Promise<string[]> {
  return redis.zrangebyscore(names.ended, '-inf', before, 'LIMIT', offset, limit);
}

/** Verifications that ended in a range of times (ms since 1970, both included), oldest first. */
export async function endedSince(
  { redis, names }: Indexes,
  { from, until }: { from: number; until: number },
  { offset, limit }: { offset: number; limit: number },
): Promise<IndexEntry[]> {
  return entriesOf(await redis.zrangebyscore(names.ended, from, until, 'WITHSCORES', 'LIMIT', offset, limit));
}

/** How many verifications ended within each of the given times, and when the last one ended (ms since 1970). */
export async function countEnded(
  { redis, names }: Indexes,
  spansMs: readonly number[],
  now: number = Date.now(),
): Promise<{ counts: number[]; lastEndedAt: number | null }> {
  const pipeline = openPipeline(redis);
  for (const ms of spansMs) pipeline.zcount(names.ended, now - ms, '+inf');
  pipeline.zrevrange(names.ended, 0, 0, 'WITHSCORES');
  const replies = await repliesOf(pipeline.exec());
  const [, last] = (replies.at(-1) ?? []) as string[];
  return { counts: replies.slice(0, -1).map(Number), lastEndedAt: last === undefined ? null : Number(last) };
}

/** How many verifications are live, and how many records of ended ones are kept. */
export async function countIndexed({ redis, names }: Indexes): Promise<{ live: number; ended: number }> {
  const [live, ended] = await Promise.all([redis.zcard(names.live), redis.zcard(names.ended)]);
  return { live, ended };
}

export async function removeFromEnded({ redis, names }: Indexes, id: string): Promise<void> {
  await redis.zrem(names.ended, id);
}

// ── held, by subject, by tenant ──────────────────────────────────────────────────────────────────────────────────────

/** Ids of held verifications, sorted by the end of their hold, earliest first. */
export function heldIds(
  { redis, names }: Indexes,
  { offset, limit }: { offset: number; limit: number },
): Promise<string[]> {
  return redis.zrange(names.held, String(offset), String(offset + limit - 1));
}

/** Ids of the verifications about a subject, oldest first. @param hash keyed hash of the subject. */
export function subjectIds({ redis, names }: Indexes, hash: string): Promise<string[]> {
  return redis.zrange(names.subject(hash), '0', '-1');
}

/** A tenant's verifications, newest first, starting at `from` (ms since 1970; null: at the newest). */
export async function tenantEntries(
  { redis, names }: Indexes,
  tenant: string,
  range: { from: number | null; offset: number; limit: number },
): Promise<IndexEntry[]> {
  return newestOf(redis, names.tenant(tenant), range);
}

async function newestOf(
  redis: Indexes['redis'],
  index: string,
  { from, offset, limit }: { from: number | null; offset: number; limit: number },
): Promise<IndexEntry[]> {
  return entriesOf(await redis.zrevrangebyscore(index, from ?? '+inf', '-inf', 'WITHSCORES', 'LIMIT', offset, limit));
}

/** How many verifications of a tenant have not ended, and how many records it has. */
export async function countOfTenant(
  { redis, names }: Indexes,
  tenant: string,
): Promise<{ live: number; records: number }> {
  const [live, records] = await Promise.all([redis.zcard(names.liveOf(tenant)), redis.zcard(names.tenant(tenant))]);
  return { live, records };
}

// ── stored frames ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Verifications whose frame is due for deletion at `now`. */
export function framesDue({ redis, names }: Indexes, now: number, limit: number): Promise<string[]> {
  return redis.zrangebyscore(names.frames, '-inf', now, 'LIMIT', 0, limit);
}

export async function hasFrameDue({ redis, names }: Indexes, id: string): Promise<boolean> {
  return (await redis.zscore(names.frames, id)) !== null;
}

/** Makes the frame due now, so that the next retention pass deletes the frame. */
export async function expireFrameNow({ redis, names }: Indexes, id: string): Promise<void> {
  await redis.zadd(names.frames, Date.now(), id);
}

/** Postpones the deletion of a frame. Does nothing if no deletion is scheduled. */
export async function postponeFrame({ redis, names }: Indexes, id: string, until: number): Promise<void> {
  await redis.zadd(names.frames, 'XX', until, id);
}

export async function removeFrame({ redis, names }: Indexes, id: string): Promise<void> {
  await redis.zrem(names.frames, id);
}

function entriesOf(flat: readonly string[]): IndexEntry[] {
  return flat.flatMap((id, index) => (index % 2 === 0 ? [{ id, at: Number(flat[index + 1]) }] : []));
}
