/**
 * Maps domain objects to answers.
 *
 * What must hold: no answer contains a link, path or source.
 */
import type { z } from 'zod';
import type { ErasureReceipt } from '../../domain/operations/erasure.ts';
import type { VerificationView } from '../../domain/verification/view.ts';
import type { historyEntry, receipt, verification } from './schemas.ts';

export function verificationAnswer(view: VerificationView): z.infer<typeof verification> {
  const {
    history: _history,
    bestFrame,
    reason: viewReason,
    stages,
    requestIds,
    session,
    secondOpinion,
    ...rest
  } = view;
  return {
    ...rest,
    requestIds: [...requestIds],
    stages: [...stages],
    secondOpinion: secondOpinion === null ? null : { ...secondOpinion, attacks: [...secondOpinion.attacks] },
    session:
      session === null
        ? null
        : {
            ...session,
            livenessTags: [...session.livenessTags],
            wanted: [...session.wanted],
            media: session.media.map(({ name, bytes, md5, type }) => ({ name, bytes, md5, type })),
          },
    bestFrame: bestFrame === null ? null : { bytes: bestFrame.bytes, md5: bestFrame.md5 },
    reason:
      viewReason === null
        ? null
        : {
            ...{ stage: null, field: null, requestId: null, answeredAt: null, dependency: null },
            ...{ personAdvice: null, similarity: null, threshold: null },
            ...viewReason,
            waitedFor: viewReason.waitedFor === undefined ? null : { dependency: null, ...viewReason.waitedFor },
          },
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
