import type { GatedAction } from '../../domain/verification/actions.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

/** Opens the gate after its prober got an answer. @returns false if the gate was open or another call is the prober. */
export async function reopenGate(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  { region, action }: { region: Region; action: GatedAction },
  id: string,
): Promise<boolean> {
  const keys = { gate: names.gate(region, action).gate, counters: names.counters };
  return (await runScript(redis, 'reopen-gate', keys, { id })) === 'opened';
}
