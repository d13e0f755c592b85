/** Whether a queue has work for an idle worker. */
import type { Queue } from 'bullmq';
import type { Region } from '../domain/verification/regions.ts';
import type { Deployment } from './deployment.ts';
import { readGates } from './gates.ts';

/** Whether a job waits, and the queue would hand it out. */
export async function hasTakeableJob(queue: Queue): Promise<boolean> {
  const counts = await queue.getJobCounts('waiting', 'prioritized', 'active');
  const { waiting = 0, prioritized = 0, active = 0 } = counts;
  if (waiting + prioritized === 0 || (await queue.isPaused())) return false;
  return active < ((await queue.getGlobalConcurrency()) ?? Number.POSITIVE_INFINITY);
}

/** Whether no gate of the region is closed or paused. */
export async function areGatesOpen(deployment: Deployment, region: Region): Promise<boolean> {
  const gates = await readGates(deployment, Date.now());
  return gates.every((gate) => gate.region !== region || gate.state === 'open');
}
