/** The queue of a region, as producers and the sweeper use it. */
import { type JobsOptions, Queue } from 'bullmq';
import type { ActionName, Region } from '../domain/actions.ts';
import type { Lane } from '../domain/verification.ts';
import type { RedisClient } from './connection.ts';
import { type Names, verifyQueue } from './names.ts';
import { jobOptions, prioritiesBefore, type VerifyJob } from './options.ts';
import type { JournalRecord } from './record.ts';

/** Events are for dashboards; bounded, since they would be kept for ever. */
const EVENTS_KEPT = 1_000;

export function openVerifyQueue(redis: RedisClient, names: Names, region: Region): Queue<VerifyJob> {
  const queue = new Queue<VerifyJob>(verifyQueue(region), {
    connection: redis,
    prefix: names.prefix,
    streams: { events: { maxLen: EVENTS_KEPT } },
    skipVersionCheck: true,
  });
  // Errors come back from the calls themselves; an emitter without a listener would end the process.
  queue.on('error', () => undefined);
  return queue;
}

/** Under the verification's own id: adding it twice adds it once. */
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

/** Those that are served before a new one of this lane. */
export async function countAhead(queue: Queue<VerifyJob>, lane: Lane): Promise<number> {
  const counts = await queue.getCountsPerPriority(prioritiesBefore(lane));
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
