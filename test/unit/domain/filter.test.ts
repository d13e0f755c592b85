/** Tests which verifications a filter selects. */
import { describe, expect, it } from 'vitest';
import {
  describeFilter,
  matchesFilter,
  mayMatch,
  type VerificationFilter,
} from '../../../src/domain/verification/filter.ts';

const VIEW = {
  state: 'failed',
  decision: null,
  region: 'ap-singapore',
  lane: 'batch',
  action: 'DetectReflectLivenessAndCompare',
  upload: 'own-bucket',
  createdAt: '2026-12-01T08:00:00.000Z',
  reason: { code: 'MD5 Error', class: 'reupload' },
} as const;

const SAME: Required<Omit<VerificationFilter, 'decision' | 'since'>> = {
  state: 'failed',
  region: 'ap-singapore',
  lane: 'batch',
  action: 'DetectReflectLivenessAndCompare',
  upload: 'own-bucket',
  code: 'MD5 Error',
  class: 'reupload',
};
const OTHER: Required<Omit<VerificationFilter, 'since'>> = {
  state: 'completed',
  decision: 'match',
  region: 'ap-bangkok',
  lane: 'interactive',
  action: 'VideoLivenessCompare',
  upload: 'create-upload-url',
  code: 'POISON',
  class: 'caller',
};

describe('a filter', () => {
  it('without fields selects everything, and a field that is undefined counts as absent', () => {
    expect(matchesFilter(VIEW, {})).toBe(true);
    expect(matchesFilter(VIEW, { state: undefined, since: undefined })).toBe(true);
    expect(matchesFilter({ ...VIEW, reason: null }, {})).toBe(true);
  });

  it('selects what has all its values', () => {
    expect(matchesFilter(VIEW, SAME)).toBe(true);
    for (const [name, value] of Object.entries(SAME))
      expect([name, matchesFilter(VIEW, { [name]: value })]).toEqual([name, true]);
  });

  it('leaves out what differs in one value', () => {
    for (const [name, value] of Object.entries(OTHER))
      expect([name, matchesFilter(VIEW, { ...SAME, [name]: value })]).toEqual([name, false]);
    expect(matchesFilter({ ...VIEW, reason: null }, { code: 'MD5 Error' })).toBe(false);
  });

  it.each([
    ['2026-12-01T07:59:59.999Z', true],
    ['2026-12-01T08:00:00.000Z', true],
    ['2026-12-01T08:00:00.001Z', false],
    ['no time', false],
  ])('since %s selects what was enqueued then or later: %s', (since, selected) => {
    expect(matchesFilter(VIEW, { since })).toBe(selected);
  });
});

it('without the reason, a verification may match unless another fact differs', () => {
  const { reason: _, ...facts } = VIEW;
  expect(mayMatch(facts, { code: 'POISON', class: 'caller' })).toBe(true);
  expect(mayMatch(facts, { code: 'POISON', state: 'failed' })).toBe(true);
  expect(mayMatch(facts, { code: 'MD5 Error', state: 'completed' })).toBe(false);
});

it('is described in words', () => {
  expect(describeFilter({})).toBe('all');
  expect(describeFilter({ state: 'failed', code: undefined, region: 'ap-bangkok' })).toBe('failed, ap-bangkok');
  expect(describeFilter({ state: 'held', since: '2026-12-01' })).toBe('held, since 2026-12-01');
});
