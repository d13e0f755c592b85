/**
 * Completes the work that a dead process left undone. It delivers the follow-ups that are still in the outbox. It adds missing
 * jobs of live verifications: a producer may have died between writing the record and adding the job, or an operator may have
 * removed the job by hand. It ends verifications that are past their deadline if no worker is running them. One process sweeps at
 * a time, but each step tolerates concurrent runs.
 */
import type { Queue } from 'bullmq';
import type { Logger } from 'pino';
import type { Region } from '../domain/verification/regions.ts';
import { isTerminal } from '../domain/verification/states.ts';
import type { Deployment } from '../redis/deployment.ts';
import { endedBefore, removeFromEnded, removeFromLive, scanLive } from '../redis/indexes.ts';
import type { VerifyJob } from '../redis/job-options.ts';
import { followUpsOf, type Outbox } from '../redis/outbox.ts';
import { journalExists, readJournal } from '../redis/read-records.ts';
import type { JournalRecord } from '../redis/record.ts';
import { expireOverdue } from '../redis/scripts/expire-overdue.ts';
import type { KeptSources } from '../redis/scripts/settle.ts';
import { countEnd, noteAges } from '../redis/series.ts';
import { addVerifyJob } from '../redis/verify-queue.ts';
import { dropSilentWorkers } from '../redis/workers.ts';
import { Periodic } from './periodic.ts';

export interface SweeperOptions {
  readonly deployment: Deployment;
  readonly queues: ReadonlyMap<Region, Queue<VerifyJob>>;
  readonly outbox: Outbox;
  /** Redis drops a record this long after the end of the verification. */
  readonly expiryMs: number;
  /** What is kept for a retry when the sweeper ends an overdue verification. Default: nothing. */
  readonly keep?: KeptSources;
  readonly log: Logger;
  /** Time between two passes. Default 15,000. */
  readonly everyMs?: number;
}

const EVERY_MS = 15_000;
/** A verification that was enqueued less than this long ago is left alone, because its producer may still be adding the job. */
const SETTLED_MS = 10_000;
const BATCH = 500;

export class Sweeper {
  readonly #options: SweeperOptions;
  readonly #periodic: Periodic;

  constructor(options: SweeperOptions) {
    this.#options = options;
    const { deployment, log, everyMs = EVERY_MS } = options;
    const run = async () => {
      const swept = await this.sweep();
      if (swept.delivered + swept.requeued > 0)
        log.warn({ event: 'swept', ...swept }, 'sweeper: repaired what was missing');
    };
    this.#periodic = new Periodic({ deployment, task: 'sweeper', everyMs, log, run });
  }

  start(): void {
    this.#periodic.start();
  }

  stop(): Promise<void> {
    return this.#periodic.stop();
  }

  /** Runs one pass now. @param settledMs verifications that were enqueued less than this long ago are left alone. */
  async sweep(settledMs = SETTLED_MS): Promise<{ delivered: number; requeued: number }> {
    const delivered = await this.#options.outbox.deliverAll();
    const requeued = await this.#requeueLost(settledMs);
    await this.#dropExpired();
    await dropSilentWorkers(this.#options.deployment);
    return { delivered, requeued };
  }

  async #requeueLost(settledMs: number): Promise<number> {
    const { deployment } = this.#options;
    let requeued = 0;
    const ages = new Map<Region, number>();
    for await (const entries of scanLive(deployment, BATCH)) {
      for (const { id, at } of entries) {
        if (at > Date.now() - settledMs) continue;
        const record = await readJournal(deployment, id);
        if (record === null) await removeFromLive(deployment, id);
        // Leave an ended record alone: its index entry is gone already or, if the verification was retried, is needed again.
        else if (!isTerminal(record.state)) {
          if (record.state !== 'held') ages.set(record.region, Math.max(ages.get(record.region) ?? 0, Date.now() - at));
          if (await this.#repair(record)) requeued += 1;
        }
      }
    }
    await noteAges(deployment, ages);
    return requeued;
  }

  /** @returns whether the verification's job was missing and was added again. */
  async #repair(record: JournalRecord): Promise<boolean> {
    const { id, region, state, notBefore } = record;
    const queue = this.#options.queues.get(region);
    if (queue === undefined || record.isParked) return false; // a waiting session has no job: see feeder.ts
    if (await this.#expire(record)) {
      await queue.remove(id);
      return false;
    }
    const jobState = await queue.getJobState(id);
    if (jobState === 'delayed' && state === 'delayed' && (notBefore ?? 0) <= Date.now()) {
      // A late answer or an operator ended the wait, but the process that was to promote the job died before it did so.
      await (await queue.getJob(id))?.promote();
    }
    if (jobState !== 'unknown' && jobState !== 'failed' && jobState !== 'completed') return false;
    await queue.remove(id);
    await addVerifyJob(queue, record);
    return true;
  }

  /**
   * Ends an overdue verification. An attempt would do the same, but a closed gate or a long backlog may keep the attempt from
   * starting.
   */
  async #expire(record: JournalRecord): Promise<boolean> {
    const hasToken = record.outcomes.start !== undefined;
    if (record.deadline > Date.now() || record.state === 'active' || hasToken) return false;
    const { deployment, expiryMs, keep = null } = this.#options;
    const ended = await expireOverdue(deployment, record, {
      followUps: followUpsOf(record, 'outside'),
      expiryMs,
      keep,
    });
    if (ended) await countEnd(deployment, 'failed');
    return ended;
  }

  /**
   * Removes the index entries of ended verifications whose records have expired: Redis drops the records, but not these entries.
   */
  async #dropExpired(): Promise<void> {
    const { deployment } = this.#options;
    for (const id of await endedBefore(deployment, Date.now(), { limit: BATCH })) {
      if (await journalExists(deployment, id)) break;
      await removeFromEnded(deployment, id);
    }
  }
}
