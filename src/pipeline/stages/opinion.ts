/**
 * opinion: asks DetectAIFakeFaces about BestFrame, in a paid call of its own. BestFrame is the picture that Tencent judged live, it
 * exists for every action, and it lies where `download` has stored it. So an attempt that asks again needs no source.
 */
import { createHash } from 'node:crypto';
import { Failure, inputFailure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { COS_GET, faceIdDependency } from '../../domain/operations/breakers.ts';
import type { OpenFrame } from '../../domain/ports.ts';
import { OPINION, OPINION_CALL } from '../../domain/verification/actions.ts';
import { encodeBody } from '../../domain/verification/call-body.ts';
import type { OpinionOutcome, StoredFrame } from '../../domain/verification/outcomes.ts';
import type { StageContext, StageInput } from './context.ts';
import { concerning, streamConcerning } from './evidence.ts';
import { once } from './store-file.ts';

export async function opinion(input: StageInput, context: StageContext): Promise<OpinionOutcome> {
  const { order, outcomes } = input;
  const { edges } = context;
  const stored = outcomes.download?.stored ?? null;
  if (stored === null) throw noFrame('the verification has no stored frame to ask about');
  if (stored.bytes > OPINION.maxBytes) {
    const message = `the frame is too large for ${OPINION_CALL}: ${stored.bytes} bytes, and it takes ${OPINION.maxBytes}`;
    throw inputFailure(CODES.SOURCE_TOO_LARGE, 'secondOpinion', message);
  }
  const frame = (await openStored(stored, context)) ?? (await fetchAgain(stored, input, context));
  try {
    const body = await encodeBody({
      parameters: { [OPINION.typeParameter]: OPINION.picture },
      files: { [OPINION.parameter]: () => frame.bytes(0, stored.bytes - 1) },
    });
    const faceId = { about: 'deployment', dependency: faceIdDependency(OPINION_CALL) } as const;
    return await context.payOpinion(
      async () => body,
      (turn, signal) => concerning(faceId, () => edges.faceId.secondOpinion(order.region, turn, signal)),
    );
  } finally {
    await frame.close();
  }
}

/** @returns null if the frame is not here: another machine stored it in a folder of its own. */
async function openStored(stored: StoredFrame, { edges, signal }: StageContext): Promise<OpenFrame | null> {
  try {
    return await edges.sink.open(stored, signal);
  } catch (error) {
    if (error instanceof Failure && error.code === CODES.FRAME_ELSEWHERE) return null;
    throw error;
  }
}

/** Reads the frame by Tencent's link, while the link lives. The size of a frame is limited, so it is held in memory. */
async function fetchAgain(
  stored: StoredFrame,
  { outcomes }: StageInput,
  { edges, now, signal }: StageContext,
): Promise<OpenFrame> {
  const link = outcomes.detect?.bestFrame ?? null;
  if (link === null || link.expiresAt <= now())
    throw noFrame('the stored frame is not here, or its bytes have changed');
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  const get = () => edges.links.get(link.url, signal);
  for await (const piece of streamConcerning({ dependency: COS_GET }, await concerning({ dependency: COS_GET }, get))) {
    sizeBytes += piece.byteLength;
    if (sizeBytes > stored.bytes) break;
    pieces.push(piece);
  }
  const bytes = Buffer.concat(pieces);
  if (createHash('md5').update(bytes).digest('hex') !== stored.md5)
    throw localFailure(CODES.FRAME_MD5_MISMATCH, 'the frame that was fetched again has another MD5');
  return { bytes: () => once(bytes), close: async () => undefined };
}

function noFrame(message: string) {
  return localFailure(CODES.FRAME_MISSING, message);
}
