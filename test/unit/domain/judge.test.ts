import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failure } from '../../../src/domain/failure.ts';
import { judgeAnswer, judgeFailure } from '../../../src/domain/judge.ts';
import type { DetectAnswer } from '../../../src/domain/ports.ts';
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
  it('is a match from the threshold on, and billed', () => {
    const facts = { result: 'Success', requestId: 'r-1', billed: true, bestFrame: frame };
    expect(judgeAnswer(answer({ similarity: 70 }), 70)).toEqual({ ...facts, decision: 'match', similarity: 70 });
    expect(judgeAnswer(answer({ similarity: 69.99 }), 70)).toEqual({
      ...facts,
      decision: 'no_match',
      similarity: 69.99,
    });
  });

  it('goes by similarity and threshold alone', () => {
    const percent = fc.double({ min: 0, max: 100, noNaN: true });
    fc.assert(
      fc.property(percent, percent, (similarity, threshold) => {
        const { decision } = judgeAnswer(answer({ similarity }), threshold);
        expect(decision).toBe(similarity >= threshold ? 'match' : 'no_match');
      }),
    );
  });

  it('needs no BestFrame', () => {
    expect(judgeAnswer(answer({ bestFrame: null }), 70)).toMatchObject({ decision: 'match', bestFrame: null });
  });

  it('without a similarity is no decision', () => {
    const failure = thrownBy(() => judgeAnswer(answer({ similarity: null }), 70));
    expect(failure).toMatchObject({ code: 'MALFORMED_REPLY', requestId: 'r-1' });
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
    expect(judgeFailure(error(code))).toEqual({ ...facts, similarity: null, bestFrame: null });
    expect(judgeAnswer(answer({ result: code, similarity: 0 }), 70)).toEqual({
      ...facts,
      similarity: 0,
      bestFrame: frame,
    });
  });

  it('is never a match, whatever similarity comes with it', () => {
    for (const [code, kind] of DOCUMENTED.filter(([, of]) => of === 'content')) {
      expect([code, kind, judgeAnswer(answer({ result: code, similarity: 100 }), 0).decision]).not.toContain('match');
      expect(judgeFailure(error(code))).not.toBeNull();
    }
  });
});

describe('an answer about anything else', () => {
  it.each([...DOCUMENTED.filter(([, kind]) => kind !== 'content').map(([code]) => code), 'NeverHeardOf', ''])(
    '"%s" is no decision on either channel',
    (code) => {
      expect(judgeFailure(error(code))).toBeNull();
      const failure = thrownBy(() => judgeAnswer(answer({ result: code }), 0));
      expect(failure).toMatchObject({ code, channel: 'result', sent: 'answered', requestId: 'r-1' });
    },
  );

  it('stays so where the message names a fault, even under a code about the person', () => {
    expect(judgeFailure(error('FailedOperation.ImageBlur', 'MD5 Error'))).toBeNull();
    const failure = thrownBy(() =>
      judgeAnswer(answer({ result: 'FailedOperation.ImageBlur', description: 'invalid resourceUrl' }), 0),
    );
    expect(failure.message).toBe('invalid resourceUrl');
  });

  it('is no decision where nobody answered', () => {
    const facts = { service: 'faceid', channel: 'local', sent: 'maybe' } as const;
    expect(judgeFailure(new Failure({ ...facts, code: 'TIMEOUT' }, ''))).toBeNull();
    expect(judgeFailure(new Failure({ ...facts, code: 'FailedOperation.LivessDetectFake' }, ''))).toBeNull();
  });
});
