import type { GatedAction } from '../../domain/verification/actions.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

/** Ends a call's probe if the call did not show whether the account is in order, so that another call may probe. */
export async function releaseProbe(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  { region, action }: { region: Region; action: GatedAction },
  id: string,
): Promise<void> {
  await runScript(redis, 'release-probe', { gate: names.gate(region, action).gate }, { id });
}
