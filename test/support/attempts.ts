/** Attempts by hand, without a worker: a job as BullMQ hands it out, and what a worker asks of the journal. */
import { type HistoryEntry, unpackHistory } from '../../src/domain/history.ts';
import type { DetectOutcome } from '../../src/domain/outcomes.ts';
import { Journal, type OutcomeReport } from '../../src/runtime/journal.ts';
import type { Rig } from './rig.ts';

export const REGION = 'ap-singapore';
export const DETECT = 'DetectReflectLivenessAndCompare';
export const ADMISSION = { capacity: 10, holdMs: 60_000 };
const PACKAGE = { digest: 'package', ttlMs: 60_000, refuse: false };

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

/** The lock with a token, and the count of started attempts. */
export async function take(rig: Rig, id: string, token: string, ats: number): Promise<Journal> {
  const job = rig.names.job(REGION, id);
  await rig.redis.set(job.lock, token, 'PX', 60_000);
  await rig.redis.hset(job.job, 'ats', ats);
  return new Journal(rig.redis, rig.names, id, { token, ats }, job, rig.names.gate(REGION, DETECT), 60_000);
}

/** Nobody works on it any more: it was handed back, or its worker died. */
export async function letGo(rig: Rig, id: string): Promise<void> {
  await rig.redis.del(rig.names.job(REGION, id).lock);
}

export function intentOf(iid: string, generation = 0) {
  return {
    iid,
    generation,
    preflight: { checkedAt: 1 },
    preflightEntry: null,
    callMs: 1_000,
    rate: { lanes: 1, laneMs: 0.01, soonMs: 0, aheadMs: 60_000 },
    slot: null,
    maxPayments: 2,
    package: PACKAGE,
  };
}

/** Declares a call of which nobody ever hears, and gives it up. */
export async function payUnknown(journal: Journal, iid: string, generation = 0): Promise<void> {
  const { kind } = await journal.intent({ ...intentOf(iid, generation), callMs: -1_000 });
  const given = await journal.unknown(entry('unknown'));
  if (kind !== 'go' || given.kind !== 'unknown') throw new Error(`no call to give up: ${kind}, ${given.kind}`);
}

export function outcomeOf(iid: string, decided: DetectOutcome | null, generation = 0): OutcomeReport {
  return {
    iid,
    generation,
    decided,
    reason: null,
    frame: 'none',
    sent: true,
    billed: decided?.billed ?? false,
    entry: entry(decided === null ? 'error' : 'done'),
    penaltyMs: 0,
    package: PACKAGE,
  };
}

export const handOver = {
  generation: 0,
  delayMs: 0,
  stage: 'upload',
  counts: true,
  rewind: false,
  reason: { code: 'TIMEOUT', class: 'transient' },
  entry: entry('retry'),
} as const;

export const settling = {
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
  return (await rig.redis.lrange(rig.names.history(id), 0, -1)).map(unpackHistory);
}
