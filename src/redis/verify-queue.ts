/** The verify queue of a region, as producers and the sweeper use it. */
import { type JobsOptions, Queue } from 'bullmq';
import type { ActionName, Region } from '../domain/verification/actions.ts';
import type { Lane } from '../domain/verification/request.ts';
import { bullmqOptions, type Deployment } from './deployment.ts';
import { jobOptions, prioritiesBefore, type VerifyJob } from './job-options.ts';
import { verifyQueue } from './names.ts';
import type { JournalRecord } from './record.ts';

/** BullMQ's events only serve dashboards. Without this limit, BullMQ would keep all of them. */
const MAX_EVENTS = 1_000;

export function openVerifyQueue(deployment: Deployment, region: Region): Queue<VerifyJob> {
  const queue = new Queue<VerifyJob>(verifyQueue(region), {
    ...bullmqOptions(deployment),
    streams: { events: { maxLen: MAX_EVENTS } },
    skipVersionCheck: true,
  });
  // Each call rejects with its own error. Without a listener, the emitted error would end the process.
  queue.on('error', () => undefined);
  return queue;
}

/** Adds a job under the verification's id, so that a second call adds no second job. */
export async function addVerifyJob(
  queue: Queue<VerifyJob>,
  record: Pick<JournalRecord, 'id' | 'action' | 'upload' | 'lane' | 'mode'>,
): Promise<void> {
  const { name, data, opts } = verifyJob(record);
  await queue.add(name, data, opts);
}

export function verifyJob({
  id,
  action,
  upload: way,
  lane,
  mode,
}: Pick<JournalRecord, 'id' | 'action' | 'upload' | 'lane' | 'mode'>): {
  name: ActionName;
  data: VerifyJob;
  opts: JobsOptions & { jobId: string };
} {
  return { name: action, data: { way, lane, mode }, opts: { ...jobOptions.verify(lane), jobId: id } };
}

/** Counts the jobs that are served before a new job of this lane. */
export async function countAhead(queue: Queue<VerifyJob>, lane: Lane): Promise<number> {
  const counts = await queue.getCountsPerPriority(prioritiesBefore(lane));
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
