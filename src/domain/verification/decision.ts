/**
 * Turns the vendor's answer into a decision. A decision depends only on the vendor's answer and the threshold. An error answer
 * and a Result other than `Success` go through the same classifier.
 */

import { Failure } from '../errors/failure.ts';
import { CODES, classify } from '../errors/index.ts';
import type { DetectAnswer } from '../ports.ts';
import type { DetectOutcome } from './outcomes.ts';
import { SUCCESS } from './session-result.ts';

/**
 * @param threshold lowest similarity of a match, 0–100.
 * @throws Failure if the answer says nothing about the person.
 */
export function decideFromAnswer(answer: DetectAnswer, threshold: number): DetectOutcome {
  const known = {
    ...(answer.requestId === null ? {} : { requestId: answer.requestId }),
    ...(answer.shapeTrouble === undefined ? {} : { shape: answer.shapeTrouble.shape }),
  };
  const hidden = answer.shapeTrouble?.hidesFrame === true ? ({ frameHidden: true } as const) : {};
  if (answer.result !== 'Success') {
    const facts = { service: 'faceid', channel: 'result', sent: 'answered' } as const;
    const failure = new Failure({ ...facts, code: answer.result, ...known }, answer.description);
    const outcome = decideFromFailure(failure);
    if (outcome === null) throw failure;
    const similarity = hasSimilarity(answer.result) ? answer.similarity : null;
    return { ...outcome, similarity, bestFrame: answer.bestFrame, ...hidden };
  }
  if (answer.similarity === null) {
    // Tencent most likely bills this answer. With `sent: 'maybe'`, the call counts as possibly paid, like a call without an
    // answer.
    const facts = { service: 'faceid', channel: 'result', sent: 'maybe', code: CODES.REPLY_SHAPE } as const;
    const message = 'the answer is Success, but has no similarity from 0 to 100';
    throw new Failure({ ...facts, ...known }, message);
  }
  return {
    decision: answer.similarity >= threshold ? 'match' : 'no_match',
    similarity: answer.similarity,
    result: 'Success',
    requestId: answer.requestId,
    billed: true,
    bestFrame: answer.bestFrame,
    ...hidden,
  };
}

/** Tencent documents Sim as valid for Success and CompareLowSimilarity. For other results, Sim is a meaningless 0. */
function hasSimilarity(result: string): boolean {
  return /\.CompareLowSimilarity$/.test(result);
}

/** Judges a known answer again, by a threshold that may differ from the first one. */
export function decideAgain(
  { decision, similarity, result }: Pick<DetectOutcome, 'decision' | 'similarity' | 'result'>,
  threshold: number,
): DetectOutcome['decision'] {
  if (!isSuccess(result) || similarity === null) return decision;
  return similarity >= threshold ? 'match' : 'no_match';
}

/** Whether the vendor passed the person. The decision may still be `no_match`, by the caller's threshold. */
export function isSuccess(result: string): boolean {
  return result === 'Success' || result === SUCCESS;
}

/** @returns the outcome if the failure is an answer about the person; otherwise null. */
export function decideFromFailure(failure: Failure): DetectOutcome | null {
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
