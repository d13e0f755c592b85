/** Tests how the results of an act on many verifications are counted, and when a verification was changed by a run. */
import { describe, expect, it } from 'vitest';
import {
  AUDITED_AS,
  addResult,
  BULK_ACTS,
  type BulkProgress,
  isDoable,
  isInHistory,
  NO_PROGRESS,
} from '../../../src/domain/operations/bulk.ts';
import type { HistoryEntry } from '../../../src/domain/verification/history.ts';

const STARTED = '2026-12-01T08:00:00.000Z';
const ORDER = { why: 'mended', perSecond: 5, payAgain: false, startedAt: STARTED };
const ENTRY: HistoryEntry = { at: Date.parse(STARTED), event: 'retried', by: 'ana', why: 'mended' };

it('every act has a name in the audit log', () => {
  expect(BULK_ACTS.map((act) => [act, AUDITED_AS[act]])).toEqual([
    ['retry', 'retry'],
    ['rewind', 'held.resolve'],
    ['resume', 'held.resolve'],
    ['recapture', 'held.resolve'],
    ['fail', 'held.resolve'],
    ['cancel', 'cancel'],
    ['erase', 'erase'],
  ]);
});

it.each([
  ['ok', true],
  ['run', true],
  ['frame', true],
  ['missing', false],
  ['', false],
])('the status %j says whether the act is carried out: %s', (status, doable) => {
  expect(isDoable(status)).toBe(doable);
});

describe('the progress', () => {
  it('counts each result, and lists those on which nothing was done', () => {
    const results = [
      ['a', 'ok'],
      ['b', 'missing'],
      ['c', 'ok'],
      ['d', 'legal_hold'],
    ] as const;
    const progress = results.reduce<BulkProgress>((sum, [id, status]) => addResult(sum, id, status), NO_PROGRESS);
    expect(progress).toEqual({
      done: 4,
      results: { ok: 2, missing: 1, legal_hold: 1 },
      refused: [
        { id: 'b', status: 'missing' },
        { id: 'd', status: 'legal_hold' },
      ],
    });
    expect(NO_PROGRESS).toEqual({ done: 0, results: {}, refused: [] });
  });

  it('lists the first twenty refusals, and counts all', () => {
    let progress = NO_PROGRESS;
    for (let index = 0; index < 22; index += 1) progress = addResult(progress, `v${index}`, 'missing');
    expect(progress.results).toEqual({ missing: 22 });
    expect(progress.refused.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, index) => `v${index}`));
  });
});

describe('a run has changed a verification', () => {
  it.each([['retried'], ['resolved']] as const)(
    'if it is %s by the operator, for the same reason, since the start',
    (event) => {
      expect(isInHistory([{ ...ENTRY, event }], 'ana', ORDER)).toBe(true);
    },
  );

  it.each<[string, HistoryEntry[], string]>([
    ['nothing happened', [], 'ana'],
    ['something else happened', [{ ...ENTRY, event: 'cancel' }], 'ana'],
    ['it was before the start', [{ ...ENTRY, at: ENTRY.at - 1 }], 'ana'],
    ['it was another operator', [ENTRY], 'vera'],
    ['it was for another reason', [{ ...ENTRY, why: 'other' }], 'ana'],
  ])('and not if %s', (_, history, operator) => {
    expect(isInHistory(history, operator, ORDER)).toBe(false);
  });
});
