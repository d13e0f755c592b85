/** Counters of the deployment, and locks that give periodic work to one process at a time. */
import type { Counter } from '../domain/operations/metrics.ts';
import type { Deployment } from './deployment.ts';

export async function increment({ redis, names }: Deployment, counter: Counter): Promise<void> {
  await redis.hincrby(names.counters, counter, 1);
}

/** Periodic work, which one process of the deployment does at a time. */
export type PeriodicTask = 'sweeper' | 'feeder' | 'retention';

/** @returns whether this process may do the work now. If so, no other process may do it for `turnMs`. */
export async function takeTurn({ redis, names }: Deployment, task: PeriodicTask, turnMs: number): Promise<boolean> {
  return (await redis.set(names[task], '1', 'PX', turnMs, 'NX')) === 'OK';
}
