import type { GatedAction } from '../../domain/verification/actions.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

export interface GateTrouble {
  /** Id of the verification or call that failed. The script checks whether it is the gate's prober. */
  readonly id: string;
  /** The gate's epoch when that verification or call began. */
  readonly epoch: string;
  readonly code: string;
  readonly firstProbeMs: number;
  readonly longestProbeMs: number;
}

/** `probed`: the gate stays closed for longer. `closed`: another caller closed it first. `stale`: the gate has reopened since. */
export type TripAnswer = 'tripped' | 'probed' | 'closed' | 'stale';

export async function tripGate(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  { region, action }: { region: Region; action: GatedAction },
  trouble: GateTrouble,
): Promise<TripAnswer> {
  const keys = { gate: names.gate(region, action).gate, counters: names.counters };
  return (await runScript(redis, 'trip-gate', keys, { ...trouble })) as TripAnswer;
}
