/**
 * Stores a frame that is part of the answer to the paid call. The frame exists nowhere else: not at Tencent, and not in Redis, which
 * holds no picture.
 */
import { Failure } from '../../domain/errors/failure.ts';
import { COS_PUT } from '../../domain/operations/breakers.ts';
import type { AnsweredFrame } from '../../domain/ports.ts';
import type { DetectOutcome, DownloadOutcome, StoredFrame } from '../../domain/verification/outcomes.ts';
import { sleep } from '../sleep.ts';
import type { StageContext, StageInput } from './context.ts';
import { concerning } from './evidence.ts';
import { receiptOf } from './receipt.ts';

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
      return { frame: 'stored', stored: await storeFrame(input, context, { decided, frame, signal }) };
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

export function storeFrame(
  input: StageInput,
  context: StageContext,
  { decided, frame, signal }: { decided: DetectOutcome; frame: AnsweredFrame; signal: AbortSignal },
): Promise<StoredFrame> {
  const { id, tenant, order } = input;
  const target = order.frame;
  const receipt = receiptOf(input, context, decided);
  const write = () =>
    context.edges.sink.store({ id, tenant, target, frame: once(frame.bytes), md5: frame.md5, receipt }, signal);
  return target.to === 'cos' ? concerning({ about: 'caller', dependency: COS_PUT }, write) : write();
}

/** A file that is in memory, as a stream. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
