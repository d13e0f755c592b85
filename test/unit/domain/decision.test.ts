import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failure } from '../../../src/domain/errors/failure.ts';
import type { DetectAnswer } from '../../../src/domain/ports.ts';
import {
  decideAgain,
  decideFromAnswer,
  decideFromFailure,
  isSuccess,
} from '../../../src/domain/verification/decision.ts';
import { DOCUMENTED } from './documented-codes.ts';

const frame = { url: 'https://frames.example/1', md5: 'a'.repeat(32), expiresAt: 1 };

function answer(more: Partial<DetectAnswer> = {}): DetectAnswer {
  return { result: 'Success', description: '', similarity: 90, requestId: 'r-1', bestFrame: frame, ...more };
}

function error(code: string, message = ''): Failure {
  return new Failure({ service: 'faceid', channel: 'error', code, sent: 'answered', requestId: 'r-1' }, message);
}

function thrownBy(run: () => unknown): Failure {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown;
    throw thrown;
  }
  throw new Error('nothing was thrown');
}

describe('a Success', () => {
  it('is billed, and is a match if the similarity reaches the threshold', () => {
    const facts = { result: 'Success', requestId: 'r-1', billed: true, bestFrame: frame };
    expect(decideFromAnswer(answer({ similarity: 70 }), 70)).toEqual({ ...facts, decision: 'match', similarity: 70 });
    expect(decideFromAnswer(answer({ similarity: 69.99 }), 70)).toEqual({
      ...facts,
      decision: 'no_match',
      similarity: 69.99,
    });
  });

  it('is decided by similarity and threshold alone', () => {
    const percent = fc.double({ min: 0, max: 100, noNaN: true });
    fc.assert(
      fc.property(percent, percent, (similarity, threshold) => {
        const { decision } = decideFromAnswer(answer({ similarity }), threshold);
        expect(decision).toBe(similarity >= threshold ? 'match' : 'no_match');
      }),
    );
  });

  it('may lack a BestFrame', () => {
    expect(decideFromAnswer(answer({ bestFrame: null }), 70)).toMatchObject({ decision: 'match', bestFrame: null });
  });

  it('is not a decision if the similarity is missing', () => {
    const failure = thrownBy(() => decideFromAnswer(answer({ similarity: null }), 70));
    expect(failure).toMatchObject({ code: 'REPLY_SHAPE', sent: 'maybe', requestId: 'r-1' });
  });
});

describe('an answer about the person', () => {
  const ANSWERS = [
    ['FailedOperation.LivessDetectFake', 'not_live', false],
    ['FailedOperation.CompareLowSimilarity', 'no_match', true],
    ['InternalError.CompareLowSimilarity', 'no_match', true],
    ['FailedOperation.ActionLightDark', 'recapture', false],
    ['FailedOperation.LifePhotoPoorQuality', 'recapture', false],
  ] as const;

  it.each(ANSWERS)('%s decides %s on both channels', (code, decision, billed) => {
    const facts = { decision, result: code, requestId: 'r-1', billed };
    expect(decideFromFailure(error(code))).toEqual({ ...facts, similarity: null, bestFrame: null });
    expect(decideFromAnswer(answer({ result: code, similarity: 12 }), 70)).toEqual({
      ...facts,
      similarity: decision === 'no_match' ? 12 : null,
      bestFrame: frame,
    });
  });

  it('is never a match, even with a high similarity', () => {
    for (const [code, kind] of DOCUMENTED.filter(([, of]) => of === 'content')) {
      expect([code, kind, decideFromAnswer(answer({ result: code, similarity: 100 }), 0).decision]).not.toContain(
        'match',
      );
      expect(decideFromFailure(error(code))).not.toBeNull();
    }
  });
});

describe('an answer that is not about the person', () => {
  it.each([...DOCUMENTED.filter(([, kind]) => kind !== 'content').map(([code]) => code), 'NeverHeardOf', ''])(
    '"%s" is not a decision on either channel',
    (code) => {
      expect(decideFromFailure(error(code))).toBeNull();
      const failure = thrownBy(() => decideFromAnswer(answer({ result: code }), 0));
      expect(failure).toMatchObject({ code, channel: 'result', sent: 'answered', requestId: 'r-1' });
    },
  );

  it('covers a message that states a fault, if the code only says "invalid parameter"', () => {
    expect(decideFromFailure(error('InvalidParameterValue', 'MD5 Error'))).toBeNull();
    const failure = thrownBy(() =>
      decideFromAnswer(answer({ result: 'InvalidParameterValue', description: 'invalid resourceUrl' }), 0),
    );
    expect(failure.message).toBe('invalid resourceUrl');
  });

  it('does not cover an answer about the person, even if its message states a fault', () => {
    expect(decideFromFailure(error('FailedOperation.ImageBlur', 'MD5 Error'))).toMatchObject({ decision: 'recapture' });
  });

  it('covers a call without an answer', () => {
    const facts = { service: 'faceid', channel: 'local', sent: 'maybe' } as const;
    expect(decideFromFailure(new Failure({ ...facts, code: 'TIMEOUT' }, ''))).toBeNull();
    expect(decideFromFailure(new Failure({ ...facts, code: 'FailedOperation.LivessDetectFake' }, ''))).toBeNull();
  });
});

describe('a known answer, judged again', () => {
  it.each([
    ['Success', 80, 80, 'match'],
    ['Success', 79.99, 80, 'no_match'],
    ['Result.0', 80, 80, 'match'],
    ['Result.0', 79.99, 80, 'no_match'],
  ] as const)('with %s and similarity %d follows the threshold %d: %s', (result, similarity, threshold, decision) => {
    for (const before of ['match', 'no_match'] as const)
      expect(decideAgain({ decision: before, similarity, result }, threshold)).toBe(decision);
  });

  it.each([
    ['FailedOperation.CompareLowSimilarity', 99, 'no_match'],
    ['FailedOperation.LivessDetectFake', 99, 'not_live'],
    ['Result.0', null, 'live'],
  ] as const)('of %s with similarity %s stays %s', (result, similarity, decision) => {
    expect(decideAgain({ decision, similarity, result }, 70)).toBe(decision);
  });
});

it.each([
  ['Success', true],
  ['Result.0', true],
  ['Result.1002', false],
  ['success', false],
])('the result %s passes the person: %s', (result, passes) => {
  expect(isSuccess(result)).toBe(passes);
});
