/** A fault configures the world of a run, and breaks something in it on purpose. */
import type { Random } from './random.ts';
import type { ChaosWorld, WorldOptions } from './world.ts';

export interface Fault {
  readonly name: string;
  /** One line for --help. */
  readonly summary: string;
  /** Uses the product's default lease and limits, and runs for a minute or more. */
  readonly long?: true;
  readonly world?: (random: Random) => Partial<Pick<WorldOptions, 'settings' | 'fsync' | 'redisArgs' | 'settleMs'>>;
  /** Starts workers, enqueues and breaks something. The caller then waits until the world has settled. */
  run(world: ChaosWorld, random: Random): Promise<void>;
}
