/**
 * How a deployment is doing, in one word with its numbers: what an operator who is woken at night reads first. Pure; made of
 * what can be counted (`metrics.ts`) and of the verifications that ended last.
 */
import { type Limits, limitOf } from './actions.ts';
import type { GateView } from './gates.ts';
import type { Metrics } from './metrics.ts';
import { DECISIONS, type Decision } from './states.ts';
import type { VerificationView } from './view.ts';

export type Verdict =
  /** Nothing waits. */
  | { readonly kind: 'idle' }
  | {
      readonly kind: 'working';
      readonly waiting: number;
      /** Verifications that end in a second. */
      readonly perSecond: number;
      /** The vendor's limit is what holds it back. */
      readonly atLimit: boolean;
      /** Until all that waits has ended, at this pace. Null where nothing has ended lately. */
      readonly clearMs: number | null;
    }
  /** No gate that is needed lets anything through. */
  | { readonly kind: 'stopped'; readonly gate: GateView; readonly waiting: number }
  /** Work waits, the gates are open, and nothing has ended for a while: no worker runs, or none can reach what it needs. */
  | { readonly kind: 'stalled'; readonly waiting: number; readonly oldestMs: number };

/** Of the verifications that ended last. */
export interface Recent {
  readonly count: number;
  readonly perSecond: number;
  readonly decisions: Readonly<Record<Decision, number>>;
  readonly failed: number;
  readonly cancelled: number;
  /** From acceptance to decision of interactive ones, 95 of 100 are quicker. Null where there is none. */
  readonly interactiveP95Ms: number | null;
  readonly interactive: number;
  /** ms since 1970, of the newest. */
  readonly lastEndedAt: number | null;
}

export interface Situation {
  readonly metrics: Metrics;
  readonly recent: Recent;
  readonly limits: Limits;
  /** ms since 1970. */
  readonly now: number;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** The pace is that of this long. */
const PACE_MS = 30_000;
/** A limit of which so much is used is what holds back. */
const AT_LIMIT = 0.8;

/** @param ended newest first, as many as were looked at. */
export function recentOf(ended: readonly VerificationView[], now: number): Recent {
  const lately = ended.filter(({ endedAt }) => now - msOf(endedAt) < HOUR_MS);
  const times = lately.map(({ endedAt }) => msOf(endedAt));
  const within = times.filter((time) => now - time < PACE_MS);
  // Where all that were looked at ended within it, they say nothing of the time before the oldest of them.
  const spanMs = within.length === ended.length && within.length > 1 ? now - Math.min(...within) : PACE_MS;
  const waits = lately
    .filter(({ lane, decidedAt }) => lane === 'interactive' && decidedAt !== null)
    .map(({ createdAt, decidedAt }) => msOf(decidedAt) - Date.parse(createdAt))
    .sort((a, b) => a - b);
  const counted = (decision: Decision) =>
    lately.filter((view) => view.state === 'completed' && view.decision === decision).length;
  return {
    count: lately.length,
    perSecond: (within.length * 1_000) / Math.max(1_000, spanMs),
    decisions: Object.fromEntries(DECISIONS.map((each) => [each, counted(each)])) as Record<Decision, number>,
    failed: lately.filter(({ state }) => state === 'failed').length,
    cancelled: lately.filter(({ state }) => state === 'cancelled').length,
    interactiveP95Ms: waits[Math.min(waits.length - 1, Math.floor(waits.length * 0.95))] ?? null,
    interactive: waits.length,
    lastEndedAt: times.length === 0 ? null : Math.max(...times),
  };
}

export function verdictOf({ metrics, recent, limits, now }: Situation): Verdict {
  const waiting = metrics.live - metrics.held;
  if (waiting <= 0) return { kind: 'idle' };
  const busy = new Set(
    metrics.queues.filter((each) => each.waiting + each.active + each.delayed > 0).map(({ region }) => region),
  );
  const needed = metrics.gates.filter(({ region }) => busy.has(region));
  const [shut, ...others] = needed.filter(({ state }) => state !== 'open');
  if (shut !== undefined && others.length + 1 === needed.length) return { kind: 'stopped', gate: shut, waiting };
  const { perSecond, lastEndedAt } = recent;
  const oldestMs = metrics.oldestMs ?? 0;
  if (oldestMs > MINUTE_MS && now - (lastEndedAt ?? 0) > MINUTE_MS) return { kind: 'stalled', waiting, oldestMs };
  const most = needed.reduce((sum, { region, action }) => sum + limitOf(limits, region, action), 0);
  return {
    kind: 'working',
    waiting,
    perSecond,
    atLimit: most > 0 && perSecond >= AT_LIMIT * most,
    clearMs: perSecond === 0 ? null : (waiting / perSecond) * 1_000,
  };
}

function msOf(iso: string | null): number {
  return iso === null ? 0 : Date.parse(iso);
}
