/** Recovers a paid decision from the receipt that is stored next to its frame. */
import { COS_GET } from '../domain/operations/breakers.ts';
import { chargeOf } from '../domain/operations/costs.ts';
import { decideAgain } from '../domain/verification/decision.ts';
import { computeReceiptProof, proofMatches } from '../domain/verification/frame-receipt.ts';
import type { HistoryEntry } from '../domain/verification/history.ts';
import { questionFingerprint } from '../domain/verification/identity.ts';
import type { DetectOutcome } from '../domain/verification/outcomes.ts';
import type { Order } from '../domain/verification/request.ts';
import type { NotifyJob } from '../redis/notify-queue.ts';
import { decisionReason, type JournalRecord } from '../redis/record.ts';
import type { AttemptTools } from './attempt-tools.ts';
import type { Lease } from './lease.ts';
import { CallWithheld } from './payment.ts';
import { concerning } from './stages/index.ts';

interface Adoption {
  readonly lease: Lease;
  /** The notification of the decision; undefined if no endpoint is to be notified. */
  readonly notify: NotifyJob | undefined;
  /** Aborts the search for a receipt. */
  readonly signal: AbortSignal;
}

/**
 * Looks for a paid decision that is missing from Redis. Redis may have lost all data or, in a failover, the last second of
 * writes. If the frame of the decision is still stored, the decision is read from the receipt next to the frame. The search takes
 * place even if a paid call is open or has an unknown outcome.
 *
 * @returns the decision; null if no valid receipt was found.
 * @throws CallWithheld if this attempt lost its job or the verification was cancelled or ended; a Failure if the bucket does not
 * answer.
 */
export async function adoptReceipt(
  record: JournalRecord,
  {
    costs,
    edges,
    journal,
    log,
    outbox,
    reuse,
  }: Pick<AttemptTools, 'costs' | 'edges' | 'journal' | 'log' | 'outbox' | 'reuse'>,
  { lease, notify, signal }: Adoption,
): Promise<DetectOutcome | null> {
  const { id, tenant, order, outcomes, generation, threshold } = record;
  // A session with a token asks for its result instead, which is free.
  if (order === null || outcomes.detect !== undefined || outcomes.start !== undefined) return null;
  const evidence = order.frame.to === 'cos' ? { dependency: COS_GET } : {};
  const found = await concerning(evidence, () => edges.sink.receipt({ id, tenant, target: order.frame }, signal));
  if (found === null || !proofMatches(found.receipt.proof, proofOf(record, order, found.receipt, reuse.namespace)))
    return null;
  const { similarity, result, requestId, decidedAt, paid: billed } = found.receipt;
  const decision = decideAgain(found.receipt, threshold);
  const decided = { decision, similarity, result, requestId, billed, bestFrame: null, stored: found.stored };
  const entry: HistoryEntry = {
    at: Date.now(),
    event: 'adopted',
    stage: 'detect',
    code: result,
    ...(requestId === null ? {} : { requestId }),
    ...(billed ? { billed } : {}),
  };
  const charge = chargeOf(costs, order.action, decidedAt);
  const adopted = { generation, decided, decidedAt, reason: decisionReason(decided), charge, entry, notify };
  const answer = await lease.guard(journal.adopt(adopted));
  if (answer === 'refused') return null;
  if (answer !== 'ok') throw new CallWithheld({ why: answer });
  log.decided(decided);
  await lease.guard(outbox.deliverNotification(notify));
  return decided;
}

/**
 * Computes a receipt's proof. The proof covers only what the vendor is asked. Requests that differ only in other fields have the
 * same proof.
 */
export function proofOf(
  record: JournalRecord,
  order: Order,
  decided: Parameters<typeof computeReceiptProof>[2],
  namespace: string,
): string {
  return computeReceiptProof(namespace, { ...record, fingerprint: questionFingerprint(order) }, decided);
}
