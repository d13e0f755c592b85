import type { Region } from '../../domain/verification/regions.ts';
import type { Lane } from '../../domain/verification/request.ts';
import type { Deployment } from '../deployment.ts';
import { LAST_TURN, priorityOf } from '../job-options.ts';
import { runScript } from './run.ts';

export interface NextJob {
  readonly region: Region;
  readonly lane: Lane;
  readonly tenant: string | null;
  /** How much of the queue the tenant gets, compared with others. */
  readonly weight: number;
}

/** Counts the jobs that are served before the next job of this lane and tenant. */
export async function countAhead(
  { redis, names }: Deployment,
  { region, lane, tenant, weight }: NextJob,
): Promise<number> {
  const keys = { turns: names.turns(region), waiting: names.waiting(region), resuming: names.resuming(region) };
  const firstPriority = priorityOf(lane, 1) - 1;
  const args = { lane, tenant: tenant ?? '', weight, firstPriority, turnsPerLane: LAST_TURN };
  return Number(await runScript(redis, 'count-ahead', keys, args));
}
