/** A service that runs until it is stopped. */
export interface Running {
  /**
   * Accepts no more work and waits for running work. Idempotent.
   * @returns false if work was still running at the deadline.
   */
  stop(drainMs: number): Promise<boolean>;
}

/** Makes a stop function idempotent. The deadline of the first call applies. */
export function stopOnce(stop: (drainMs: number) => Promise<boolean>): (drainMs: number) => Promise<boolean> {
  let stopped: Promise<boolean> | undefined;
  return (drainMs) => {
    stopped ??= stop(drainMs);
    return stopped;
  };
}
