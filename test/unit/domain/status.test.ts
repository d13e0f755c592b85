/** Tests what `bestframe status` finds. */
import { describe, expect, it } from 'vitest';
import type { BreakerView } from '../../../src/domain/operations/breakers.ts';
import type { GateView } from '../../../src/domain/operations/gates.ts';
import type { Metrics } from '../../../src/domain/operations/metrics.ts';
import { computeStatus, statusWithoutRedis } from '../../../src/domain/operations/status.ts';
import { summarizeRecent } from '../../../src/domain/operations/verdict.ts';
import type { VerificationView } from '../../../src/domain/verification/view.ts';

const NOW = Date.parse('2026-11-25T12:00:00Z');
const SINCE = '2026-11-25T11:00:00Z';
const READY = {
  worker: 'w:1',
  regions: ['ap-singapore'],
  state: 'ready',
  code: null,
  advice: null,
  since: SINCE,
  version: '0.1.0',
  slots: { used: 3, of: 8 },
  lastBeat: SINCE,
} as const;
const GATE: GateView = {
  ...{ region: 'ap-singapore', action: 'DetectReflectLivenessAndCompare', state: 'open', code: null, advice: null },
  ...{ since: null, nextProbeAt: null, probes: 0, by: null, why: null, pace: 1, admitted: 0 },
};
const BREAKER: BreakerView = {
  ...{ region: 'ap-singapore', dependency: 'cos:put', state: 'working', code: null, since: null },
  ...{ nextProbeAt: null, probes: 0, worked: 5, failed: 0 },
};
const FINE: Metrics = {
  ...{ gates: [GATE], breakers: [BREAKER], workers: [READY], counters: {} as Metrics['counters'] },
  queues: [{ region: 'ap-singapore', waiting: 3, active: 1, delayed: 0 }],
  ...{
    live: 4,
    held: 0,
    waitingSessions: 0,
    oldestMs: 1_000,
    outbox: 0,
    toErase: 0,
    evidence: { waiting: 0, oldestMs: null },
    toNotify: 0,
    deadNotifications: 0,
    tenants: [],
  },
  ...{ oldest: [], redis: {} as Metrics['redis'] },
  costs: { today: { paidCalls: 1, possiblyPaidCalls: 0, costs: [] }, budgets: [] },
};

function statusOf(changes: Partial<Metrics> = {}, ended: readonly Partial<VerificationView>[] = []) {
  const views = ended.map((view) => ({ endedAt: new Date(NOW - 1_000).toISOString(), createdAt: SINCE, ...view }));
  const recent = summarizeRecent(views as unknown as VerificationView[], NOW);
  return computeStatus({ metrics: { ...FINE, ...changes }, recent, limits: {}, now: NOW });
}

describe('a deployment is fine', () => {
  it('if verifications wait, and nothing needs a person', () => {
    expect(statusOf()).toMatchObject({ condition: 'fine', findings: [], verdict: { kind: 'working' } });
    expect(statusOf({ live: 0, queues: [] })).toMatchObject({ condition: 'fine', verdict: { kind: 'idle' } });
  });

  it('if no worker serves a region where nothing waits, and if a budget is half spent', () => {
    const queues = [...FINE.queues, { region: 'ap-hongkong', waiting: 0, active: 0, delayed: 0 } as const];
    const budgets = [{ period: 'day', unit: 'calls', limit: 100, spent: 50 } as const];
    expect(statusOf({ queues, costs: { ...FINE.costs, budgets } }).findings).toEqual([]);
  });
});

const FAILED = { state: 'failed', decision: null } as const;

it.each<[string, 'down' | 'attention', Partial<Metrics>, RegExp, RegExp]>([
  [
    'no worker',
    'down',
    { workers: [] },
    /4 verifications wait in ap-singapore, and no worker serves it/,
    /start workers/,
  ],
  [
    'only a worker that a fault keeps out of service',
    'down',
    { workers: [{ ...READY, state: 'out_of_service', code: 'SPOOL_FULL', advice: 'free the disk' }] },
    /no worker serves it/,
    /bestframe start verify/,
  ],
  ['nothing ends', 'down', { oldestMs: 90_000 }, /wait for up to 90 s/, /doctor/],
  [
    'a paused gate',
    'down',
    { gates: [{ ...GATE, state: 'paused', since: SINCE, by: 'ana' }] },
    /is paused, since .*, by ana/,
    /gate resume --region ap-singapore --action DetectReflectLivenessAndCompare/,
  ],
  [
    'a closed gate',
    'down',
    { gates: [{ ...GATE, state: 'closed', code: 'ARREARS', advice: 'pay', since: SINCE, by: 'account' }] },
    /is closed \(ARREARS\)/,
    /^pay$/,
  ],
  [
    'an open breaker',
    'down',
    { breakers: [{ ...BREAKER, state: 'down', code: 'HTTP_5XX', since: SINCE }] },
    /cos:put in ap-singapore is down \(HTTP_5XX\)/,
    /nothing: verifications wait/,
  ],
  ['held ones', 'attention', { held: 2, live: 6 }, /2 held/, /bestframe held/],
  ['dead notifications', 'attention', { deadNotifications: 3 }, /3 notifications/, /webhooks dead/],
  [
    'a budget that is nearly spent',
    'attention',
    { costs: { ...FINE.costs, budgets: [{ period: 'day', unit: 'calls', limit: 100, spent: 80 }] } },
    /80 of the 100 calls of this day/,
    /BESTFRAME_BUDGET/,
  ],
])('%s: says what it is and what to do', (_case, condition, changes, what, act) => {
  const { findings, ...status } = statusOf(changes);
  expect(status.condition).toBe(condition);
  expect(findings.some((each) => what.test(each.what) && act.test(each.act))).toBe(true);
});

it('says that verifications fail', () => {
  const { condition, findings } = statusOf({}, Array(6).fill(FAILED));
  expect(condition).toBe('down');
  expect(findings).toMatchObject([{ what: '6 of the last 6 verifications failed' }]);
});

it('repeats what is wrong with Redis, and what to do', () => {
  const { condition, verdict, findings } = statusWithoutRedis(
    'Redis is out of memory: raise maxmemory: or free memory',
  );
  expect({ condition, verdict }).toEqual({ condition: 'down', verdict: null });
  const trouble = { kind: 'redis' };
  expect(findings).toEqual([
    { level: 'down', what: 'Redis is out of memory', act: 'raise maxmemory: or free memory', trouble },
  ]);
});
