/**
 * Adds the jobs of sessions whose result is to be asked for. A waiting session is only an entry in a sorted set, by the time at which
 * it is due, so any number of them can wait without jobs and without workers. One process feeds at a time, but each step tolerates
 * concurrent runs.
 *
 * What must hold: no more jobs are added in a second than Tencent's rate allows, and of the sessions that are due, those with the
 * earliest deadline come first.
 */
import type { Queue } from 'bullmq';
import type { Logger } from 'pino';
import { callsPerSecond, type Limits } from '../domain/verification/actions.ts';
import { RESULT_CALLS } from '../domain/verification/flows.ts';
import type { Region } from '../domain/verification/regions.ts';
import type { Deployment } from '../redis/deployment.ts';
import type { VerifyJob } from '../redis/job-options.ts';
import { feedSessions, hasWaiting } from '../redis/scripts/feed-sessions.ts';
import { resultJob } from '../redis/verify-queue.ts';
import { Periodic } from './periodic.ts';

export interface FeederOptions {
  readonly deployment: Deployment;
  readonly queues: ReadonlyMap<Region, Queue<VerifyJob>>;
  readonly limits: Limits;
  readonly log: Logger;
}

const EVERY_MS = 1_000;

export class Feeder {
  readonly #options: FeederOptions;
  readonly #periodic: Periodic;

  constructor(options: FeederOptions) {
    this.#options = options;
    const run = async () => {
      await this.feed();
    };
    this.#periodic = new Periodic({ ...options, task: 'feeder', everyMs: EVERY_MS, run });
  }

  start(): void {
    this.#periodic.start();
  }

  stop(): Promise<void> {
    return this.#periodic.stop();
  }

  /** Runs one pass now. @returns how many jobs were added. */
  async feed(): Promise<number> {
    const { deployment, queues, limits } = this.#options;
    const feeds = [...queues].flatMap(([region, queue]) =>
      RESULT_CALLS.map((call) => ({ region, queue, call, most: Math.max(1, callsPerSecond(limits, region, call)) })),
    );
    if (!(await hasWaiting(deployment, feeds))) return 0;
    let added = 0;
    for (let open = feeds; open.length > 0; ) {
      const answers = await feedSessions(deployment, open);
      for (const [index, { queue, call }] of open.entries()) {
        const { sessions = [] } = answers[index] ?? {};
        if (sessions.length === 0) continue;
        await queue.addBulk(sessions.map((session) => resultJob(session, call)));
        added += sessions.length;
      }
      open = open.filter((_, index) => answers[index]?.more);
    }
    return added;
  }
}
