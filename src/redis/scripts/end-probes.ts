import type { Region } from '../../domain/verification/regions.ts';
import type { Deployment } from '../deployment.ts';
import { type Passed, passedArgs } from './ask-breakers.ts';
import { runScript } from './run.ts';

/** @param dependencies those that the verification was to probe but did not call: another verification may probe them. */
export async function endProbes(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  { id, region }: { id: string; region: Region },
  passed: Passed,
  dependencies: readonly string[],
): Promise<void> {
  await runScript(
    redis,
    'end-probes',
    { breakers: names.breakers(region) },
    { id, ...passedArgs(passed), dependencies },
  );
}
