/**
 * Stores a frame that is part of the answer to the paid call. The frame exists nowhere else: not at Tencent, and not in Redis, which
 * holds no picture.
 */
import { Failure } from '../../domain/errors/failure.ts';
import type { AnsweredFrame } from '../../domain/ports.ts';
import type { DetectOutcome, DownloadOutcome, StoredFrame } from '../../domain/verification/outcomes.ts';
import { sleep } from '../sleep.ts';
import type { StageContext, StageInput } from './context.ts';
import { once, storeFile } from './store-file.ts';

/** Pauses between two tries to store the frame, ms. The pause doubles with each try. */
const PAUSE_MS = { first: 250, most: 5_000 };

/** Tries to store the frame until the time limit of the stage. No later attempt has it, so this one does not give up early. */
export async function storeHeldFrame(
  input: StageInput,
  context: StageContext,
  decided: DetectOutcome,
): Promise<DownloadOutcome> {
  const frame = context.heldFrame;
  if (frame === null) return { frame: 'lost', stored: null };
  const { signal } = context;
  for (let pauseMs = PAUSE_MS.first; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MS.most)) {
    try {
      return { frame: 'stored', stored: await storeFrame(input, context, { decided, frame }) };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const isOver =
        signal.aborted ||
        (await sleep(pauseMs, signal).then(
          () => false,
          () => true,
        ));
      if (isOver) throw error;
    }
  }
}

/** @param signal ends the storing. Default: that of the stage */
export function storeFrame(
  input: StageInput,
  context: StageContext,
  { decided, frame, signal }: { decided: DetectOutcome; frame: AnsweredFrame; signal?: AbortSignal },
): Promise<StoredFrame> {
  const { bytes, md5 } = frame;
  return storeFile(input, context, { target: input.order.frame, bytes: once(bytes), md5, decided }, signal);
}
