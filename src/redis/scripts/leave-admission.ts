import type { Deployment } from '../deployment.ts';
import type { AttemptRef } from './attempt-ref.ts';
import { runScript } from './run.ts';

/** Gives up the admission of an attempt while it waits for a slow source, so that other verifications are admitted meanwhile. */
export async function leaveAdmission(
  { redis, names }: Deployment,
  { id, region, action }: Pick<AttemptRef, 'id' | 'region' | 'action'>,
): Promise<void> {
  const { gate, admitted } = names.gate(region, action);
  await runScript(redis, 'leave-admission', { gate, admitted }, { id });
}
