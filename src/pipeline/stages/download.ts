/**
 * download: stores the BestFrame in the caller's target and checks its MD5, within the two hours for which the link is valid.
 * Every attempt stores the frame under the same name. A receipt of the decision is stored next to the frame.
 */

import { localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { COS_GET } from '../../domain/operations/breakers.ts';
import { type DownloadOutcome, frameWithoutDownload } from '../../domain/verification/outcomes.ts';
import type { StageContext, StageInput } from './context.ts';
import { concerning, streamConcerning } from './evidence.ts';
import { storeHeldFrame } from './held-frame.ts';
import { downloadMedia } from './media.ts';
import { storeFile } from './store-file.ts';

/** Whether there is a frame to download: the vendor returned one, the caller wants it, and it is not stored yet. */
export function hasFrameToFetch({ order, outcomes: { detect } }: StageInput): boolean {
  const has = detect?.bestFrame != null || detect?.media !== undefined || detect?.frameHeld === true;
  return has && detect.stored === undefined && order.frame.to !== 'none';
}

export async function download(input: StageInput, context: StageContext): Promise<DownloadOutcome> {
  const { detect } = input.outcomes;
  if (detect?.stored !== undefined) return { frame: 'stored', stored: detect.stored };
  const frame = detect?.bestFrame ?? null;
  if (detect === undefined || input.order.frame.to === 'none') return { frame: 'none', stored: null };
  if (detect.frameHeld) return storeHeldFrame(input, context, detect);
  if (detect.media !== undefined) return downloadMedia(input, context, detect);
  if (frame === null) return { frame: frameWithoutDownload(detect), stored: null };
  if (frame.expiresAt <= context.now()) {
    const message = 'the BestFrame link has expired: the vendor no longer has the picture';
    throw localFailure(CODES.FRAME_EXPIRED, message);
  }
  // The vendor made the link. So if the link cannot be read, this is evidence about COS, and not about the account.
  const bytes = streamConcerning(
    { dependency: COS_GET },
    await concerning({ dependency: COS_GET }, () => context.edges.links.get(frame.url, context.signal)),
  );
  const { md5 } = frame;
  const stored = await storeFile(input, context, { target: input.order.frame, bytes, md5, decided: detect });
  return { frame: 'stored', stored };
}
