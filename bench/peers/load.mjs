/** What the programs of the peers share. Their packages are installed into .bestframe/, so they are loaded from there. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Verifications that a peer works on at a time. */
export const CONCURRENCY = Number(process.env.CONCURRENCY);

export function load(name) {
  const require = createRequire(join(process.env.TOOLS, 'load.js'));
  return import(pathToFileURL(require.resolve(name)).href);
}

/** Answers each request, which is a number of verifications, with how many of them were made per second. */
export function serve(run) {
  process.on('message', async (count) => {
    const startedAt = performance.now();
    await run(count);
    process.send((1_000 * count) / (performance.now() - startedAt));
  });
  process.on('disconnect', () => process.exit());
  process.send('ready');
}

/** Counts to a number. */
export class Countdown {
  #left = 0;
  #reached = () => undefined;

  /** Resolves after so many calls of `count`. */
  from(count) {
    this.#left = count;
    return new Promise((resolve) => {
      this.#reached = resolve;
    });
  }

  count() {
    this.#left -= 1;
    if (this.#left === 0) this.#reached();
  }
}

/** Runs something so often, `CONCURRENCY` at a time. */
export async function repeat(count, run) {
  let left = count;
  const slot = async () => {
    while (left > 0) {
      left -= 1;
      await run();
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, slot));
}
