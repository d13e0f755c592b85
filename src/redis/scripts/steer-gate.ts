import type { GateCommand } from '../../domain/operations/gates.ts';
import type { GatedAction, Region } from '../../domain/verification/actions.ts';
import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

export interface SteerRequest {
  readonly act: GateCommand;
  readonly by: string;
  readonly why: string;
}

/** @returns whether the command changed anything. */
export async function steerGate(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  { region, action }: { region: Region; action: GatedAction },
  { act, by, why }: SteerRequest,
): Promise<boolean> {
  return (await runScript(redis, 'steer-gate', { gate: names.gate(region, action).gate }, { act, by, why })) === 'done';
}
