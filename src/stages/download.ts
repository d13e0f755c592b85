/**
 * download: BestFrame to where the caller wants it, within its two hours, MD5 checked, under one name for every attempt,
 * with a receipt of the decision beside it.
 */
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { DownloadOutcome } from '../domain/outcomes.ts';
import type { StageContext, StageInput } from './context.ts';

export async function download(input: StageInput, context: StageContext): Promise<DownloadOutcome> {
  const { detect } = input.outcomes;
  if (detect?.stored !== undefined) return { frame: 'stored', stored: detect.stored };
  const frame = detect?.bestFrame ?? null;
  if (detect === undefined || frame === null || input.order.frame.to === 'none') return { frame: 'none', stored: null };
  if (frame.expiresAt <= context.now()) {
    const message = 'the BestFrame link has expired: the picture is gone at the vendor';
    throw new Failure({ service: 'bestframe', channel: 'local', code: CODES.FRAME_EXPIRED, sent: 'no' }, message);
  }
  const { decision, similarity, result, requestId, billed: paid } = detect;
  const proof = context.proofOf(detect);
  const receipt = { id: input.id, decision, similarity, result, requestId, decidedAt: context.now(), proof, paid };
  const bytes = await context.edges.links.get(frame.url, context.signal);
  const stored = await context.edges.sink.store(input.id, input.order.frame, bytes, frame.md5, receipt, context.signal);
  return { frame: 'stored', stored };
}
