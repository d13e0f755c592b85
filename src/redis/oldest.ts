/** Finds the oldest unfinished verification of each region and lane. */
import type { OldestView } from '../domain/operations/metrics.ts';
import type { Region } from '../domain/verification/actions.ts';
import { LANES } from '../domain/verification/request.ts';
import { openPipeline, repliesOf } from './connection.ts';
import type { Deployment } from './deployment.ts';
import { laneScores } from './job-options.ts';
import { readPlace } from './record.ts';

/**
 * Looks at the first job of each lane, and at `oldest`. So a lane that starves behind a long backlog of the other one is found.
 *
 * @param oldest ids of the oldest unfinished verifications.
 * @param held ids of held verifications, which are left out.
 */
export async function readOldest(
  { redis, names }: Deployment,
  regions: readonly Region[],
  { oldest, held, now }: { oldest: readonly string[]; held: ReadonlySet<string>; now: number },
): Promise<OldestView[]> {
  const heads = openPipeline(redis);
  for (const region of regions) {
    for (const lane of LANES) {
      const { from, end } = laneScores(lane);
      heads.zrangebyscore(names.waiting(region), from, `(${end}`, 'LIMIT', 0, 1);
    }
  }
  const first = (await repliesOf(heads.exec())).flat() as string[];
  const ids = [...new Set([...oldest, ...first])].filter((id) => !held.has(id));
  const read = openPipeline(redis);
  for (const id of ids) read.hmget(names.journal(id), 'rq', 'parked').zscore(names.live, id);
  const replies = await repliesOf(read.exec());
  const found = new Map<string, OldestView>();
  ids.forEach((_id, index) => {
    const [[packed, parked], since] = [replies[2 * index] as (string | null)[], replies[2 * index + 1]];
    // A waiting session is not late: the person takes the time.
    if (typeof packed !== 'string' || typeof parked === 'string' || since === null) return;
    const { region, lane } = readPlace(packed);
    const ageMs = Math.max(0, now - Number(since));
    const place = `${region} ${lane}`;
    if (ageMs >= (found.get(place)?.ageMs ?? 0)) found.set(place, { region, lane, ageMs });
  });
  return [...found.values()];
}
