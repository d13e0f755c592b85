/**
 * download: BestFrame to where the caller wants it, within its two hours, MD5 checked, under one name for every attempt.
 */
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { DownloadOutcome } from '../domain/outcomes.ts';
import type { StageContext, StageInput } from './context.ts';

export async function download(input: StageInput, context: StageContext): Promise<DownloadOutcome> {
  const frame = input.outcomes.detect?.bestFrame ?? null;
  if (frame === null || input.order.frame.to === 'none') return { frame: 'none', stored: null };
  if (frame.expiresAt <= context.now()) {
    const message = 'the BestFrame link has expired: the picture is gone at the vendor';
    throw new Failure({ service: 'bestframe', channel: 'local', code: CODES.FRAME_EXPIRED, sent: 'no' }, message);
  }
  const bytes = await context.edges.links.get(frame.url, context.signal);
  const stored = await context.edges.sink.store(input.id, input.order.frame, bytes, frame.md5, context.signal);
  return { frame: 'stored', stored };
}
