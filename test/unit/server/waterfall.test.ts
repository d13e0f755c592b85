/** Tests how a history becomes waits and attempts on one axis of time. */
import { expect, it } from 'vitest';
import type { HistoryEntry } from '../../../src/domain/verification/history.ts';
import { barsOf } from '../../../src/server/dashboard/pages/waterfall.ts';

const START = Date.parse('2026-11-29T10:00:00Z');
const entry = (at: number, event: HistoryEntry['event'], more: Partial<HistoryEntry> = {}) => ({
  at: START + at,
  event,
  ...more,
});

function bars(history: readonly HistoryEntry[], endedAt: number | null, now = 60_000): string[] {
  const view = {
    createdAt: new Date(START).toISOString(),
    endedAt: endedAt === null ? null : new Date(START + endedAt).toISOString(),
    history,
  };
  return barsOf(view, START + now).map(({ kind, from, to }) => `${kind} ${from - START}-${to - START}`);
}

it('shows the wait in the queue, each attempt, and the gaps between them', () => {
  const history = [
    entry(1_000, 'done', { stage: 'upload', ms: 400 }),
    entry(1_500, 'retry', { stage: 'md5', ms: 500, code: 'HTTP_5XX' }),
    entry(4_000, 'done', { stage: 'md5', ms: 100 }),
    entry(5_000, 'done', { stage: 'detect', ms: 990 }),
    entry(5_010, 'ended'),
  ];
  expect(bars(history, 5_010)).toEqual([
    'wait 0-600',
    'work 600-1000',
    'failed 1000-1500',
    'wait 1500-3900',
    'work 3900-4000',
    'call 4010-5000',
  ]);
});

it('shows a call without an answer as failed, and a wait for an operator', () => {
  const history = [
    entry(100, 'done', { stage: 'md5', ms: 90 }),
    entry(3_000, 'unknown', { stage: 'detect' }),
    entry(3_000, 'held', { stage: 'detect' }),
  ];
  expect(bars(history, null, 9_000)).toEqual(['work 10-100', 'failed 100-3000', 'wait 3000-9000']);
  const resolved = [
    ...history,
    entry(8_000, 'resolved', { by: 'ana' }),
    entry(9_000, 'done', { stage: 'detect', ms: 1_000 }),
  ];
  expect(bars(resolved, 9_000).slice(2)).toEqual(['wait 3000-8000', 'call 8000-9000']);
});

it('never draws an attempt over the one before, although the clocks of two workers differ', () => {
  const history = [entry(1_000, 'done', { stage: 'upload', ms: 1_000 }), entry(900, 'done', { stage: 'md5', ms: 300 })];
  expect(bars(history, 1_000)).toEqual(['work 0-1000', 'work 1000-1000']);
});
