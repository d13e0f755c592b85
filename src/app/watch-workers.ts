/** Watches the workers of a process, and says when one of them is wedged. */
import type { Logger } from 'pino';
import { WedgeWatch, type WedgeWatchOptions } from '../pipeline/wedge-watch.ts';

export type Watched = Pick<WedgeWatchOptions, 'jobs' | 'slots' | 'mayTake'> & { readonly queue: string };

/** @param afterMs how long a worker may take nothing while work waits; 0 turns the watch off. */
export function watchWorkers(watched: readonly Watched[], afterMs: number, log: Logger) {
  let report: (reason: string) => void = () => undefined;
  const failed = new Promise<string>((resolve) => {
    report = resolve;
  });
  const watches = watched.map(({ queue, ...options }) => {
    const onWedged = () => {
      const text = `the worker has taken no job from ${queue} for ${afterMs / 1_000} s, although work waits and it has free slots`;
      log.error({ event: 'worker_wedged', queue, afterMs }, `${text}: the process ends, so that a new one can start`);
      report(text);
    };
    return new WedgeWatch({ ...options, afterMs, onWedged });
  });
  if (afterMs > 0) for (const watch of watches) watch.start();
  return {
    failed,
    stop: () => {
      for (const watch of watches) watch.stop();
    },
  };
}
