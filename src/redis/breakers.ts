/** Reads the current state of the breakers, for operators. Only the scripts change the breakers. */

import type { BreakerView } from '../domain/operations/breakers.ts';
import { REGIONS, type Region } from '../domain/verification/regions.ts';
import { openPipeline } from './connection.ts';
import type { Deployment } from './deployment.ts';

/** The state of one breaker as scripts/includes/breaker.lua stores it. */
interface Kept {
  readonly ok: number;
  readonly bad: number;
  readonly oldOk: number;
  readonly oldBad: number;
  readonly open?: boolean;
  readonly since?: number;
  readonly next?: number;
  readonly probes?: number;
  readonly code?: string;
}

export async function readBreakers({ redis, names }: Pick<Deployment, 'redis' | 'names'>): Promise<BreakerView[]> {
  const pipeline = openPipeline(redis);
  for (const region of REGIONS) pipeline.hgetall(names.breakers(region));
  const replies = (await pipeline.exec()) ?? [];
  return REGIONS.flatMap((region, index) => {
    const [error, hash] = replies[index] ?? [null, {}];
    if (error !== null) throw error;
    return Object.entries(hash as Record<string, string>)
      .filter(([dependency]) => !dependency.startsWith('#'))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([dependency, text]) => viewOf(region, dependency, JSON.parse(text) as Kept));
  });
}

function viewOf(region: Region, dependency: string, kept: Kept): BreakerView {
  const { open = false, code = null, probes = 0 } = kept;
  const time = (ms: number | undefined) => (open && ms !== undefined ? new Date(ms).toISOString() : null);
  return {
    region,
    dependency,
    state: open ? 'down' : 'working',
    code: open ? code : null,
    since: time(kept.since),
    nextProbeAt: time(kept.next),
    probes: open ? probes : 0,
    worked: kept.ok + kept.oldOk,
    failed: kept.bad + kept.oldBad,
  };
}
