/**
 * What lies beside a stored frame: that its verification was decided, and how. Where Redis was lost, it says that there is
 * nothing to pay for any more. Nothing in it is personal: the id is a keyed hash, and there is no key and no place.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { DetectOutcome } from './outcomes.ts';
import { DECISIONS } from './states.ts';
import type { Mode } from './verification.ts';

export const frameReceipt = z.object({
  /** Of the verification. */
  id: z.string().min(1),
  decision: z.enum(DECISIONS),
  /** 0–100; null where the vendor gave none. */
  similarity: z.number().nullable(),
  /** The vendor's code or Result. */
  result: z.string().min(1),
  requestId: z.string().nullable(),
  /** ms since 1970; not before the decision. */
  decidedAt: z.number().int(),
  /** Keyed hash over what was asked and what was answered: of another payload, or written by somebody else, it does not fit. */
  proof: z.string().min(1),
  /** Whether the vendor bills the answer. */
  paid: z.boolean(),
  /** Of the picture that it was written for: beside another one it counts for nothing. */
  frame: z.object({ md5: z.string().regex(/^[0-9a-f]{32}$/), bytes: z.number().int().positive() }),
});
export type FrameReceipt = z.infer<typeof frameReceipt>;

/** @param asked of the verification: an answer of the emulator must never be taken for a real one. */
export function receiptProof(
  namespace: string,
  { id, mode, fingerprint }: { readonly id: string; readonly mode: Mode; readonly fingerprint: string },
  { decision, similarity, result, requestId }: Pick<DetectOutcome, 'decision' | 'similarity' | 'result' | 'requestId'>,
): string {
  const said = JSON.stringify([id, mode, fingerprint, decision, similarity, result, requestId]);
  return createHmac('sha256', `${namespace}/receipt`).update(said).digest('base64url');
}

export function isProof(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Behind the frame's own name or key. No frame may be called so: it could be another one's receipt. */
export const RECEIPT_ENDING = '.receipt.json';
