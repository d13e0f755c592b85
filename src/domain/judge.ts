/**
 * From the vendor's answer to a decision. A decision comes from the vendor and the threshold, and from nowhere else.
 * Both channels, an error answer and a Result other than `Success`, go through one classifier.
 */
import { CODES, classify } from './errors/index.ts';
import { Failure } from './failure.ts';
import type { DetectOutcome } from './outcomes.ts';
import type { DetectAnswer } from './ports.ts';

/** @throws Failure where the answer says nothing about the person. */
export function judgeAnswer(answer: DetectAnswer, threshold: number): DetectOutcome {
  if (answer.result !== 'Success') {
    const facts = { service: 'faceid', channel: 'result', sent: 'answered' } as const;
    const failure = new Failure({ ...facts, code: answer.result, requestId: answer.requestId }, answer.description);
    const outcome = judgeFailure(failure);
    if (outcome === null) throw failure;
    return { ...outcome, similarity: answer.similarity, bestFrame: answer.bestFrame };
  }
  if (answer.similarity === null) {
    // Billed, most likely: as unknown as an answer that was lost, and counted so.
    const facts = { service: 'faceid', channel: 'result', sent: 'maybe', code: CODES.MALFORMED_REPLY } as const;
    throw new Failure({ ...facts, requestId: answer.requestId }, 'the answer is Success, but has no similarity');
  }
  return {
    decision: answer.similarity >= threshold ? 'match' : 'no_match',
    similarity: answer.similarity,
    result: 'Success',
    requestId: answer.requestId,
    billed: true,
    bestFrame: answer.bestFrame,
  };
}

/** An error answer that is about the person, as an outcome; null where it is about anything else. */
export function judgeFailure(failure: Failure): DetectOutcome | null {
  const { class: kind, decision, billed } = classify(failure);
  if (kind !== 'rejected' || decision === null) return null;
  return {
    decision,
    similarity: null,
    result: failure.code,
    requestId: failure.requestId ?? null,
    billed: billed === 'yes',
    bestFrame: null,
  };
}
