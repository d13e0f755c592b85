/**
 * The queue of deletions. After the end of a verification, its objects in the company's own bucket are deleted. After an erasure
 * on demand, all data of the verification outside Redis is deleted.
 */
import { Queue } from 'bullmq';
import type { GatedAction } from '../domain/verification/actions.ts';
import type { Region } from '../domain/verification/regions.ts';
import { bullmqOptions, type Deployment } from './deployment.ts';
import { jobOptions } from './job-options.ts';
import { ERASE_QUEUE } from './names.ts';

/**
 * A second deletion pass, for uploads that arrive after the first pass: a run that never reported its end may still be uploading,
 * for example in a suspended process. The value is `required` until the first pass is done. From then on it is the time of the
 * second pass, ms since 1970; by that time, no upload can still be running.
 */
export type SecondPass = 'required' | number;

/** Copies evidence, then deletes a verification's objects in the company's own bucket. Their keys are derived from id and generation. */
export interface EraseJob {
  readonly id: string;
  readonly region: Region;
  readonly action: GatedAction;
  readonly generations: number;
  /** Absent: the verification has no tenant. */
  readonly tenant?: string;
  readonly secondPass?: SecondPass;
  /** Evidence is copied before the deletion (`first`), or there is nothing to delete (`only`). Absent: no evidence is kept. */
  readonly evidence?: 'first' | 'only';
}

/** Finishes an erasure on demand. What to delete is in the tombstone, not in the job, because dashboards show a job's data. */
export interface ForgetJob {
  readonly id: string;
  readonly region: Region;
  /** Absent: the verification has no tenant. */
  readonly tenant?: string;
  /** Delay before the deletion, ms: long enough for a worker that runs the verification to notice the erasure. */
  readonly delayMs?: number;
  readonly secondPass?: SecondPass;
}

export type EraseQueue = Queue<EraseJob | ForgetJob>;

/** Adds the job under an id that is derived from it, so that a second job for the same objects is not added. */
export async function addEraseJob(queue: EraseQueue, erase: EraseJob, delay = 0): Promise<void> {
  const jobId = `erase-${erase.id}-${erase.generations}`;
  await queue.add('erase', erase, { ...jobOptions.erase, jobId, ...(delay === 0 ? {} : { delay }) });
}

export function openEraseQueue(deployment: Deployment): EraseQueue {
  const queue = new Queue<EraseJob | ForgetJob>(ERASE_QUEUE, {
    ...bullmqOptions(deployment),
    skipVersionCheck: true,
  });
  // Each call rejects with its own error. Without a listener, the emitted error would end the process.
  queue.on('error', () => undefined);
  return queue;
}
