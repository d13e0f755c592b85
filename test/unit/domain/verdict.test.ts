/** Tests the overall verdict shown to operators and the summary of recent activity. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GateView } from '../../../src/domain/operations/gates.ts';
import type { Metrics } from '../../../src/domain/operations/metrics.ts';
import { computeVerdict, type RecentActivity, summarizeRecent } from '../../../src/domain/operations/verdict.ts';
import type { VerificationView } from '../../../src/domain/verification/view.ts';

const NOW = Date.parse('2026-11-25T12:00:00Z');
const OPEN: GateView = {
  region: 'ap-singapore',
  action: 'DetectReflectLivenessAndCompare',
  state: 'open',
  code: null,
  advice: null,
  since: null,
  nextProbeAt: null,
  probes: 0,
  by: null,
  why: null,
  pace: 1,
  admitted: 0,
};
const CLOSED: GateView = {
  ...OPEN,
  state: 'closed',
  code: 'ResourceUnavailable.InArrears',
  since: '2026-11-25T09:12:00Z',
};
const ELSEWHERE: GateView = { ...OPEN, region: 'ap-hongkong' };
const QUEUE = { region: 'ap-singapore', waiting: 10, active: 2, delayed: 0 } as const;

function metrics(more: Partial<Metrics> = {}): Metrics {
  const counters = {
    evidenceIncomplete: 0,
    unknownOutcomes: 0,
    lateOutcomes: 0,
    orphanOutcomes: 0,
    unknownCodes: 0,
    replyShapes: 0,
    gateClosed: 0,
    gateOpened: 0,
    breakerOpened: 0,
    loginsRefused: 0,
  };
  const base = {
    gates: [OPEN],
    workers: [],
    breakers: [],
    queues: [QUEUE],
    counters,
    live: 12,
    held: 0,
    waitingSessions: 0,
    oldestMs: 1_000,
    oldest: [],
    redis: {
      ...{ memoryBytes: null, maxMemoryBytes: null, clients: null, replicas: null },
      ...{ persists: null, evictedKeys: null, rejectedConnections: null, commands: null },
    },
    outbox: 0,
    toErase: 0,
    evidence: { waiting: 0, oldestMs: null },
    toNotify: 0,
    deadNotifications: 0,
    tenants: [],
    costs: { today: { paidCalls: 0, possiblyPaidCalls: 0, costs: [] }, budgets: [] },
  };
  return { ...base, ...more };
}

function ended(agoMs: number, more: Partial<VerificationView> = {}): VerificationView {
  const endedAt = new Date(NOW - agoMs).toISOString();
  const view = {
    state: 'completed',
    decision: 'match',
    lane: 'interactive',
    createdAt: endedAt,
    decidedAt: endedAt,
    endedAt,
  };
  return { ...view, ...more } as VerificationView;
}

function verdict(counted: Metrics, recent: RecentActivity) {
  return computeVerdict({ metrics: counted, recent, limits: {}, now: NOW });
}

const pace = (perSecond: number) =>
  summarizeRecent(
    Array.from({ length: perSecond * 30 }, (_, index) => ended(index * (1_000 / perSecond))),
    NOW,
  );

describe('the verdict', () => {
  it('is idle if nothing waits, even if verifications are held', () => {
    expect(verdict(metrics({ live: 3, held: 3 }), pace(1))).toEqual({ kind: 'idle' });
  });

  it('reports the pace, whether the rate limit is the bottleneck, and when the queue will be clear', () => {
    const working = verdict(metrics({ live: 300 }), pace(5));
    expect(working).toMatchObject({ kind: 'working', waiting: 300, atLimit: true });
    expect(working.kind === 'working' && Math.round((working.clearMs ?? 0) / 1_000)).toBe(60);
    expect(verdict(metrics(), pace(1))).toMatchObject({ kind: 'working', atLimit: false });
    expect(verdict(metrics(), summarizeRecent([], NOW))).toMatchObject({
      kind: 'working',
      perSecond: 0,
      clearMs: null,
    });
  });

  it('is stopped if every needed gate is closed, and names the gate', () => {
    expect(verdict(metrics({ gates: [CLOSED] }), pace(1))).toEqual({ kind: 'stopped', gate: CLOSED, waiting: 12 });
    // No work waits in the other region, so its open gate does not help.
    expect(verdict(metrics({ gates: [CLOSED, ELSEWHERE] }), pace(1))).toMatchObject({ kind: 'stopped' });
    // A region is busy even if all its work is under way, or waits for a later time.
    for (const busy of [{ waiting: 0 }, { waiting: 0, active: 0, delayed: 2 }, { active: 0 }]) {
      const queues = [{ ...QUEUE, ...busy }];
      expect(verdict(metrics({ queues, gates: [CLOSED] }), pace(1))).toMatchObject({ kind: 'stopped' });
    }
    const idle = [{ ...QUEUE, waiting: 0, active: 0 }];
    expect(verdict(metrics({ queues: idle, gates: [CLOSED] }), pace(1))).toMatchObject({ kind: 'working' });
    const video: GateView = { ...OPEN, action: 'VideoLivenessCompare' };
    expect(verdict(metrics({ gates: [CLOSED, video] }), pace(1))).toMatchObject({ kind: 'working' });
  });

  it('is stalled if work is waiting and nothing has ended for a minute', () => {
    const old = summarizeRecent([ended(90_000)], NOW);
    expect(verdict(metrics({ oldestMs: 80_000 }), old)).toEqual({ kind: 'stalled', waiting: 12, oldestMs: 80_000 });
    expect(verdict(metrics({ oldestMs: 5_000 }), old)).toMatchObject({ kind: 'working' });
    expect(verdict(metrics({ oldestMs: 80_000 }), summarizeRecent([ended(20_000)], NOW))).toMatchObject({
      kind: 'working',
    });
    expect(verdict(metrics({ oldestMs: 60_000 }), old)).toMatchObject({ kind: 'working' });
    expect(verdict(metrics({ oldestMs: 60_001 }), old)).toMatchObject({ kind: 'stalled' });
    const minuteAgo = summarizeRecent([ended(60_000)], NOW);
    expect(verdict(metrics({ oldestMs: 80_000 }), minuteAgo)).toMatchObject({ kind: 'working' });
    expect(verdict(metrics({ oldestMs: 80_000 }), summarizeRecent([], NOW))).toMatchObject({ kind: 'stalled' });
    expect(verdict(metrics({ oldestMs: null }), old)).toMatchObject({ kind: 'working' });
  });
});

it('is failing if at least half of five or more failed in the last five minutes, and nothing worse is the case', () => {
  const of = (failed: number, count: number, agoMs = 10_000) =>
    summarizeRecent(
      Array.from({ length: count }, (_, index) =>
        ended(agoMs, index < failed ? { state: 'failed', decision: null } : {}),
      ),
      NOW,
    );
  expect(verdict(metrics(), of(3, 6))).toEqual({ kind: 'failing', waiting: 12, failed: 3, ended: 6 });
  expect(verdict(metrics({ live: 0 }), of(5, 5))).toEqual({ kind: 'failing', waiting: 0, failed: 5, ended: 5 });
  expect(verdict(metrics(), of(2, 6))).toMatchObject({ kind: 'working' });
  expect(verdict(metrics(), of(4, 4))).toMatchObject({ kind: 'working' });
  expect(verdict(metrics({ live: 0 }), of(5, 5, 300_000))).toEqual({ kind: 'idle' });
  expect(verdict(metrics({ gates: [CLOSED] }), of(5, 5))).toMatchObject({ kind: 'stopped' });
  expect(verdict(metrics({ oldestMs: 80_000 }), of(5, 5, 90_000))).toMatchObject({ kind: 'stalled' });
});

it('the rate limit is the bottleneck from 80 % of it', () => {
  const atLimit = (perSecond: number, more: Partial<Metrics> = {}) => {
    const found = verdict(metrics(more), { ...pace(1), perSecond });
    return found.kind === 'working' && found.atLimit;
  };
  expect([3.9, 4, 5].map((perSecond) => atLimit(perSecond))).toEqual([false, true, true]);
  expect(atLimit(0, { queues: [] })).toBe(false); // no gate is needed, so there is no limit
  const gates = [OPEN, { ...OPEN, action: 'VideoLivenessCompare' } as const];
  expect([19, 20].map((perSecond) => atLimit(perSecond, { gates }))).toEqual([false, true]);
});

describe('recent activity', () => {
  it('counts decisions and final states of the last hour', () => {
    const views = [
      ended(1_000),
      ended(2_000, { decision: 'not_live' }),
      ended(3_000, { state: 'failed', decision: null, decidedAt: null }),
      ended(4_000, { state: 'cancelled', decision: 'match' }),
      ended(4_000_000),
    ];
    expect(summarizeRecent(views, NOW)).toMatchObject({
      count: 4,
      decisions: { match: 1, no_match: 0, not_live: 1, recapture: 0 },
      failed: 1,
      cancelled: 1,
      lastEndedAt: NOW - 1_000,
    });
  });

  it('has an interactive p95 that is one of the waits and is not below 95 % of them', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 200 }), (waits) => {
        const views = waits.map((wait) => ended(1_000, { createdAt: new Date(NOW - 1_000 - wait).toISOString() }));
        const { interactiveP95Ms: p95 } = summarizeRecent(
          [...views, ended(1_000, { lane: 'batch', createdAt: new Date(0).toISOString() })],
          NOW,
        );
        expect(waits).toContain(p95);
        expect(waits.filter((wait) => wait <= (p95 ?? -1)).length).toBeGreaterThanOrEqual(
          Math.floor(waits.length * 0.95),
        );
      }),
    );
  });

  it('is empty if nothing ended within the last hour', () => {
    expect(summarizeRecent([ended(3_600_000)], NOW)).toMatchObject({
      count: 0,
      perSecond: 0,
      interactive: 0,
      interactiveP95Ms: null,
      lastEndedAt: null,
    });
    expect(summarizeRecent([ended(3_599_999)], NOW)).toMatchObject({ count: 1 });
  });

  it('counts only decided interactive verifications as such', () => {
    const views = [ended(0), ended(0, { decidedAt: null }), ended(0, { lane: 'batch' })];
    expect(summarizeRecent(views, NOW)).toMatchObject({ count: 3, interactive: 1, interactiveP95Ms: 0 });
  });

  it('has the 96th of a hundred waits as its p95', () => {
    const views = Array.from({ length: 100 }, (_, index) =>
      ended(1_000, { createdAt: new Date(NOW - 1_000 - (index + 1) * 1_000).toISOString() }),
    );
    expect(summarizeRecent(views, NOW).interactiveP95Ms).toBe(96_000);
  });

  it.each([
    ['over the last 30 s', [1_000, 29_999, 30_000, 40_000], 2 / 30],
    ['over the last 30 s if only one ended', [1_000], 1 / 30],
    ['since the oldest if all ended within 30 s', [1_000, 4_000], 2 / 4],
    ['over a second at least', [100, 200], 2],
  ])('has a pace %s', (_how, agoMs, perSecond) => {
    expect(
      summarizeRecent(
        agoMs.map((each) => ended(each)),
        NOW,
      ).perSecond,
    ).toBeCloseTo(perSecond, 9);
  });

  it('computes the right pace even if all given views ended just now', () => {
    const burst = Array.from({ length: 100 }, (_, index) => ended(index * 50));
    expect(summarizeRecent(burst, NOW).perSecond).toBeGreaterThan(15);
  });
});
