/** Stores a file at the place of the frame or beside it, with a receipt of the decision. */
import { COS_PUT } from '../../domain/operations/breakers.ts';
import type { DetectOutcome, StoredFrame } from '../../domain/verification/outcomes.ts';
import type { FrameTarget } from '../../domain/verification/request.ts';
import type { StageContext, StageInput } from './context.ts';
import { concerning } from './evidence.ts';
import { receiptOf } from './receipt.ts';

interface FileToStore {
  readonly target: FrameTarget;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Null: the vendor gives none. */
  readonly md5: string | null;
  readonly decided: DetectOutcome;
}

/** @param signal default: that of the stage */
export function storeFile(
  input: StageInput,
  context: StageContext,
  { target, bytes, md5, decided }: FileToStore,
  signal: AbortSignal = context.signal,
): Promise<StoredFrame> {
  const { id, tenant } = input;
  const receipt = receiptOf(input, context, decided);
  const store = () => context.edges.sink.store({ id, tenant, target, frame: bytes, md5, receipt }, signal);
  // The caller chose the object's key, so a policy that refuses the key is no evidence about the account.
  return target.to === 'cos' ? concerning({ about: 'caller', dependency: COS_PUT }, store) : store();
}

/** A file that is in memory, as a stream. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
