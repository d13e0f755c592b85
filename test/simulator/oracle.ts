/** Judges a simulated day: the chaos kit's invariants, and some that only a world without other load can hold. */

import { isTerminal } from '../../src/domain/verification/states.ts';
import type { VerificationView } from '../../src/domain/verification/view.ts';
import type { Evidence } from '../chaos/evidence.ts';
import { judge, type Violation } from '../chaos/invariants.ts';
import type { ExecutedCommand } from '../chaos/witness.ts';
import type { Faults } from './faults.ts';
import { type Sent, UNDOCUMENTED } from './load.ts';
import type { World } from './processes.ts';
import { DAY_STARTS } from './virtual-time.ts';

export interface Found extends Omit<Violation, 'invariant'> {
  readonly invariant: string;
}

export interface Remains {
  readonly views: ReadonlyMap<string, VerificationView | null>;
  readonly ledger: Evidence['ledger'];
  readonly executed: readonly ExecutedCommand[];
  readonly left: Evidence['left'];
  readonly settled: boolean;
  readonly log: string;
}

export function judgeDay(world: World, sent: Sent, faults: Faults, remains: Remains): Found[] {
  const evidence = evidenceOf(world, sent, faults, remains);
  const judged = judge(evidence).filter((found) => !isPlanned(found, sent, faults));
  return [...judged, ...reasons(evidence), ...notices(world, sent, remains), ...throttled(evidence)];
}

function evidenceOf({ config, vendor, frames, time }: World, sent: Sent, faults: Faults, remains: Remains): Evidence {
  const { views, ledger, left, settled, log } = remains;
  return {
    prefix: config.prefix,
    limits: {
      qps: 0,
      callMs: Math.max(...Object.values(config.policy.callMs)),
      resumeMs: 60_000,
      standstillMs: STANDSTILL_MS,
      // An operator may allow one more, by a retry or by a decision about a held verification.
      maxPayments: config.policy.maxPayments + 2,
      crashBudget: Number.POSITIVE_INFINITY,
    },
    accepted: sent.accepted.map((each) => ({ ...each, hasWebhook: false })),
    views,
    ledger,
    calls: vendor.calls,
    objects: [...vendor.objects.values()],
    frames: new Map([...frames].map(([path, { frame }]) => [path, frame])),
    forged: new Set(),
    // A retry begins a second life: what was written before it is judged by the views alone.
    executed: withoutJournalsOf(remains.executed, faults.retried),
    gaps: [],
    kills: [],
    windows: faults.windows,
    stalls: [],
    left,
    texts: new Map([['the log', log]]),
    canaries: ['canary'],
    startedAt: DAY_STARTS,
    settledAt: Math.floor(time.now),
    settled,
    excused: sent.erased,
    saturated: true,
    erased: sent.erased,
    lossy: false,
    findings: [],
  };
}

/**
 * An operator may pay again for a verification, and a retry ends it once more. A code that nobody documented is asked for again,
 * and each answer counts as possibly paid.
 */
function isPlanned({ invariant, message }: Violation, sent: Sent, { retried, resolved }: Faults): boolean {
  const id = message.slice(0, message.indexOf(' '));
  if (invariant === 'I14') return retried.has(id) && message.includes('was queued for erasure');
  if (invariant !== 'I2' || !message.includes('unknown outcomes')) return false;
  const isUndocumented = sent.accepted.some((each) => each.id === id && each.card === UNDOCUMENTED);
  return retried.has(id) || resolved.has(id) || isUndocumented;
}

/** Two probes of a breaker lie at most this far apart, and so do two runs of a batch verification. */
const STANDSTILL_MS = 5 * 60_000;

function withoutJournalsOf(executed: readonly ExecutedCommand[], ids: ReadonlySet<string>): ExecutedCommand[] {
  if (ids.size === 0) return [...executed];
  return executed.map((each) => ({
    ...each,
    writes: each.writes.filter(({ key }) => !ids.has(key.slice(key.lastIndexOf(':') + 1))),
  }));
}

/** Whatever ends without an answer says why. */
function reasons({ views }: Evidence): Found[] {
  return [...views.values()].flatMap((view) => {
    if (view === null || !isTerminal(view.state)) return [];
    if (view.state === 'completed' && view.decision === 'match') return [];
    return view.reason === null
      ? [{ invariant: 'reasons', message: `${view.id} is ${view.state} without a reason` }]
      : [];
  });
}

/** Each end of a verification with an endpoint is delivered. */
function notices({ delivered }: World, sent: Sent, { views, settled }: Remains): Found[] {
  if (!settled) return [];
  const told = new Set(sent.accepted.filter(({ hasWebhook }) => hasWebhook).map(({ id }) => id));
  return [...told].flatMap((id) => {
    const view = views.get(id) ?? null;
    const event = sent.erased.has(id) ? 'erased' : view !== null && isTerminal(view.state) ? view.state : null;
    if (event === null || delivered.has(`${id} verification.${event}`)) return [];
    return [{ invariant: 'notices', message: `no endpoint was told that ${id} is ${event}` }];
  });
}

/** The vendor refuses no call for exceeding the rate, unpaid calls included. */
function throttled({ calls }: Evidence): Found[] {
  const refused = calls.filter(({ code, fault }) => code === 'RequestLimitExceeded' && fault === undefined);
  return refused.length === 0 ? [] : [{ invariant: 'rate', message: `the vendor throttled ${refused.length} calls` }];
}
