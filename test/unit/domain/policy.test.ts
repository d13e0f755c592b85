import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Classified, ERROR_CLASSES, type ErrorClass } from '../../../src/domain/errors/index.ts';
import {
  DEFAULT_POLICY,
  type FailedAttempt,
  isHeldAtLimit,
  LIMITED_STAGES,
  MAX_UPLOAD_AGE_MS,
  maxPaymentsWithoutReview,
  nextMove,
  outageDelayMs,
  PUT_LINK_MS,
} from '../../../src/domain/verification/policy.ts';
import { LANES } from '../../../src/domain/verification/request.ts';
import { STAGES } from '../../../src/domain/verification/states.ts';

const classified = (kind: ErrorClass): Classified => ({ class: kind, decision: null, billed: 'no', entry: null });

/** Returns the next move after a failed attempt. With `random: 0.5` the jitter is zero. */
function move(kind: ErrorClass, more: Partial<FailedAttempt> = {}) {
  const trouble: FailedAttempt = {
    classified: classified(kind),
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
  it.each(LIMITED_STAGES)('%s is retried up to its number of attempts', (stage) => {
    const maxAttempts = DEFAULT_POLICY.attempts[stage];
    const moves = Array.from({ length: maxAttempts }, (_, attempts) => move('transient', { stage, attempts }));
    expect(moves.slice(0, -1).every(({ to }) => to === 'later')).toBe(true);
    expect(moves.at(-1)).toEqual({ to: 'fail' });
    expect(move('transient', { stage, attempts: maxAttempts + 5 })).toEqual({ to: 'fail' });
  });

  it('counts each attempt and doubles the delay, up to the maximum', () => {
    const pauses = [0, 1, 2, 3, 4].map((attempts) => move('transient', { attempts }));
    expect(pauses).toEqual(
      [500, 1_000, 2_000, 4_000, 5_000].map((delayMs) => ({ to: 'later', delayMs, counts: true })),
    );
  });

  it('waits longer in lane batch', () => {
    const pauses = [0, 1, 5, 6].map((attempts) => move('transient', { stage: 'download', lane: 'batch', attempts }));
    expect(pauses.map((each) => ('delayMs' in each ? each.delayMs : null))).toEqual([2_000, 4_000, 60_000, 60_000]);
  });

  it('waits at least as long as the vendor asks, and at least its own delay', () => {
    expect(move('transient', { retryAfterMs: 9_000 })).toMatchObject({ delayMs: 9_000 });
    expect(move('transient', { retryAfterMs: 1 })).toMatchObject({ delayMs: 500 });
  });
});

describe('unknown', () => {
  it.each(LIMITED_STAGES)('%s is tried three times in total', (stage) => {
    expect([0, 1, 2].map((attempts) => move('unknown', { stage, attempts }).to)).toEqual(['later', 'later', 'hold']);
    expect(move('unknown', { stage })).toMatchObject({ counts: true });
  });
});

describe('a download', () => {
  it.each(ERROR_CLASSES.filter((kind) => kind !== 'caller' && kind !== 'rejected'))(
    'is retried after %s with growing delays until its link expires',
    (kind) => {
      const moves = [0, 1, 2, 7, 100, 10_000].map((attempts) => move(kind, { stage: 'download', attempts }));
      expect(moves).toEqual(
        [500, 1_000, 2_000, 60_000, 60_000, 60_000].map((delayMs) => ({ to: 'later', delayMs, counts: true })),
      );
    },
  );

  it('fails if the picture is gone', () => expect(move('caller', { stage: 'download' })).toEqual({ to: 'fail' }));

  it('goes on if a dead link can be replaced', () =>
    expect(move('caller', { stage: 'download', renewable: true })).toMatchObject({ to: 'later', counts: true }));
});

describe('reupload', () => {
  it('goes back to upload at most twice', () => {
    expect([0, 1, 2, 3].map((rewinds) => move('reupload', { rewinds }))).toEqual([
      { to: 'rewind', delayMs: 500 },
      { to: 'rewind', delayMs: 1_000 },
      { to: 'hold' },
      { to: 'hold' },
    ]);
  });

  it('is not limited by the attempts of the stage', () => {
    expect(move('reupload', { attempts: 100 })).toMatchObject({ to: 'rewind' });
  });
});

describe('throttled and account', () => {
  it.each(['throttled', 'account'] as const)(
    '%s never counts as an attempt and never ends the verification',
    (kind) => {
      for (const lane of LANES) {
        for (const attempts of [0, 10, 10_000]) {
          expect(move(kind, { lane, attempts, rewinds: 100 })).toMatchObject({ to: 'later', counts: false });
        }
      }
    },
  );

  it('waits as long as the vendor asks if throttled', () => {
    expect(move('throttled')).toMatchObject({ delayMs: 1_000 });
    expect(move('throttled', { retryAfterMs: 7_000 })).toMatchObject({ delayMs: 7_000 });
  });

  it('fails at once on an account error about something the caller named, unless the call is already paid', () => {
    expect(move('account', { about: 'caller' })).toEqual({ to: 'fail' });
    expect(move('account', { about: 'caller', stage: 'download' })).toMatchObject({ to: 'later' });
    expect(move('account', { about: 'deployment' })).toMatchObject({ to: 'later', counts: false });
  });

  it('waits longer than a back-off for an operator to fix the account', () => {
    expect(move('account')).toMatchObject({ delayMs: 2_000 });
    expect(move('account', { lane: 'batch' })).toMatchObject({ delayMs: 10_000 });
  });
});

describe('rejected and caller', () => {
  it.each(['rejected', 'caller'] as const)('%s is not retried', (kind) => {
    expect(move(kind)).toEqual({ to: 'fail' });
    expect(move(kind, { retryAfterMs: 1_000 })).toEqual({ to: 'fail' });
  });
});

describe('every delay', () => {
  const trouble = fc.record({
    kind: fc.constantFrom(...ERROR_CLASSES),
    stage: fc.constantFrom(...STAGES),
    lane: fc.constantFrom(...LANES),
    attempts: fc.nat(20),
    rewinds: fc.nat(4),
    random: fc.double({ min: 0, max: 1, noNaN: true }),
  });

  it('is a whole number of ms and has a jitter of up to 25 %', () => {
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

  it('never shrinks with more attempts', () => {
    fc.assert(
      fc.property(trouble, ({ kind, ...more }) => {
        const now = move(kind, more);
        const next = move(kind, { ...more, attempts: more.attempts + 1 });
        if ('delayMs' in now && 'delayMs' in next) expect(next.delayMs).toBeGreaterThanOrEqual(now.delayMs);
      }),
    );
  });

  it('is at least as long as the vendor asks, for the error classes that honor it', () => {
    fc.assert(
      fc.property(trouble, fc.nat(100_000), ({ kind, ...more }, retryAfterMs) => {
        fc.pre(kind === 'throttled' || kind === 'transient' || kind === 'unknown');
        const moved = move(kind, { ...more, retryAfterMs });
        if ('delayMs' in moved) expect(moved.delayMs).toBeGreaterThanOrEqual(retryAfterMs);
      }),
    );
  });
});

describe('in an outage', () => {
  const outage = (waitMs: number, runs: number, more: Partial<FailedAttempt> = {}) =>
    move('transient', { outage: { waitMs, runs }, ...more });

  it('waits until about the next probe, within the limits of the back-off', () => {
    expect(outage(3_000, 0)).toEqual({ to: 'later', delayMs: 3_000, counts: false });
    expect(outage(0, 0)).toMatchObject({ delayMs: 500 });
    expect(outage(90_000, 0)).toMatchObject({ delayMs: 5_000 });
    expect(outage(90_000, 0, { lane: 'batch' })).toMatchObject({ delayMs: 60_000 });
  });

  it('waits longer with each run, and as long as the vendor asks', () => {
    expect([0, 1, 2, 3, 9].map((runs) => outage(1, runs))).toEqual(
      [500, 1_000, 2_000, 4_000, 5_000].map((delayMs) => ({ to: 'later', delayMs, counts: false })),
    );
    expect(outage(1, 0, { retryAfterMs: 8_000 })).toMatchObject({ delayMs: 8_000 });
  });

  it('ends nothing, whatever the class, but a decided verification goes on with its download', () => {
    expect(outage(1, 0, { classified: classified('caller') })).toMatchObject({ to: 'later', counts: false });
    expect(outage(1, 0, { stage: 'download' })).toMatchObject({ to: 'later', counts: true });
  });

  it('varies the wait', () => {
    const wait = (random: number) => outageDelayMs(2_000, { lane: 'interactive', random }, DEFAULT_POLICY);
    expect([0, 0.5, 1].map(wait)).toEqual([1_500, 2_000, 2_500]);
  });
});

describe('a machine', () => {
  it('that reports a fault of one file tries it as often as after a transient failure', () => {
    expect([0, 4, 5].map((attempts) => move('machine', { attempts }).to)).toEqual(['later', 'later', 'fail']);
  });
});

it('holds a verification at its limit only if an operator can judge it', () => {
  expect(ERROR_CLASSES.filter(isHeldAtLimit)).toEqual(['reupload', 'unknown']);
});

describe('the policy', () => {
  it('has the documented defaults', () => {
    expect(DEFAULT_POLICY).toEqual({
      attempts: { upload: 6, md5: 6, detect: 5 },
      unknownAttempts: 3,
      rewinds: 2,
      stageMs: { upload: 120_000, md5: 60_000, download: 60_000 },
      callMs: { interactive: 15_000, batch: 30_000 },
      backoffMs: { interactive: { first: 500, most: 5_000 }, batch: { first: 2_000, most: 60_000 } },
      accountWaitMs: { interactive: 2_000, batch: 10_000 },
      maxPayments: 2,
      unknownOutcome: 'retry',
      askMs: { first: 30_000, most: 300_000, told: 1_000 },
      holdMs: 604_800_000,
      crashBudget: 3,
    });
    expect([PUT_LINK_MS, MAX_UPLOAD_AGE_MS]).toEqual([600_000, 1_200_000]);
  });

  it('allows at most two calls that are paid or possibly paid', () => expect(DEFAULT_POLICY.maxPayments).toBe(2));

  it('asks an operator before the second call in lane batch if set to `review`', () => {
    const review = { ...DEFAULT_POLICY, unknownOutcome: 'review' } as const;
    expect(LANES.map((lane) => [lane, maxPaymentsWithoutReview(review, lane)])).toEqual([
      ['interactive', 2],
      ['batch', 1],
    ]);
    expect(LANES.map((lane) => maxPaymentsWithoutReview(DEFAULT_POLICY, lane))).toEqual([2, 2]);
  });
});
