/**
 * download of a session: moves the wanted media to the place of the frame, and checks their MD5s. Tencent's links to them live for
 * ten minutes, so an attempt that does not hold a fresh result asks for one first.
 */

import { Failure } from '../../domain/errors/failure.ts';
import { COS_GET } from '../../domain/operations/breakers.ts';
import type { MediaName } from '../../domain/verification/flows.ts';
import { mediumTarget } from '../../domain/verification/media.ts';
import type { DetectOutcome, DownloadOutcome, StoredFrame, StoredMedium } from '../../domain/verification/outcomes.ts';
import type { ResultMedium } from '../../domain/verification/session-result.ts';
import type { StageContext, StageInput } from './context.ts';
import { concerning, streamConcerning } from './evidence.ts';
import { once, storeFile } from './store-file.ts';

export async function downloadMedia(
  input: StageInput,
  context: StageContext,
  detect: DetectOutcome,
): Promise<DownloadOutcome> {
  const names = detect.media?.names ?? [];
  const found = names.length === 0 ? {} : await context.freshMedia();
  const media: StoredMedium[] = [];
  let frame: StoredFrame | null = null;
  for (const name of names) {
    const medium = found[name];
    if (medium === undefined) continue; // the vendor no longer has it
    try {
      const stored = await store(input, context, { name, medium, detect });
      if (name === 'bestFrame') frame = stored;
      else media.push({ name, ...stored });
    } catch (error) {
      if (name === 'bestFrame' || !context.mayLeaveMedia || !(error instanceof Failure) || error.sent === 'no')
        throw error;
    }
  }
  const isFrameWanted = names.includes('bestFrame');
  return { frame: frame !== null ? 'stored' : isFrameWanted ? 'lost' : 'none', stored: frame, media };
}

async function store(
  input: StageInput,
  context: StageContext,
  { name, medium, detect }: { name: MediaName; medium: ResultMedium; detect: DetectOutcome },
): Promise<StoredFrame> {
  const target = mediumTarget(input.id, input.order.frame, name);
  const [bytes, md5] = 'bytes' in medium ? [once(medium.bytes), null] : [await read(medium.url, context), medium.md5];
  return storeFile(input, context, { target, bytes, md5, decided: detect });
}

async function read(url: string, { edges, signal }: StageContext): Promise<AsyncIterable<Uint8Array>> {
  const evidence = { dependency: COS_GET };
  return streamConcerning(evidence, await concerning(evidence, () => edges.links.get(url, signal)));
}
