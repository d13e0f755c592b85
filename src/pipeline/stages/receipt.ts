/** The receipt of a decision, which is stored next to its frame. */
import type { NewFrame } from '../../domain/ports.ts';
import type { DetectOutcome } from '../../domain/verification/outcomes.ts';
import type { StageContext, StageInput } from './context.ts';

export function receiptOf(
  { id, order }: StageInput,
  context: StageContext,
  detect: DetectOutcome,
): NewFrame['receipt'] {
  const { decision, similarity, result, requestId, billed: paid } = detect;
  const proof = context.proofOf(order, detect);
  const decidedAt = context.now();
  return { id, decision, similarity, result, requestId, decidedAt, proof, owner: context.receiptOwner, paid };
}
