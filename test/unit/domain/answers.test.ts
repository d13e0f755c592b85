/**
 * Feeds arbitrary vendor answers through the parser, the decision, the classifier and the policy. What must hold:
 * 1. Nothing throws except the Failure that `decideFromAnswer` documents.
 * 2. An answer about the person is never retried and never becomes a match.
 * 3. Only `Success` with a similarity becomes a match.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDetectReply } from '../../../src/adapters/faceid/replies.ts';
import { Failure, type FailureFacts } from '../../../src/domain/errors/failure.ts';
import { classify, ERROR_CLASSES, ERROR_TABLE, explain, failureCode } from '../../../src/domain/errors/index.ts';
import { CHECK_NAMES } from '../../../src/domain/verification/actions.ts';
import { decideFromAnswer, decideFromFailure } from '../../../src/domain/verification/decision.ts';
import type { DetectOutcome } from '../../../src/domain/verification/outcomes.ts';
import {
  DEFAULT_POLICY,
  type FailedAttempt,
  type NextMove,
  nextMove,
} from '../../../src/domain/verification/policy.ts';
import { LANES } from '../../../src/domain/verification/request.ts';
import { STAGES } from '../../../src/domain/verification/states.ts';
import { PROPERTY_RUNS } from '../../support/property-runs.ts';
import { DOCUMENTED } from './documented-codes.ts';

const RUNS = { numRuns: PROPERTY_RUNS };

const ABOUT_THE_PERSON = DOCUMENTED.filter(([, kind]) => kind === 'content').map(([code]) => code);
/** If the vendor's message contains one of these words, the message takes precedence over the code. */
const FAULT_WORDS = /md5|resource ?url/i;

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
type Circumstances = Omit<FailedAttempt, 'classified' | 'retryAfterMs'>;

const anyReply = fc.oneof(
  fc.anything(),
  fc.record(
    {
      Result: fc.oneof(anyCode, fc.constant('Success'), fc.anything()),
      Description: fc.oneof(anyMessage, fc.anything()),
      Sim: fc.oneof(fc.double(), fc.integer({ min: 0, max: 100 }), fc.anything()),
      BestFrameUrl: fc.oneof(fc.webUrl(), fc.anything()),
      BestFrameMd5: fc.oneof(fc.constant('A'.repeat(32)), fc.anything()),
      BestFrame: fc.anything(),
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

function moveAfter(failure: Failure, circumstances: Circumstances): NextMove {
  const trouble = { ...circumstances, classified: classify(failure), retryAfterMs: failure.retryAfterMs };
  return nextMove(trouble, DEFAULT_POLICY);
}

function checkMove(move: NextMove): void {
  if (!('delayMs' in move)) return;
  expect(Number.isSafeInteger(move.delayMs)).toBe(true);
  expect(move.delayMs).toBeGreaterThanOrEqual(0);
}

/** @returns the outcome, or the Failure that `run` threw. Any other error is rethrown. */
function outcomeOrFailure(decide: () => DetectOutcome): DetectOutcome | Failure {
  try {
    return decide();
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown;
    throw thrown;
  }
}

describe('any failure', () => {
  it('has a class, a code and a next move, and has a decision only if it is about the person', () => {
    fc.assert(
      fc.property(anyFacts, anyMessage, anyCircumstances, (facts, message, circumstances) => {
        const failure = new Failure(facts, message);
        const { class: kind, decision, billed } = classify(failure);
        expect(ERROR_CLASSES).toContain(kind);
        expect(typeof failureCode(failure)).toBe('string');
        explain(facts.code);
        const outcome = decideFromFailure(failure);
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

  it('is an answer on either channel and is not retried if it is about the person', () => {
    const facts = fc.record({
      service: fc.constant('faceid' as const),
      channel: fc.constantFrom('error', 'result'),
      code: fc.constantFrom(...ABOUT_THE_PERSON),
      sent: fc.constant('answered' as const),
    });
    const message = anyMessage.filter((text) => !FAULT_WORDS.test(text));
    fc.assert(
      fc.property(facts, message, anyCircumstances, fc.nat(), (answered, text, circumstances, retryAfterMs) => {
        const failure = new Failure({ ...answered, retryAfterMs }, text);
        expect(decideFromFailure(failure)).toMatchObject({ result: answered.code });
        expect(moveAfter(failure, circumstances)).toEqual({ to: 'fail' });
      }),
      RUNS,
    );
  });
});

describe('any reply', () => {
  it('leads to a decision, or to a Failure with a next move', () => {
    let parsed = 0;
    let matches = 0;
    fc.assert(
      fc.property(
        anyReply,
        fc.double({ min: 0, max: 100, noNaN: true }),
        anyCircumstances,
        fc.constantFrom(...CHECK_NAMES),
        (reply, threshold, circumstances, action) => {
          const answer = parseDetectReply(action, reply, 0);
          if (answer === null) return;
          parsed += 1;
          const outcome = outcomeOrFailure(() => decideFromAnswer(answer, threshold));
          if (outcome instanceof Failure) {
            expect(classify(outcome).class).not.toBe('rejected');
            expect(decideFromFailure(outcome)).toBeNull();
            checkMove(moveAfter(outcome, circumstances));
            return;
          }
          const { result, similarity } = answer;
          const isMatch = result === 'Success' && similarity !== null && similarity >= threshold;
          expect(outcome.decision === 'match').toBe(isMatch);
          if (isMatch) matches += 1;
        },
      ),
      RUNS,
    );
    // At least some generated replies must be well-formed, otherwise the property proves nothing.
    expect(parsed).toBeGreaterThan(RUNS.numRuns / 4);
    expect(matches).toBeGreaterThan(RUNS.numRuns / 100);
  });
});
