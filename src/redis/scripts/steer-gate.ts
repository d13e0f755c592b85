import type { GateCommand } from '../../domain/operations/gates.ts';
import { type GatedAction, regionProblem } from '../../domain/verification/actions.ts';
import type { Region } from '../../domain/verification/regions.ts';
import { invalidRequest } from '../../domain/verification/request.ts';
import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

export interface SteerRequest {
  readonly act: GateCommand;
  readonly by: string;
  readonly why: string;
}

/** @returns whether the command changed anything. @throws Failure if the region does not serve the call */
export async function steerGate(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  { region, action }: { region: Region; action: GatedAction },
  { act, by, why }: SteerRequest,
): Promise<boolean> {
  const problem = regionProblem(region, action);
  if (problem !== null) throw invalidRequest('region', problem);
  return (await runScript(redis, 'steer-gate', { gate: names.gate(region, action).gate }, { act, by, why })) === 'done';
}
