/**
 * Whatever the vendor answers, by the way that an answer goes: reader, judge, classifier, policy. What must hold:
 * 1. nothing throws but the Failure that a judge promises;
 * 2. an answer about the person is never asked for again, and is never a match;
 * 3. only `Success` with a similarity makes a match.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify, ERROR_CLASSES, ERROR_TABLE, explain, nameOf } from '../../../src/domain/errors/index.ts';
import { Failure, type FailureFacts } from '../../../src/domain/failure.ts';
import { judgeAnswer, judgeFailure } from '../../../src/domain/judge.ts';
import type { DetectOutcome } from '../../../src/domain/outcomes.ts';
import { DEFAULT_POLICY, type Move, nextMove, type Trouble } from '../../../src/domain/policy.ts';
import { STAGES } from '../../../src/domain/states.ts';
import { LANES } from '../../../src/domain/verification.ts';
import { parseDetectReply } from '../../../src/tencent/replies.ts';
import { DOCUMENTED } from './documented-codes.ts';

const RUNS = { numRuns: 10_000 };

const ABOUT_THE_PERSON = DOCUMENTED.filter(([, kind]) => kind === 'content').map(([code]) => code);
/** What stands for a fault wherever the vendor says it, whatever code it puts beside it. */
const NAMES_A_FAULT = /md5|resource ?url/i;

const anyText = fc.string({ unit: 'binary' });
const knownCode = fc.constantFrom(...DOCUMENTED.map(([code]) => code), ...ERROR_TABLE.map(({ match }) => match));
const anyCode = fc.oneof(
  anyText,
  knownCode,
  fc.tuple(knownCode, fc.string({ maxLength: 3 })).map(([code, more]) => `${code}${more}`),
  fc.tuple(knownCode, fc.nat(12)).map(([code, less]) => code.slice(0, -less)),
  knownCode.map((code) => code.toUpperCase()),
  fc.constantFrom('Success', 'constructor', '__proto__', 'toString', '', '.', '*', '.*', '/'),
);
const anyMessage = fc.oneof(anyText, fc.constantFrom('', 'MD5 Error', 'invalid resourceUrl', 'md5错误'), anyCode);

const anyFacts = fc.record(
  {
    service: fc.constantFrom('faceid', 'cos', 'http', 'source', 'sink', 'bestframe'),
    channel: fc.constantFrom('error', 'result', 'local'),
    code: anyCode,
    sent: fc.constantFrom('no', 'maybe', 'answered'),
    requestId: anyText,
    httpStatus: fc.integer(),
    field: anyText,
    retryAfterMs: fc.nat(),
  },
  { requiredKeys: ['service', 'channel', 'code', 'sent'] },
) satisfies fc.Arbitrary<FailureFacts>;

const anyCircumstances = fc.record({
  stage: fc.constantFrom(...STAGES),
  lane: fc.constantFrom(...LANES),
  attempts: fc.nat(20),
  rewinds: fc.nat(4),
  random: fc.double({ min: 0, max: 1, noNaN: true }),
});
type Circumstances = Omit<Trouble, 'classified' | 'retryAfterMs'>;

const anyReply = fc.oneof(
  fc.anything(),
  fc.record(
    {
      Result: fc.oneof(anyCode, fc.constant('Success'), fc.anything()),
      Description: fc.oneof(anyMessage, fc.anything()),
      Sim: fc.oneof(fc.double(), fc.integer({ min: 0, max: 100 }), fc.anything()),
      BestFrameUrl: fc.oneof(fc.webUrl(), fc.anything()),
      BestFrameMd5: fc.oneof(fc.constant('A'.repeat(32)), fc.anything()),
      RequestId: fc.oneof({ arbitrary: anyText, weight: 9 }, { arbitrary: fc.anything(), weight: 1 }),
    },
    { requiredKeys: [] },
  ),
  fc.record({
    Result: fc.oneof(anyCode, fc.constant('Success')),
    Description: anyMessage,
    Sim: fc.option(fc.double({ min: 0, max: 100, noNaN: true })),
    RequestId: anyText,
  }),
);

function moveAfter(failure: Failure, circumstances: Circumstances): Move {
  const trouble = { ...circumstances, classified: classify(failure), retryAfterMs: failure.retryAfterMs };
  return nextMove(trouble, DEFAULT_POLICY);
}

function checkMove(move: Move): void {
  if (!('delayMs' in move)) return;
  expect(Number.isSafeInteger(move.delayMs)).toBe(true);
  expect(move.delayMs).toBeGreaterThanOrEqual(0);
}

/** @returns what was decided, or the Failure that says why nothing was. Anything else that is thrown is a fault. */
function judged(judge: () => DetectOutcome): DetectOutcome | Failure {
  try {
    return judge();
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown;
    throw thrown;
  }
}

describe('any failure', () => {
  it('has a class, a name and a move, and is decided exactly where it is about the person', () => {
    fc.assert(
      fc.property(anyFacts, anyMessage, anyCircumstances, (facts, message, circumstances) => {
        const failure = new Failure(facts, message);
        const { class: kind, decision, billed } = classify(failure);
        expect(ERROR_CLASSES).toContain(kind);
        expect(typeof nameOf(failure)).toBe('string');
        explain(facts.code);
        const outcome = judgeFailure(failure);
        expect(outcome !== null).toBe(kind === 'rejected');
        expect(outcome?.decision ?? null).toBe(decision);
        expect(outcome?.decision).not.toBe('match');
        if (outcome?.billed) expect(billed).toBe('yes');
        const move = moveAfter(failure, circumstances);
        if (kind === 'rejected') expect(move).toEqual({ to: 'fail' });
        checkMove(move);
      }),
      RUNS,
    );
  });

  it('that says something about the person is an answer on either channel, and is not tried again', () => {
    const facts = fc.record({
      service: fc.constant('faceid' as const),
      channel: fc.constantFrom('error', 'result'),
      code: fc.constantFrom(...ABOUT_THE_PERSON),
      sent: fc.constant('answered' as const),
    });
    const message = anyMessage.filter((text) => !NAMES_A_FAULT.test(text));
    fc.assert(
      fc.property(facts, message, anyCircumstances, fc.nat(), (known, words, circumstances, retryAfterMs) => {
        const failure = new Failure({ ...known, retryAfterMs }, words);
        expect(judgeFailure(failure)).toMatchObject({ result: known.code });
        expect(moveAfter(failure, circumstances)).toEqual({ to: 'fail' });
      }),
      RUNS,
    );
  });
});

describe('any reply', () => {
  it('is read and judged, or refused by a Failure that has a move', () => {
    let read = 0;
    let matches = 0;
    fc.assert(
      fc.property(
        anyReply,
        fc.double({ min: 0, max: 100, noNaN: true }),
        anyCircumstances,
        (reply, threshold, circumstances) => {
          const answer = parseDetectReply(reply, 0);
          if (answer === null) return;
          read += 1;
          const outcome = judged(() => judgeAnswer(answer, threshold));
          if (outcome instanceof Failure) {
            expect(classify(outcome).class).not.toBe('rejected');
            expect(judgeFailure(outcome)).toBeNull();
            checkMove(moveAfter(outcome, circumstances));
            return;
          }
          const { result, similarity } = answer;
          const alike = result === 'Success' && similarity !== null && similarity >= threshold;
          expect(outcome.decision === 'match').toBe(alike);
          if (alike) matches += 1;
        },
      ),
      RUNS,
    );
    // Not only replies that nobody can read.
    expect(read).toBeGreaterThan(RUNS.numRuns / 4);
    expect(matches).toBeGreaterThan(RUNS.numRuns / 100);
  });
});
