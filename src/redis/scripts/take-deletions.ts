import type { Deployment } from '../deployment.ts';
import type { EraseJob } from '../erase-queue.ts';
import { runScript } from './run.ts';

/** @param leaseMs after this time, deletions that were not removed are taken again. */
export async function takeDeletions(
  { redis, names: { deletions } }: Deployment,
  { most, leaseMs }: { readonly most: number; readonly leaseMs: number },
): Promise<EraseJob[]> {
  const taken = (await runScript(redis, 'take-deletions', { deletions }, { most, leaseMs })) as string[];
  return taken.map((text) => JSON.parse(text) as EraseJob);
}
