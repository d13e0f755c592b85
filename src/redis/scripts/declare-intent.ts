import { faceIdDependency } from '../../domain/operations/breakers.ts';
import type { Budget, Charge } from '../../domain/operations/costs.ts';
import type { PaidCall } from '../../domain/verification/actions.ts';
import { MICROS } from '../../domain/verification/cost.ts';
import type { HistoryEntry } from '../../domain/verification/history.ts';
import type { Md5Outcome } from '../../domain/verification/outcomes.ts';
import type { Deployment } from '../deployment.ts';
import { type Passed, passedArgs } from './ask-breakers.ts';
import { type AttemptRef, countsOf, fencedKeys } from './attempt-ref.ts';
import type { Rate, Slot } from './reserve-slots.ts';
import { runWithEntry } from './run-with-entry.ts';

export interface IntentRequest {
  /** Default: the attempt's action. */
  readonly call?: PaidCall;
  /** Id of this intent. A repeated script call has the same id. */
  readonly intentId: string;
  readonly generation: number;
  /** Null if the plan has no stage md5. */
  readonly preflight: Md5Outcome | null;
  readonly preflightEntry: HistoryEntry | null;
  /** Time limit of the call, counted from its slot. */
  readonly callMs: number;
  readonly rate: Rate;
  /** The slot that an earlier `slot` answer of this script contained; null if there was none yet. */
  readonly slot: Slot | null;
  /** At most this many calls may be paid or possibly paid, including this call. */
  readonly maxPayments: number;
  readonly package: PackageDigest;
  readonly charge: Charge;
  /** False lets other verifications probe an open breaker first. Default true. */
  readonly mayProbe?: boolean;
  /** Default: none. */
  readonly passed?: Passed | undefined;
}

/** Identifies a liveness package without revealing its content. */
export interface PackageDigest {
  readonly digest: string;
  /** How long an answered package is remembered. */
  readonly ttlMs: number;
  /** Whether to refuse a package that was answered in another verification. */
  readonly refuseReuse: boolean;
  /** How often the same package is accepted again after an answer about the photo alone. */
  readonly photoRetries: number;
}

/** All times are Redis's, ms since 1970. */
export type Intent =
  | {
      readonly kind: 'go';
      readonly now: number;
      /** The call must be over by this time. */
      readonly until: number;
      /** The call must not be sent before this time. */
      readonly at: number;
      readonly epoch: string;
      /** Whether this call probes a closed gate. */
      readonly probe: boolean;
      /** Label of a budget of which 80 % is now spent, e.g. 'day 2026-11-28 500 calls'; otherwise null. */
      readonly warned: string | null;
    }
  | { readonly kind: 'slot'; readonly now: number; readonly slot: Slot }
  | { readonly kind: 'open'; readonly now: number; readonly until: number }
  | { readonly kind: 'reused'; readonly answeredAt: number }
  | {
      readonly kind: 'closed';
      readonly now: number;
      readonly askAgainAt: number;
      readonly code: string;
      /** Label of the budget that is spent and has just closed the gate; otherwise null. */
      readonly spentBudget: string | null;
    }
  | { readonly kind: 'broken'; readonly now: number; readonly askAgainAt: number; readonly code: string }
  | { readonly kind: 'lost' | 'ended' | 'cancel' | 'decided' | 'exhausted' | 'expired' };

export async function declareIntent(
  deployment: Deployment,
  attempt: AttemptRef,
  request: IntentRequest,
): Promise<Intent> {
  const { names } = deployment;
  const { id, region, token, ats } = attempt;
  const { call = attempt.action } = request;
  const { gate, admitted, reserved } = names.gate(region, call);
  const { rate, slot: known, charge } = request;
  const reply = await runWithEntry(
    { deployment, id, entry: request.preflightEntry, isAppended: (reply) => readReply(reply).kind === 'go' },
    'declare-intent',
    {
      ...fencedKeys(deployment, attempt),
      gate,
      admitted,
      reserved,
      answered: names.answered,
      breakers: names.breakers(region),
      counters: names.counters,
      costsDay: names.costs(charge.day),
      costsMonth: names.costs(charge.month),
      budget: names.budget,
    },
    {
      token,
      ats,
      generation: request.generation,
      id,
      intentId: request.intentId,
      preflight: request.preflight === null ? '' : JSON.stringify(request.preflight),
      callMs: request.callMs,
      slotLane: known?.lane ?? '',
      slotAt: known?.at ?? 0,
      maxPayments: request.maxPayments,
      lanes: rate.lanes,
      laneMs: rate.laneMs,
      soonMs: rate.soonMs,
      aheadMs: rate.aheadMs,
      packageDigest: request.package.refuseReuse ? request.package.digest : '',
      packageTtlMs: request.package.ttlMs,
      photoRetries: request.package.photoRetries,
      place: `${region}|${call}`,
      counts: countsOf(call),
      ...chargeArgs(charge),
      dependency: faceIdDependency(call),
      mayProbe: request.mayProbe === false ? 0 : 1,
      ...passedArgs(request.passed),
    },
  );
  return readReply(reply);
}

function readReply(reply: unknown): Intent {
  const [kind, now, time, more, epoch, probe, warned] = reply as [
    Intent['kind'],
    number,
    number,
    (number | string)?,
    string?,
    number?,
    string?,
  ];
  switch (kind) {
    case 'go':
      return {
        kind,
        now,
        until: time,
        at: Number(more),
        epoch: epoch ?? '0',
        probe: probe === 1,
        warned: orNull(warned),
      };
    case 'slot':
      return { kind, now, slot: { at: time, lane: Number(more) } };
    case 'open':
      return { kind, now, until: time };
    case 'reused':
      return { kind, answeredAt: time };
    case 'closed':
      return { kind, now, askAgainAt: time, code: String(more), spentBudget: orNull(epoch) };
    case 'broken':
      return { kind, now, askAgainAt: time, code: String(more) };
    default:
      return { kind };
  }
}

function orNull(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text;
}

function chargeArgs({ budgets, ...cost }: Charge) {
  const labels = budgets.map((budget) => labelled(budget, cost));
  return { charge: JSON.stringify(cost), budgets: JSON.stringify(labels) };
}

/**
 * A budget as the script expects it. A waiver is stored with the label of its budget, and the label contains period and limit. So
 * the waiver ends when period or limit changes.
 */
function labelled({ period, limit, unit }: Budget, charge: Omit<Charge, 'budgets'>) {
  const [name, ends] = period === 'day' ? [charge.day, charge.dayEnds] : [charge.month, charge.monthEnds];
  const amount = unit === 'calls' ? limit : limit / MICROS;
  return { period, limit, unit, ends, label: `${period} ${name} ${amount} ${unit}` };
}
