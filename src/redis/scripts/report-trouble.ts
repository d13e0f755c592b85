import type { BreakerTuning } from '../../domain/operations/breakers.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

export interface Trouble {
  readonly dependency: string;
  readonly code: string;
  /** The epoch of the region's breakers when the attempt began. */
  readonly epoch: string;
  /** Random factor from 0.75 to 1.25 that varies the pause before the next probe. */
  readonly spread: number;
}

/** `counts`: other verifications succeed, so the attempt counts as failed. For the other verdicts, see report-trouble.lua. */
export interface TroubleAnswer {
  readonly verdict: 'counts' | 'shared' | 'opened' | 'probed' | 'open' | 'stale';
  /** Time until the next probe, ms. */
  readonly waitMs: number;
}

export async function reportTrouble(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  { id, region }: { id: string; region: Region },
  trouble: Trouble,
  tuning: BreakerTuning,
): Promise<TroubleAnswer> {
  const keys = { breakers: names.breakers(region), counters: names.counters };
  const reply = await runScript(redis, 'report-trouble', keys, { id, ...trouble, ...tuning });
  const [verdict, waitMs] = reply as [TroubleAnswer['verdict'], number];
  return { verdict, waitMs };
}
