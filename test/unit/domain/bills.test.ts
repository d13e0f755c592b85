import { expect, it } from 'vitest';
import { withPossibleBills } from '../../../src/domain/verification/bills.ts';
import type { HistoryEntry } from '../../../src/domain/verification/history.ts';

const DETECT: HistoryEntry = { at: 1, event: 'unknown', stage: 'detect', call: 'a' };
const AGAIN: HistoryEntry = { at: 2, event: 'unknown', stage: 'detect', call: 'b' };
const OPINION: HistoryEntry = { at: 3, event: 'unknown', stage: 'opinion', call: 'c' };
const priceOf = (stage: string | undefined) => (stage === 'opinion' ? '0.05 USD' : '0.15 USD');

it('a call without an answer may be billed, at the price of its stage', () => {
  expect(withPossibleBills([DETECT, OPINION], priceOf)).toEqual([
    { ...DETECT, possiblyBilled: true, cost: '0.15 USD' },
    { ...OPINION, possiblyBilled: true, cost: '0.05 USD' },
  ]);
});

it('without a price, it has no cost', () => {
  expect(withPossibleBills([DETECT], () => undefined)).toEqual([{ ...DETECT, possiblyBilled: true }]);
});

it.each<HistoryEntry>([
  { at: 4, event: 'late', stage: 'detect', call: 'a', billed: true, cost: '0.15 USD' },
  { at: 4, event: 'error', stage: 'detect', call: 'a', code: 'RequestLimitExceeded' },
])('an answer that came later, as $event, says how the call is billed', (answer) => {
  expect(withPossibleBills([DETECT, AGAIN, answer], priceOf)).toEqual([
    DETECT,
    { ...AGAIN, possiblyBilled: true, cost: '0.15 USD' },
    answer,
  ]);
});

it('a recovered decision answers the earliest call', () => {
  const adopted: HistoryEntry = { at: 4, event: 'adopted', stage: 'detect', billed: true };
  expect(withPossibleBills([DETECT, AGAIN, adopted], priceOf)).toEqual([
    DETECT,
    { ...AGAIN, possiblyBilled: true, cost: '0.15 USD' },
    adopted,
  ]);
});
