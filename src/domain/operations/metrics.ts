/** Counts of a deployment at one moment, for a scrape or an alert. They contain no id, key or link. */
import type { Region } from '../verification/regions.ts';
import type { Lane } from '../verification/request.ts';
import type { BreakerView } from './breakers.ts';
import type { CostEntry } from './costs.ts';
import type { GateView } from './gates.ts';
import type { WorkerView } from './workers.ts';

/** Counters that Redis keeps from the start of the deployment. */
export const COUNTERS = [
  /** Paid calls that got no answer. Tencent may bill such a call in addition to the call that repeats it. */
  'unknownOutcomes',
  /** Answers to a verification that already had another answer, was rewound or had ended. They appear in the history only. */
  'lateOutcomes',
  /** Answers to verifications that were erased or have expired. */
  'orphanOutcomes',
  /** Failures whose code is not in the error table. */
  'unknownCodes',
  /** Answers of FaceID in which a documented field does not have the documented shape. */
  'replyShapes',
  'gateClosed',
  'gateOpened',
  'breakerOpened',
  /** Verifications whose evidence could not be copied completely. */
  'evidenceIncomplete',
  /** Logins to the site and requests with an API key that were refused, whatever the reason. */
  'loginsRefused',
] as const;
export type Counter = (typeof COUNTERS)[number];

/** Jobs in the queue of one region. */
export interface QueueCounts {
  readonly region: Region;
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
}

/** The oldest verification of a region and lane that is neither ended nor held. */
export interface OldestView {
  readonly region: Region;
  readonly lane: Lane;
  readonly ageMs: number;
}

/** A budget and how much of it is spent, in calls or in a currency. */
export interface BudgetStatus {
  readonly period: 'day' | 'month';
  readonly unit: string;
  readonly limit: number;
  /** The paid and the possibly paid amount together. */
  readonly spent: number;
}

/** The cost of today's calls, and the budgets. */
export interface CostMetrics {
  readonly today: Pick<CostEntry, 'paidCalls' | 'possiblyPaidCalls' | 'costs'>;
  readonly budgets: readonly BudgetStatus[];
}

/** All counts of a deployment. */
export interface Metrics {
  readonly gates: readonly GateView[];
  readonly breakers: readonly BreakerView[];
  readonly queues: readonly QueueCounts[];
  /** Verify workers that sent a heartbeat within the last minute. */
  readonly workers: readonly WorkerView[];
  readonly counters: Readonly<Record<Counter, number>>;
  /** Verifications that have not ended, including held ones. */
  readonly live: number;
  readonly held: number;
  /** Sessions that wait for their person, without a job. Included in `live`. */
  readonly waitingSessions: number;
  /**
   * Age of the oldest verification that is neither ended nor held, ms, without waiting sessions. Null if there is none. Only the 1,000 oldest verifications
   * are examined.
   */
  readonly oldestMs: number | null;
  /** The same of each region and lane that has one. Includes the first waiting verification of each lane. */
  readonly oldest: readonly OldestView[];
  /** Ended verifications whose follow-up jobs are not queued yet. */
  readonly outbox: number;
  /** Deletions in the company's own bucket that are not confirmed yet, or whose second pass is still due. */
  readonly toErase: number;
  readonly evidence: EvidenceCounts;
  /** Notifications that are not delivered yet. */
  readonly toNotify: number;
  /** Notifications whose delivery was given up. */
  readonly deadNotifications: number;
  readonly costs: CostMetrics;
  readonly redis: RedisServerView;
  /** The tenants that BESTFRAME_METRICS_TENANTS lists. */
  readonly tenants: readonly TenantCounts[];
}

/** The Redis server that holds the deployment. Null: the server does not tell. */
export interface RedisServerView {
  readonly memoryBytes: number | null;
  /** 0: no limit. */
  readonly maxMemoryBytes: number | null;
  readonly clients: number | null;
  readonly replicas: number | null;
  /** Whether the last writes to its append-only file and snapshot succeeded. */
  readonly persists: boolean | null;
  /** Keys that were evicted since the server started. Each may have been a verification. */
  readonly evictedKeys: number | null;
  readonly rejectedConnections: number | null;
  readonly commands: number | null;
}

/** Verifications whose evidence is not copied yet. */
export interface EvidenceCounts {
  readonly waiting: number;
  /** How long the first of them has waited since its end, ms. Null: none waits. */
  readonly oldestMs: number | null;
}

export interface TenantCounts {
  readonly tenant: string;
  /** Verifications whose records are kept. */
  readonly records: number;
  /** Today's calls. */
  readonly paidCalls: number;
  readonly possiblyPaidCalls: number;
}
