/** Finds the oldest unfinished verification of each region and lane. */
import type { OldestView } from '../domain/operations/metrics.ts';
import type { Region } from '../domain/verification/regions.ts';
import { LANES } from '../domain/verification/request.ts';
import { openPipeline, repliesOf } from './connection.ts';
import type { Deployment } from './deployment.ts';
import type { IndexEntry } from './indexes.ts';
import { laneScores } from './job-options.ts';
import { readPacked } from './record.ts';
import { readFields } from './scripts/read-fields.ts';

/**
 * Looks at the first job of each lane, and at `oldest`. So a lane that starves behind a long backlog of the other one is found.
 *
 * @param oldest the oldest unfinished verifications.
 * @param held ids of held verifications, which are left out.
 */
export async function readOldest(
  { redis, names }: Deployment,
  regions: readonly Region[],
  { oldest, held, now }: { oldest: readonly IndexEntry[]; held: ReadonlySet<string>; now: number },
): Promise<OldestView[]> {
  const heads = openPipeline(redis);
  for (const region of regions) {
    for (const lane of LANES) {
      const { from, end } = laneScores(lane);
      heads.zrangebyscore(names.waiting(region), from, `(${end}`, 'LIMIT', 0, 1);
    }
  }
  const first = (await repliesOf(heads.exec())).flat() as string[];
  const since = new Map(oldest.map(({ id, at }) => [id, at]));
  for (const [id, at] of await liveSince({ redis, names }, first)) since.set(id, at);
  const ids = [...since.keys()].filter((id) => !held.has(id));
  const replies = await readFields({ redis, names }, ids, ['rq', 'parked']);
  const found = new Map<string, OldestView>();
  ids.forEach((id, index) => {
    const [packed, parked] = replies[index] ?? [];
    // A waiting session is not late: the person takes the time.
    if (typeof packed !== 'string' || typeof parked === 'string') return;
    const { region, lane } = readPacked(packed);
    const ageMs = Math.max(0, now - (since.get(id) ?? now));
    const place = `${region} ${lane}`;
    if (ageMs >= (found.get(place)?.ageMs ?? 0)) found.set(place, { region, lane, ageMs });
  });
  return [...found.values()];
}

/** When each verification was enqueued, ms since 1970, without those that have ended. */
async function liveSince(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  ids: readonly string[],
): Promise<[string, number][]> {
  const scores = openPipeline(redis);
  for (const id of ids) scores.zscore(names.live, id);
  const replies = await repliesOf(scores.exec());
  return ids.flatMap((id, index) => (replies[index] == null ? [] : [[id, Number(replies[index])]]));
}
