/**
 * Makes one run of some work serve all calls that wait for it. A call is served by a run that begins after the call, so whatever the caller
 * did before is part of it. Runs do not overlap.
 * @returns a function that resolves or rejects as its run does
 */
export function sharedRun(work: () => Promise<void>): () => Promise<void> {
  let last: Promise<unknown> = Promise.resolve();
  /** The run that has not begun yet. */
  let next: Promise<void> | null = null;
  return () => {
    if (next === null) {
      const run = last.then(() => {
        next = null;
        return work();
      });
      last = run.catch(() => undefined); // each caller gets the error of its run
      next = run;
    }
    return next;
  };
}
