/** What a fault is: something that is broken on purpose, in a world that it may also ask for. */
import type { Random } from './random.ts';
import type { ChaosWorld, WorldOptions } from './world.ts';

export interface Fault {
  readonly name: string;
  /** In one line, for --help. */
  readonly what: string;
  /** With the product's own lease and limits; runs a minute or more. */
  readonly long?: true;
  readonly world?: (random: Random) => Partial<Pick<WorldOptions, 'settings' | 'fsync' | 'redisArgs' | 'settleMs'>>;
  /** Starts workers, enqueues, breaks. What is left to do is waited for by whoever runs it. */
  run(world: ChaosWorld, random: Random): Promise<void>;
}
