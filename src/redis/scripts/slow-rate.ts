import type { GatedCall } from '../../domain/verification/actions.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

/** After the vendor throttled a call without an intent: stops calls for `restMs`, and then slows the pace. */
export async function slowRate(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  { region, call }: { region: Region; call: GatedCall },
  restMs: number,
): Promise<void> {
  await runScript(redis, 'slow-rate', { gate: names.gate(region, call).gate }, { restMs });
}
