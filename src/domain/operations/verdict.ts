/**
 * The condition of a deployment as one word with numbers, which an operator on call reads first. The verdict is computed from the
 * counts of the deployment (`metrics.ts`) and the verifications that ended most recently. All functions here are pure.
 */
import { callsPerSecond, type Limits } from '../verification/actions.ts';
import { DECISIONS, type Decision } from '../verification/states.ts';
import type { VerificationView } from '../verification/view.ts';
import type { GateView } from './gates.ts';
import type { Metrics } from './metrics.ts';
import { type MinuteCounts, sumPoint } from './series.ts';

/** The condition of a deployment. */
export type Verdict =
  /** Nothing waits. */
  | { readonly kind: 'idle' }
  | {
      readonly kind: 'working';
      readonly waiting: number;
      /** Verifications that end per second. */
      readonly perSecond: number;
      /** True if the vendor's rate limit is the bottleneck. */
      readonly atLimit: boolean;
      /** Time until all waiting verifications have ended at the current pace, ms. Null if none has ended lately. */
      readonly clearMs: number | null;
    }
  /** Every gate that the waiting work needs is closed or paused. */
  | { readonly kind: 'stopped'; readonly gate: GateView; readonly waiting: number }
  /**
   * Work waits, gates are open, and nothing has ended for a minute: no worker runs, or no worker can reach the services that it
   * needs.
   */
  | { readonly kind: 'stalled'; readonly waiting: number; readonly oldestMs: number }
  /** At least half of the verifications that ended in the last minutes failed. */
  | { readonly kind: 'failing'; readonly waiting: number; readonly failed: number; readonly ended: number };

/** Summary of the verifications that ended within the last hour. */
export interface RecentActivity {
  readonly count: number;
  /** Verifications that ended per second, over the last 30 s. */
  readonly perSecond: number;
  readonly decisions: Readonly<Record<Decision, number>>;
  readonly failed: number;
  readonly cancelled: number;
  /** Time from enqueue to decision of the interactive verifications: 95th percentile, ms. Null if none was decided. */
  readonly interactiveP95Ms: number | null;
  /** The last 5 minutes. */
  readonly lately: { readonly ended: number; readonly failed: number };
  /** Number of interactive verifications that were decided. */
  readonly interactive: number;
  /** When the last verification ended, ms since 1970. */
  readonly lastEndedAt: number | null;
}

/** The facts that the verdict depends on. */
export interface VerdictInput {
  readonly metrics: Metrics;
  readonly recent: RecentActivity;
  readonly limits: Limits;
  /** ms since 1970. */
  readonly now: number;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** The number of ended verifications per second is measured over this time. */
const PACE_MS = 30_000;
/** Whether verifications fail is measured over this time, if at least `LEAST_ENDED` ended. */
const LATELY_MS = 5 * MINUTE_MS;
const LEAST_ENDED = 5;
/** If at least this share of the rate limit is used, the limit is the bottleneck. */
const AT_LIMIT = 0.8;

/**
 * @param ended the newest ended verifications, newest first.
 * @param now ms since 1970.
 */
export function summarizeRecent(ended: readonly VerificationView[], now: number): RecentActivity {
  const lately = ended.filter(({ endedAt }) => now - toMs(endedAt) < HOUR_MS);
  const times = lately.map(({ endedAt }) => toMs(endedAt));
  const withinPace = times.filter((time) => now - time < PACE_MS);
  // If all given verifications ended within PACE_MS, the list may be too short to cover PACE_MS. Then measure from the oldest.
  const isCut = withinPace.length === ended.length && withinPace.length > 1;
  const spanMs = isCut ? now - Math.min(...withinPace) : PACE_MS;
  const latest = lately.filter(({ endedAt }) => now - toMs(endedAt) < LATELY_MS);
  const waits = lately
    .filter(({ lane, decidedAt }) => lane === 'interactive' && decidedAt !== null)
    .map(({ createdAt, decidedAt }) => toMs(decidedAt) - Date.parse(createdAt))
    .sort((a, b) => a - b);
  const countDecided = (decision: Decision) =>
    lately.filter((view) => view.state === 'completed' && view.decision === decision).length;
  return {
    count: lately.length,
    perSecond: (withinPace.length * 1_000) / Math.max(1_000, spanMs),
    decisions: Object.fromEntries(DECISIONS.map((each) => [each, countDecided(each)])) as Record<Decision, number>,
    failed: lately.filter(({ state }) => state === 'failed').length,
    cancelled: lately.filter(({ state }) => state === 'cancelled').length,
    interactiveP95Ms: waits[Math.floor(waits.length * 0.95)] ?? null,
    lately: { ended: latest.length, failed: latest.filter(({ state }) => state === 'failed').length },
    interactive: waits.length,
    lastEndedAt: times.length === 0 ? null : Math.max(...times),
  };
}

/** Exact counts of ended verifications, from the index of ended ones. */
export interface EndedCounts {
  readonly withinPace: number;
  readonly lately: number;
  readonly lastHour: number;
  /** ms since 1970; null if none has ended. */
  readonly lastEndedAt: number | null;
}

/** The times over which `EndedCounts` are counted, ms. */
export const ENDED_SPANS = { withinPace: PACE_MS, lately: LATELY_MS, lastHour: HOUR_MS } as const;

/**
 * The same summary from counts instead of a sample.
 * @param minutes the last hour, oldest first
 */
export function activityOf(minutes: readonly MinuteCounts[], ended: EndedCounts): RecentActivity {
  const { ends, waits } = sumPoint(minutes.slice(-60));
  const { failed, cancelled, ...decisions } = ends;
  return {
    count: ended.lastHour,
    perSecond: (ended.withinPace * 1_000) / PACE_MS,
    decisions,
    failed,
    cancelled,
    interactiveP95Ms: waits.interactive.p95,
    lately: { ended: ended.lately, failed: sumPoint(minutes.slice(-LATELY_MS / MINUTE_MS)).ends.failed },
    interactive: waits.interactive.count,
    lastEndedAt: ended.lastEndedAt,
  };
}

export function computeVerdict({ metrics, recent, limits, now }: VerdictInput): Verdict {
  const waiting = metrics.live - metrics.held - metrics.waitingSessions;
  if (waiting <= 0) return failingVerdict(recent, 0) ?? { kind: 'idle' };
  const busyRegions = new Set(
    metrics.queues.filter((each) => each.waiting + each.active + each.delayed > 0).map(({ region }) => region),
  );
  const neededGates = metrics.gates.filter(({ region }) => busyRegions.has(region));
  const [firstShut, ...otherShut] = neededGates.filter(({ state }) => state !== 'open');
  const allShut = otherShut.length + 1 === neededGates.length;
  if (firstShut !== undefined && allShut) return { kind: 'stopped', gate: firstShut, waiting };
  const { perSecond, lastEndedAt } = recent;
  const oldestMs = metrics.oldestMs ?? 0;
  if (oldestMs > MINUTE_MS && now - (lastEndedAt ?? 0) > MINUTE_MS) return { kind: 'stalled', waiting, oldestMs };
  const failing = failingVerdict(recent, waiting);
  if (failing !== null) return failing;
  const limit = neededGates.reduce((sum, { region, action }) => sum + callsPerSecond(limits, region, action), 0);
  return {
    kind: 'working',
    waiting,
    perSecond,
    atLimit: limit > 0 && perSecond >= AT_LIMIT * limit,
    clearMs: perSecond === 0 ? null : (waiting / perSecond) * 1_000,
  };
}

function failingVerdict({ lately }: RecentActivity, waiting: number): Verdict | null {
  const { ended, failed } = lately;
  return ended >= LEAST_ENDED && failed * 2 >= ended ? { kind: 'failing', waiting, failed, ended } : null;
}

function toMs(iso: string | null): number {
  return iso === null ? 0 : Date.parse(iso);
}
