/**
 * What an operator on call must know about a deployment, on one screen: its condition, and everything that needs a person, each
 * with what to do. All functions here are pure.
 */
import type { Region } from '../verification/regions.ts';
import type { BreakerView } from './breakers.ts';
import type { GateView } from './gates.ts';
import type { BudgetStatus, CostMetrics, Metrics } from './metrics.ts';
import { computeVerdict, type RecentActivity, type Verdict, type VerdictInput } from './verdict.ts';
import type { WorkerView } from './workers.ts';

/** What is wrong, as data. A page words it in its own language. */
export type Trouble =
  | { readonly kind: 'redis' }
  /** Verifications wait in a region that no worker serves. */
  | { readonly kind: 'unserved'; readonly region: Region; readonly waiting: number }
  | { readonly kind: 'stalled'; readonly oldestMs: number }
  | { readonly kind: 'failing'; readonly failed: number; readonly ended: number }
  | { readonly kind: 'gate'; readonly gate: GateView }
  | { readonly kind: 'breaker'; readonly breaker: BreakerView }
  | { readonly kind: 'worker'; readonly worker: WorkerView }
  | { readonly kind: 'budget'; readonly budget: BudgetStatus }
  | { readonly kind: 'held'; readonly count: number }
  | { readonly kind: 'evidence'; readonly count: number; readonly oldestMs: number }
  | { readonly kind: 'dead_notifications'; readonly count: number };

/** Something that needs a person. */
export interface Finding {
  /** `down`: verifications do not go on. `attention`: they do, but somebody must act. */
  readonly level: 'down' | 'attention';
  readonly what: string;
  /** What to do. */
  readonly act: string;
  readonly trouble: Trouble;
}

export interface Status {
  /** The worst level of all findings; `fine` without findings. */
  readonly condition: 'fine' | Finding['level'];
  /** Null if Redis cannot be asked. */
  readonly verdict: Verdict | null;
  readonly findings: readonly Finding[];
  readonly queues: Metrics['queues'];
  readonly workers: Metrics['workers'];
  readonly recent: RecentActivity | null;
  readonly costs: CostMetrics | null;
}

/** A budget that is spent to this share needs a person. */
const BUDGET_WARNING = 0.8;
/** Evidence that is copied only after this time needs a person. */
const EVIDENCE_LATE_MS = 3_600_000;

export function computeStatus(input: VerdictInput): Status {
  const { metrics, recent } = input;
  const verdict = computeVerdict(input);
  const findings = [...verdictFindings(verdict, metrics), ...partFindings(metrics), ...personFindings(metrics)];
  const { queues, workers, costs } = metrics;
  return { condition: worst(findings), verdict, findings, queues, workers, recent, costs };
}

/** @param trouble what is wrong with Redis, in words. */
export function statusWithoutRedis(trouble: string): Status {
  const [, what = trouble, act = 'run bestframe doctor'] = /^(.*?): (.*)$/s.exec(trouble) ?? [];
  const nothing = { verdict: null, queues: [], workers: [], recent: null, costs: null };
  return { condition: 'down', findings: [{ level: 'down', what, act, trouble: { kind: 'redis' } }], ...nothing };
}

function verdictFindings(verdict: Verdict, { workers, queues }: Metrics): Finding[] {
  const ready = workers.filter(({ state }) => state === 'ready');
  const unserved = queues
    .map(({ region, waiting, active, delayed }) => ({ region, waiting: waiting + active + delayed }))
    .filter(({ region, waiting }) => waiting > 0 && !ready.some((worker) => worker.regions.includes(region)));
  const found: Finding[] = unserved.map(({ region, waiting }) => ({
    level: 'down',
    what: `${count(waiting, 'verification waits', 'verifications wait')} in ${region}, and no worker serves it`,
    act: `start workers with ${region} in BESTFRAME_REGIONS (bestframe start verify)`,
    trouble: { kind: 'unserved', region, waiting },
  }));
  if (verdict.kind === 'stalled' && found.length === 0)
    found.push({
      level: 'down',
      what: `verifications wait for up to ${Math.round(verdict.oldestMs / 1_000)} s, the gates are open, and nothing ends`,
      act: 'read the logs of the workers, and run bestframe doctor',
      trouble: { kind: 'stalled', oldestMs: verdict.oldestMs },
    });
  if (verdict.kind === 'failing')
    found.push({
      level: 'down',
      what: `${verdict.failed} of the last ${verdict.ended} verifications failed`,
      act: 'find the reason with bestframe list --ended, and its cure with bestframe errors <code>; bestframe retry repeats them',
      trouble: { kind: 'failing', failed: verdict.failed, ended: verdict.ended },
    });
  return found;
}

/** Gates, services and workers that do not work. */
function partFindings({ gates, breakers, workers }: Metrics): Finding[] {
  return [
    ...gates
      .filter(({ state }) => state !== 'open')
      .map((gate) => {
        const { region, action, state, code, advice, since, by } = gate;
        return {
          level: 'down' as const,
          what: `the gate of ${region} ${action} is ${state}${code === null ? '' : ` (${code})`}, since ${since ?? '?'}, by ${by ?? 'account'}`,
          act:
            state === 'paused'
              ? `bestframe gate resume --region ${region} --action ${action}`
              : (advice ?? 'bestframe gate'),
          trouble: { kind: 'gate', gate } as const,
        };
      }),
    ...breakers
      .filter(({ state }) => state === 'down')
      .map((breaker) => {
        const { region, dependency, code, since } = breaker;
        return {
          level: 'down' as const,
          what: `${dependency} in ${region} is down (${code ?? '?'}), since ${since ?? '?'}`,
          act: 'nothing: verifications wait, and go on when it answers again',
          trouble: { kind: 'breaker', breaker } as const,
        };
      }),
    ...workers
      .filter(({ state }) => state === 'out_of_service')
      .map((worker) => ({
        level: 'attention' as const,
        what: `worker ${worker.worker} is out of service (${worker.code ?? '?'}), since ${worker.since}`,
        act: worker.advice ?? 'run bestframe doctor on its machine',
        trouble: { kind: 'worker', worker } as const,
      })),
  ];
}

/** What only a person can decide. */
function personFindings({ held, deadNotifications, costs, evidence }: Metrics): Finding[] {
  const found: Finding[] = costs.budgets
    .filter(({ spent, limit }) => spent >= BUDGET_WARNING * limit)
    .map((budget) => ({
      level: 'attention',
      what: `${budget.spent} of the ${budget.limit} ${budget.unit} of this ${budget.period} are spent`,
      act: 'raise BESTFRAME_BUDGET, or let the gate close when it is spent',
      trouble: { kind: 'budget', budget },
    }));
  if (held > 0)
    found.push({
      level: 'attention',
      what: `${count(held, 'held verification waits', 'held verifications wait')} for a decision`,
      act: 'bestframe held',
      trouble: { kind: 'held', count: held },
    });
  const { waiting, oldestMs } = evidence;
  if (oldestMs !== null && oldestMs >= EVIDENCE_LATE_MS)
    found.push({
      level: 'attention',
      what: `the evidence of ${count(waiting, 'verification is', 'verifications are')} not copied, for up to ${Math.round(oldestMs / 3_600_000)} h; after 24 h it is given up`,
      act: 'read the logs of the erase workers, and run bestframe doctor',
      trouble: { kind: 'evidence', count: waiting, oldestMs },
    });
  if (deadNotifications > 0)
    found.push({
      level: 'attention',
      what: `${count(deadNotifications, 'notification was', 'notifications were')} given up`,
      act: 'bestframe webhooks dead',
      trouble: { kind: 'dead_notifications', count: deadNotifications },
    });
  return found;
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

function worst(findings: readonly Finding[]): Status['condition'] {
  if (findings.some(({ level }) => level === 'down')) return 'down';
  return findings.length > 0 ? 'attention' : 'fine';
}
