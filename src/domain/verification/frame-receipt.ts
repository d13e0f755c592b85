/**
 * The receipt that is stored next to a frame: it proves that the verification was decided, and how. If Redis is lost, the receipt
 * prevents a second paid call. It contains no personal data: the id is a keyed hash, and the caller's key and all locations are
 * left out.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { Mode } from './mode.ts';
import type { DetectOutcome } from './outcomes.ts';
import { DECISIONS } from './states.ts';

export const frameReceipt = z.object({
  /** Id of the verification. */
  id: z.string().min(1),
  decision: z.enum(DECISIONS),
  /** 0–100; null if the vendor gave none. */
  similarity: z.number().nullable(),
  /** The vendor's code or Result. */
  result: z.string().min(1),
  requestId: z.string().nullable(),
  /** When the decision was made, or somewhat later; ms since 1970. */
  decidedAt: z.number().int(),
  /** Keyed hash of request and answer. It does not match if the resources differ, or if someone else wrote the receipt. */
  proof: z.string().min(1),
  /** Keyed hash of the deployment that wrote the receipt, because several deployments may share the folder. */
  owner: z.string().min(1),
  /** Whether the vendor bills the answer. */
  paid: z.boolean(),
  /** The picture that this receipt belongs to. Next to any other picture the receipt is ignored. */
  frame: z.object({ md5: z.string().regex(/^[0-9a-f]{32}$/), bytes: z.number().int().positive() }),
});
export type FrameReceipt = z.infer<typeof frameReceipt>;

/**
 * @param verification the verification that the receipt belongs to. The proof covers `mode`, so that the receipt of an emulator's
 * answer is never taken for the receipt of a real answer. `fingerprint` is `questionFingerprint`.
 */
export function computeReceiptProof(
  namespace: string,
  verification: { readonly id: string; readonly mode: Mode; readonly fingerprint: string },
  outcome: Pick<DetectOutcome, 'decision' | 'similarity' | 'result' | 'requestId'>,
): string {
  const { id, mode, fingerprint } = verification;
  const { decision, similarity, result, requestId } = outcome;
  const text = JSON.stringify([id, mode, fingerprint, decision, similarity, result, requestId]);
  return createHmac('sha256', `${namespace}/receipt`).update(text).digest('base64url');
}

/** Compares in constant time. */
export function proofMatches(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/**
 * Appended to the frame's file name or object key. No frame's name may end with this suffix: such a frame could overwrite a
 * receipt.
 */
export const RECEIPT_SUFFIX = '.receipt.json';

/** The keyed hash that marks the receipts of one deployment. */
export function receiptOwner(namespace: string, deployment: { readonly prefix: string; readonly mode: Mode }): string {
  const text = JSON.stringify([deployment.prefix, deployment.mode]);
  return createHmac('sha256', `${namespace}/receipt-owner`).update(text).digest('base64url').slice(0, 22);
}
