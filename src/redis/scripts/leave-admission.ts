import type { Deployment } from '../deployment.ts';
import { type AttemptRef, gateKeys } from './attempt-ref.ts';
import { runScript } from './run.ts';

/** Gives up the admission of an attempt while it waits for a slow source, so that other verifications are admitted meanwhile. */
export async function leaveAdmission(
  { redis, names }: Deployment,
  attempt: Pick<AttemptRef, 'id' | 'region' | 'action' | 'call'>,
): Promise<void> {
  const { gate, admitted } = gateKeys({ names }, attempt);
  await runScript(redis, 'leave-admission', { gate, admitted }, { id: attempt.id });
}
