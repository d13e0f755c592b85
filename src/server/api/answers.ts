/**
 * Maps domain objects to answers.
 *
 * What must hold: no answer contains a link, path or source.
 */
import type { z } from 'zod';
import type { ErasureReceipt } from '../../domain/operations/erasure.ts';
import type { SessionView, VerificationView, ViewReason } from '../../domain/verification/view.ts';
import type { historyEntry, receipt, verification } from './schemas.ts';

/** Names each field: a spread of so many fields takes ten times as long. */
export function verificationAnswer(view: VerificationView): z.infer<typeof verification> {
  const { bestFrame, reason, session, secondOpinion } = view;
  return {
    id: view.id,
    key: view.key,
    tenant: view.tenant,
    mode: view.mode,
    action: view.action,
    region: view.region,
    upload: view.upload,
    lane: view.lane,
    state: view.state,
    next: view.next,
    decision: view.decision,
    similarity: view.similarity,
    similarityThreshold: view.similarityThreshold,
    reason: reason === null ? null : reasonAnswer(reason),
    retake: view.retake,
    pausedBy: view.pausedBy,
    retryAfter: view.retryAfter,
    frame: view.frame,
    bestFrame: bestFrame === null ? null : { bytes: bestFrame.bytes, md5: bestFrame.md5 },
    paidCalls: view.paidCalls,
    possiblyPaidCalls: view.possiblyPaidCalls,
    cost: view.cost,
    requestIds: [...view.requestIds],
    stage: view.stage,
    stages: [...view.stages],
    session: session === null ? null : sessionAnswer(session),
    secondOpinion: secondOpinion === null ? null : { ...secondOpinion, attacks: [...secondOpinion.attacks] },
    createdAt: view.createdAt,
    deadline: view.deadline,
    decidedAt: view.decidedAt,
    decidedBy: view.decidedBy,
    heldUntil: view.heldUntil,
    lateAnswer: view.lateAnswer,
    endedAt: view.endedAt,
    evidence: view.evidence,
    retries: view.retries,
    webhook: view.webhook,
    metadata: view.metadata,
    subject: view.subject,
    purpose: view.purpose,
    consent: view.consent,
    legalHold: view.legalHold,
    traceId: view.traceId,
  };
}

function reasonAnswer(reason: ViewReason): z.infer<typeof verification>['reason'] {
  return {
    ...{ stage: null, field: null, requestId: null, answeredAt: null, dependency: null },
    ...{ personAdvice: null, similarity: null, threshold: null },
    ...reason,
    waitedFor: reason.waitedFor === undefined ? null : { dependency: null, ...reason.waitedFor },
  };
}

function sessionAnswer(session: SessionView): z.infer<typeof verification>['session'] {
  return {
    ...session,
    livenessTags: [...session.livenessTags],
    wanted: [...session.wanted],
    media: session.media.map(({ name, bytes, md5, type }) => ({ name, bytes, md5, type })),
  };
}

/**
 * Leaves out the parameters that were sent to the vendor (hosts, sizes), and undocumented fields. `bestframe support` shows both.
 */
export function historyAnswer({ history }: VerificationView): z.infer<typeof historyEntry>[] {
  return history.map(
    ({ at, event, stage, code, requestId, billed, possiblyBilled, cost: price, ms, by, why: given }) => ({
      at: new Date(at).toISOString(),
      event,
      stage: stage ?? null,
      code: code ?? null,
      requestId: requestId ?? null,
      billed: billed ?? false,
      possiblyBilled: possiblyBilled ?? false,
      cost: price ?? null,
      ms: ms ?? null,
      by: by ?? null,
      why: given ?? null,
    }),
  );
}

export function receiptAnswer({ notConfirmed, data, ...rest }: ErasureReceipt): z.infer<typeof receipt> {
  return { ...rest, notConfirmed: [...notConfirmed], data: [...data] };
}
