/** Tests what the outcomes of the stages say about the frame, the bytes and the second opinion. */
import { describe, expect, it } from 'vitest';
import {
  type DetectOutcome,
  frameAtDecision,
  frameAtEnd,
  frameUntil,
  frameWithoutDownload,
  opinionStatus,
  uploadedBytes,
} from '../../../src/domain/verification/outcomes.ts';

const NONE: DetectOutcome = {
  decision: 'match',
  similarity: 91,
  result: 'Success',
  requestId: null,
  billed: true,
  bestFrame: null,
};
const LINK = { ...NONE, bestFrame: { url: 'https://frame', md5: null, expiresAt: 7_000 } };
const STORED = { ...NONE, stored: { path: '/frames/a.jpg', md5: 'f'.repeat(32), bytes: 5 } };
const HELD = { ...NONE, frameHeld: true } as const;
const HIDDEN = { ...NONE, frameHidden: true } as const;
const MEDIA = { ...NONE, media: { names: ['liveVideo', 'bestFrame'] as const, until: 9_000 } };
const OTHER_MEDIA = { ...NONE, media: { names: ['liveVideo'] as const, until: 9_000 } };

describe('the frame', () => {
  it.each([
    ['that the answer has no link to', NONE, 'none', 'none', null],
    ['with a link', LINK, 'pending', 'lost', 7_000],
    ['that is stored already', STORED, 'pending', 'stored', null],
    ['that one attempt holds', HELD, 'pending', 'lost', null],
    ['that is hidden in the answer', HIDDEN, 'unknown_shape', 'unknown_shape', null],
    ['among the media of a session', MEDIA, 'none', 'lost', 9_000],
    ['that a session has no medium of', OTHER_MEDIA, 'none', 'none', null],
  ] as const)('%s', (_, decided, atDecision, atEnd, until) => {
    expect(frameAtDecision(decided)).toBe(atDecision);
    expect(frameAtEnd(decided)).toBe(atEnd);
    expect(frameUntil(decided)).toBe(until);
  });

  it('that is hidden is of an unknown shape, and otherwise there is none', () => {
    expect(frameWithoutDownload(HIDDEN)).toBe('unknown_shape');
    expect(frameWithoutDownload({})).toBe('none');
  });
});

it('the bytes of all resources are added, also of those that were not copied', () => {
  expect(uploadedBytes({ resources: {} })).toBe(0);
  const md5 = 'a'.repeat(32);
  expect(uploadedBytes({ resources: { liveData: { bytes: 10, md5 }, image: { bytes: 5, md5 } } })).toBe(15);
});

it.each([
  [{ level: 'Low', attacks: [], requestId: null }, 'passed'],
  [{ level: 'Mid', attacks: [], requestId: null }, 'passed'],
  [{ level: 'High', attacks: [], requestId: null }, 'suspected'],
  [{ failed: { code: 'TIMEOUT', unclear: false } }, 'failed'],
  [{ failed: { code: 'FailedOperation.X', unclear: true } }, 'unclear'],
] as const)('the opinion %j is %s', (opinion, status) => {
  expect(opinionStatus(opinion)).toBe(status);
});
