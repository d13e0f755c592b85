/** What the paid call of an attempt depends on, from the attempt's tools and record. */
import { chargeOf } from '../domain/operations/costs.ts';
import { OPINION_CALL } from '../domain/verification/actions.ts';
import { isFlow } from '../domain/verification/flows.ts';
import { maxPaymentsWithoutReview } from '../domain/verification/policy.ts';
import type { JournalRecord } from '../redis/record.ts';
import type { AttemptTools } from './attempt-tools.ts';
import type { Lease } from './lease.ts';
import { packageDigest } from './package-digest.ts';
import type { Payment } from './payment.ts';

export function paymentOf(
  { journal, breakers, gate, policy, costs, log, reuse }: AttemptTools,
  lease: Lease,
  record: JournalRecord,
  more: Pick<Payment, 'mayProbe' | 'notify' | 'preflightEntry' | 'signal'>,
): Payment {
  const { id, region, action, lane, generation, threshold, outcomes } = record;
  return {
    ...more,
    ...{ journal, breakers, lease, gate, id, region, action, generation, threshold },
    onGateOpened: () => log.gate('opened', null),
    onOutcomeWaits: () => log.outcomeWaits(),
    onReplyShape: (fields, requestId) => log.replyShape(fields, requestId),
    onBudget: (event, budget) => log.budget(event, budget),
    onBilled: (billed, charge) => log.billed(action, billed, charge),
    charge: () => chargeOf(costs, action, Date.now()),
    callMs: policy.callMs[lane],
    maxPayments: maxPaymentsWithoutReview(policy, lane),
    package: packageDigest(record, reuse),
    preflight: isFlow(action) ? null : (outcomes.md5 ?? { checkedAt: 0 }),
  };
}

/** What the call for the second opinion depends on. A second opinion says nothing about the liveness package. */
export function opinionPaymentOf(...args: Parameters<typeof paymentOf>): Payment {
  const payment = paymentOf(...args);
  const [{ costs, log }] = args;
  return {
    ...payment,
    action: OPINION_CALL,
    onBilled: (billed, charge) => log.billed(OPINION_CALL, billed, charge),
    charge: () => chargeOf(costs, OPINION_CALL, Date.now()),
    package: { ...payment.package, refuseReuse: false },
    preflight: null,
    notify: undefined,
  };
}
