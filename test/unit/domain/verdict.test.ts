/** What an operator reads first, from what can be counted. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GateView } from '../../../src/domain/gates.ts';
import type { Metrics } from '../../../src/domain/metrics.ts';
import { type Recent, recentOf, verdictOf } from '../../../src/domain/verdict.ts';
import type { VerificationView } from '../../../src/domain/view.ts';

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
    unknownOutcomes: 0,
    lateOutcomes: 0,
    orphanOutcomes: 0,
    unknownCodes: 0,
    gateClosed: 0,
    gateOpened: 0,
  };
  const base = {
    gates: [OPEN],
    queues: [QUEUE],
    counters,
    live: 12,
    held: 0,
    oldestMs: 1_000,
    outbox: 0,
    toErase: 0,
    toNotify: 0,
    deadNotifications: 0,
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

function verdict(counted: Metrics, recent: Recent) {
  return verdictOf({ metrics: counted, recent, limits: {}, now: NOW });
}

const pace = (perSecond: number) =>
  recentOf(
    Array.from({ length: perSecond * 30 }, (_, index) => ended(index * (1_000 / perSecond))),
    NOW,
  );

describe('the verdict', () => {
  it('is idle where nothing waits, whatever is held', () => {
    expect(verdict(metrics({ live: 3, held: 3 }), pace(1))).toEqual({ kind: 'idle' });
  });

  it('says the pace, whether the limit holds it back, and when all is clear', () => {
    const working = verdict(metrics({ live: 300 }), pace(5));
    expect(working).toMatchObject({ kind: 'working', waiting: 300, atLimit: true });
    expect(working.kind === 'working' && Math.round((working.clearMs ?? 0) / 1_000)).toBe(60);
    expect(verdict(metrics(), pace(1))).toMatchObject({ kind: 'working', atLimit: false });
    expect(verdict(metrics(), recentOf([], NOW))).toMatchObject({ kind: 'working', perSecond: 0, clearMs: null });
  });

  it('is stopped where no gate that is needed is open, and names the one', () => {
    expect(verdict(metrics({ gates: [CLOSED] }), pace(1))).toEqual({ kind: 'stopped', gate: CLOSED, waiting: 12 });
    // Nothing waits there: it helps nobody here.
    expect(verdict(metrics({ gates: [CLOSED, ELSEWHERE] }), pace(1))).toMatchObject({ kind: 'stopped' });
    const video: GateView = { ...OPEN, action: 'VideoLivenessCompare' };
    expect(verdict(metrics({ gates: [CLOSED, video] }), pace(1))).toMatchObject({ kind: 'working' });
  });

  it('is stalled where work has waited and nothing ended for a minute', () => {
    const old = recentOf([ended(90_000)], NOW);
    expect(verdict(metrics({ oldestMs: 80_000 }), old)).toEqual({ kind: 'stalled', waiting: 12, oldestMs: 80_000 });
    expect(verdict(metrics({ oldestMs: 5_000 }), old)).toMatchObject({ kind: 'working' });
    expect(verdict(metrics({ oldestMs: 80_000 }), recentOf([ended(20_000)], NOW))).toMatchObject({ kind: 'working' });
  });
});

describe('what ended lately', () => {
  it('is counted by decision and by end, within the hour', () => {
    const views = [
      ended(1_000),
      ended(2_000, { decision: 'not_live' }),
      ended(3_000, { state: 'failed', decision: null, decidedAt: null }),
      ended(4_000, { state: 'cancelled', decision: 'match' }),
      ended(4_000_000),
    ];
    expect(recentOf(views, NOW)).toMatchObject({
      count: 4,
      decisions: { match: 1, no_match: 0, not_live: 1, recapture: 0 },
      failed: 1,
      cancelled: 1,
      lastEndedAt: NOW - 1_000,
    });
  });

  it('has a p95 of interactive ones that is one of their waits, and no less than 95 of 100 others', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 200 }), (waits) => {
        const views = waits.map((wait) => ended(1_000, { createdAt: new Date(NOW - 1_000 - wait).toISOString() }));
        const { interactiveP95Ms: p95 } = recentOf(
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

  it('knows its pace where all that was looked at ended just now', () => {
    const burst = Array.from({ length: 100 }, (_, index) => ended(index * 50));
    expect(recentOf(burst, NOW).perSecond).toBeGreaterThan(15);
  });
});
