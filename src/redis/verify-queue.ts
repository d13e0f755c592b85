/** The verify queue of a region, as producers and the sweeper use it. */
import { type JobsOptions, Queue } from 'bullmq';
import type { ActionName } from '../domain/verification/actions.ts';
import type { ResultCall } from '../domain/verification/flows.ts';
import type { Region } from '../domain/verification/regions.ts';
import { bullmqOptions, type Deployment } from './deployment.ts';
import { jobOptions, RESUME_PRIORITY, type VerifyJob } from './job-options.ts';
import { verifyQueue } from './names.ts';
import { resultCallOf } from './progress.ts';
import type { JournalRecord } from './record.ts';

/** BullMQ's events only serve dashboards. Without this limit, BullMQ would keep all of them. */
const MAX_EVENTS = 1_000;

/** What a job is made of. */
type Queued = Pick<JournalRecord, 'id' | 'action' | 'upload' | 'lane' | 'mode' | 'turn'>;

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
  record: Queued & Partial<Pick<JournalRecord, 'outcomes'>>,
): Promise<void> {
  const call = resultCallOf({ outcomes: {}, ...record });
  const { name, data, opts } = call === null ? verifyJob(record) : resultJob(record, call);
  await queue.add(name, data, opts);
}

/** A job that asks for the result of a session. It is served before new work, because it is short and its media live for minutes. */
export function resultJob(record: Queued, call: ResultCall): ReturnType<typeof verifyJob> {
  const { data, opts } = verifyJob(record);
  return { name: call, data, opts: { ...opts, priority: RESUME_PRIORITY } };
}

export function verifyJob({ id, action, upload: way, lane, mode, turn }: Queued): {
  name: ActionName | ResultCall;
  data: VerifyJob;
  opts: JobsOptions & { jobId: string };
} {
  return { name: action, data: { way, lane, mode }, opts: { ...jobOptions.verify(lane, turn), jobId: id } };
}
