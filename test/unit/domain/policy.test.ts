import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Classified, ERROR_CLASSES, type ErrorClass } from '../../../src/domain/errors/index.ts';
import { DEFAULT_POLICY, nextMove, paymentsUnasked, type Trouble } from '../../../src/domain/policy.ts';
import { STAGES } from '../../../src/domain/states.ts';
import { LANES } from '../../../src/domain/verification.ts';

const of = (kind: ErrorClass): Classified => ({ class: kind, decision: null, billed: 'no', entry: null });

/** `random: 0.5` is no jitter. */
function move(kind: ErrorClass, more: Partial<Trouble> = {}) {
  const trouble: Trouble = {
    classified: of(kind),
    stage: 'upload',
    lane: 'interactive',
    attempts: 0,
    rewinds: 0,
    retryAfterMs: undefined,
    random: 0.5,
    ...more,
  };
  return nextMove(trouble, DEFAULT_POLICY);
}

describe('transient', () => {
  it.each(STAGES)('%s is tried again, up to its number of attempts', (stage) => {
    const most = DEFAULT_POLICY.attempts[stage];
    const moves = Array.from({ length: most }, (_, attempts) => move('transient', { stage, attempts }));
    expect(moves.slice(0, -1).every(({ to }) => to === 'later')).toBe(true);
    expect(moves.at(-1)).toEqual({ to: 'fail' });
    expect(move('transient', { stage, attempts: most + 5 })).toEqual({ to: 'fail' });
  });

  it('counts each attempt and doubles the pause, up to the longest', () => {
    const pauses = [0, 1, 2, 3, 4].map((attempts) => move('transient', { attempts }));
    expect(pauses).toEqual(
      [500, 1_000, 2_000, 4_000, 5_000].map((delayMs) => ({ to: 'later', delayMs, counts: true })),
    );
  });

  it('waits longer in the batch lane', () => {
    const pauses = [0, 1, 5, 6].map((attempts) => move('transient', { stage: 'download', lane: 'batch', attempts }));
    expect(pauses.map((each) => ('delayMs' in each ? each.delayMs : null))).toEqual([2_000, 4_000, 60_000, 60_000]);
  });

  it('waits as long as the vendor asks, and no less than its own pause', () => {
    expect(move('transient', { retryAfterMs: 9_000 })).toMatchObject({ delayMs: 9_000 });
    expect(move('transient', { retryAfterMs: 1 })).toMatchObject({ delayMs: 500 });
  });
});

describe('unknown', () => {
  it.each(STAGES)('%s is tried three times in all', (stage) => {
    expect([0, 1, 2].map((attempts) => move('unknown', { stage, attempts }).to)).toEqual(['later', 'later', 'hold']);
    expect(move('unknown', { stage })).toMatchObject({ counts: true });
  });
});

describe('reupload', () => {
  it('goes back to upload twice, and no more', () => {
    expect([0, 1, 2, 3].map((rewinds) => move('reupload', { rewinds }))).toEqual([
      { to: 'rewind', delayMs: 500 },
      { to: 'rewind', delayMs: 1_000 },
      { to: 'hold' },
      { to: 'hold' },
    ]);
  });

  it('is not bounded by attempts of the stage', () => {
    expect(move('reupload', { attempts: 100 })).toMatchObject({ to: 'rewind' });
  });
});

describe('throttled and account', () => {
  it.each(['throttled', 'account'] as const)('%s never counts and never ends it', (kind) => {
    for (const lane of LANES) {
      for (const attempts of [0, 10, 10_000]) {
        expect(move(kind, { lane, attempts, rewinds: 100 })).toMatchObject({ to: 'later', counts: false });
      }
    }
  });

  it('throttled waits as long as the vendor asks', () => {
    expect(move('throttled')).toMatchObject({ delayMs: 1_000 });
    expect(move('throttled', { retryAfterMs: 7_000 })).toMatchObject({ delayMs: 7_000 });
  });

  it('account waits for a person, not for a machine', () => {
    expect(move('account')).toMatchObject({ delayMs: 2_000 });
    expect(move('account', { lane: 'batch' })).toMatchObject({ delayMs: 10_000 });
  });
});

describe('rejected and caller', () => {
  it.each(['rejected', 'caller'] as const)('%s is not tried again', (kind) => {
    expect(move(kind)).toEqual({ to: 'fail' });
    expect(move(kind, { retryAfterMs: 1_000 })).toEqual({ to: 'fail' });
  });
});

describe('every pause', () => {
  const trouble = fc.record({
    kind: fc.constantFrom(...ERROR_CLASSES),
    stage: fc.constantFrom(...STAGES),
    lane: fc.constantFrom(...LANES),
    attempts: fc.nat(20),
    rewinds: fc.nat(4),
    random: fc.double({ min: 0, max: 1, noNaN: true }),
  });

  it('is spread by a quarter at most, in whole ms, and by a quarter at the ends', () => {
    fc.assert(
      fc.property(trouble, ({ kind, ...more }) => {
        const middle = move(kind, { ...more, random: 0.5 });
        const moved = move(kind, more);
        expect(moved.to).toBe(middle.to);
        if (!('delayMs' in moved) || !('delayMs' in middle)) return;
        expect(Number.isInteger(moved.delayMs)).toBe(true);
        expect(Math.abs(moved.delayMs - middle.delayMs)).toBeLessThanOrEqual(middle.delayMs * 0.25 + 1);
      }),
    );
    expect(move('transient', { random: 0 })).toMatchObject({ delayMs: 375 });
    expect(move('transient', { random: 1 })).toMatchObject({ delayMs: 625 });
  });

  it('grows with attempts and never shrinks', () => {
    fc.assert(
      fc.property(trouble, ({ kind, ...more }) => {
        const now = move(kind, more);
        const next = move(kind, { ...more, attempts: more.attempts + 1 });
        if ('delayMs' in now && 'delayMs' in next) expect(next.delayMs).toBeGreaterThanOrEqual(now.delayMs);
      }),
    );
  });

  it('is no shorter than what the vendor asked, where that is heeded', () => {
    fc.assert(
      fc.property(trouble, fc.nat(100_000), ({ kind, ...more }, retryAfterMs) => {
        fc.pre(kind === 'throttled' || kind === 'transient' || kind === 'unknown');
        const moved = move(kind, { ...more, retryAfterMs });
        if ('delayMs' in moved) expect(moved.delayMs).toBeGreaterThanOrEqual(retryAfterMs);
      }),
    );
  });
});

describe('the policy', () => {
  it('allows at most two calls that may have been paid', () => expect(DEFAULT_POLICY.maxPayments).toBe(2));

  it('`review` asks a person before the second one, in the batch lane', () => {
    const review = { ...DEFAULT_POLICY, unknownOutcome: 'review' } as const;
    expect(LANES.map((lane) => [lane, paymentsUnasked(review, lane)])).toEqual([
      ['interactive', 2],
      ['batch', 1],
    ]);
    expect(LANES.map((lane) => paymentsUnasked(DEFAULT_POLICY, lane))).toEqual([2, 2]);
  });
});
