/** Runs a task every few seconds, in one process of the deployment at a time. */
import type { Logger } from 'pino';
import { errorFacts } from '../pipeline/worker-lifecycle.ts';
import { type PeriodicTask, takeTurn } from '../redis/counters.ts';
import type { Deployment } from '../redis/deployment.ts';

export interface PeriodicOptions {
  readonly deployment: Deployment;
  readonly task: PeriodicTask;
  readonly everyMs: number;
  readonly log: Logger;
  /**
   * Runs the task once. Must tolerate concurrent runs: if a run takes longer than the interval, another process may start the
   * next run before the first one is over.
   */
  run(): Promise<void>;
}

/**
 * After a run starts, no other run may start for this share of the interval. The share is below 1, so that the next run, one
 * interval later, is not blocked.
 */
const TURN_SHARE = 0.9;

export class Periodic {
  readonly #options: PeriodicOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: PeriodicOptions) {
    this.#options = options;
  }

  start(): void {
    const next = () => {
      this.#running = this.#runOnce().finally(() => {
        if (!this.#stopped) this.#timer = setTimeout(next, this.#options.everyMs);
      });
    };
    this.#timer = setTimeout(next, this.#options.everyMs);
  }

  /** Stops the task and waits for the current run. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #runOnce(): Promise<void> {
    const { deployment, task, everyMs, log, run } = this.#options;
    try {
      if (await takeTurn(deployment, task, Math.ceil(everyMs * TURN_SHARE))) await run();
    } catch (error) {
      const facts = errorFacts(error);
      const text = `${task} failed (${facts.reason ?? facts.error}); it runs again soon`;
      log.warn({ event: 'periodic_task_failed', task, ...facts }, text);
    }
  }
}
