/** Plays the part of a worker in tests: takes a job as BullMQ does, and builds the arguments of the journal's calls. */
import { chargeOf, NO_PRICES } from '../../src/domain/operations/costs.ts';
import type { HistoryEntry } from '../../src/domain/verification/history.ts';
import type { DetectOutcome } from '../../src/domain/verification/outcomes.ts';
import { Journal } from '../../src/pipeline/journal.ts';
import type { OutcomeReport } from '../../src/redis/scripts/record-outcome.ts';
import type { Rig } from './rig.ts';

export const REGION = 'ap-singapore';
export const DETECT = 'DetectReflectLivenessAndCompare';
export const ADMISSION = { capacity: 10, holdMs: 60_000 };
export const CHARGE = chargeOf(NO_PRICES, DETECT, Date.UTC(2026, 10, 28));
const PACKAGE = { digest: 'package', ttlMs: 60_000, refuseReuse: false, photoRetries: 3 };

export const DECIDED: DetectOutcome = {
  decision: 'match',
  similarity: 90,
  result: 'Success',
  requestId: 'r-1',
  billed: true,
  bestFrame: null,
};

export const entry = (event: HistoryEntry['event'] = 'done'): HistoryEntry => ({
  at: Date.now(),
  event,
  stage: 'detect',
  ms: 5,
});

/** Takes the job's lock with a token, and sets its number of started attempts. */
export async function take(rig: Rig, id: string, token: string, ats: number): Promise<Journal> {
  const job = rig.names.job(REGION, id);
  await rig.redis.set(job.lock, token, 'PX', 60_000);
  await rig.redis.hset(job.job, 'ats', ats);
  return new Journal(rig.deployment, { id, region: REGION, action: DETECT, token, ats }, 60_000);
}

/** Deletes the lock, as after a requeue or the death of the worker. */
export async function releaseLock(rig: Rig, id: string): Promise<void> {
  await rig.redis.del(rig.names.job(REGION, id).lock);
}

export function intentOf(intentId: string, generation = 0) {
  return {
    intentId,
    generation,
    preflight: { checkedAt: 1 },
    preflightEntry: null,
    callMs: 1_000,
    rate: { lanes: 1, laneMs: 0.01, soonMs: 0, aheadMs: 60_000 },
    slot: null,
    maxPayments: 2,
    package: PACKAGE,
    charge: CHARGE,
  };
}

/** Declares a call that never gets an answer, and marks its outcome as unknown. */
export async function payUnknown(journal: Journal, intentId: string, generation = 0): Promise<void> {
  const { kind } = await journal.declareIntent({ ...intentOf(intentId, generation), callMs: -1_000 });
  const given = await journal.markOutcomeUnknown(entry('unknown'));
  if (kind !== 'go' || given.kind !== 'unknown') throw new Error(`not declared or not unknown: ${kind}, ${given.kind}`);
}

export function outcomeOf(intentId: string, decided: DetectOutcome | null, generation = 0): OutcomeReport {
  return {
    intentId,
    generation,
    decided,
    reason: null,
    frame: 'none',
    sent: true,
    billed: decided?.billed ? 'yes' : 'no',
    entry: entry(decided === null ? 'error' : 'done'),
    restMs: 0,
    package: PACKAGE,
    charge: CHARGE,
  };
}

export const REQUEUE = {
  generation: 0,
  delayMs: 0,
  stage: 'upload',
  countAttempt: true,
  rewind: false,
  reason: { code: 'TIMEOUT', class: 'transient' },
  entry: entry('retry'),
} as const;

export const SETTLE = {
  generation: 0,
  state: 'completed',
  reason: null,
  followUps: null,
  entry: entry(),
  frame: 'none',
  stored: null,
  keepFrameMs: 0,
} as const;

export async function historyOf(rig: Rig, id: string): Promise<HistoryEntry[]> {
  return (await rig.redis.lrange(rig.names.history(id), 0, -1)).map((text) => JSON.parse(text) as HistoryEntry);
}
