/**
 * The ordinary deletions that follow an end: nothing is to be copied before, and no upload can still be running. The script that
 * ends the verification adds one to a sorted set, by time. Erase workers take them in batches (`take-deletions`) and remove them when
 * they are done. All other deletions are jobs of the erase queue.
 */
import { readClock } from './clock.ts';
import type { Deployment } from './deployment.ts';
import type { EraseJob } from './erase-queue.ts';

/** A deletion as a member of the set. JSON keeps the order of the fields, so one that was read has the same text again. */
export function deletionText(deletion: EraseJob | null): string {
  return deletion === null ? '' : JSON.stringify(deletion);
}

/** Removes deletions that are done, or that have become jobs. */
export async function removeDeletions(
  { redis, names }: Deployment,
  [first, ...others]: readonly EraseJob[],
): Promise<void> {
  if (first !== undefined) await redis.zrem(names.deletions, deletionText(first), ...others.map(deletionText));
}

export function countDeletions({ redis, names }: Deployment): Promise<number> {
  return redis.zcard(names.deletions);
}

/** Whether a deletion has been due for a second: a worker that takes deletions would have taken it. */
export async function hasDueDeletion(deployment: Deployment): Promise<boolean> {
  const { redis, names } = deployment;
  return (await redis.zcount(names.deletions, '-inf', (await readClock(deployment)) - 1_000)) > 0;
}
