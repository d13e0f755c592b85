/**
 * Generates a light sequence for a phone: upload → preflight → call → download, with an MD5 check at each step. It is not a stage
 * of a verification. But like a stage, it does not depend on Redis or its caller.
 */
import { createHash } from 'node:crypto';
import { Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { Turn } from '../../domain/ports.ts';
import { SEQUENCE, SEQUENCE_CALL } from '../../domain/verification/actions.ts';
import type { LightSequence, SequenceOrder } from '../../domain/verification/light-sequence.ts';
import type { Edges } from './context.ts';
import { concerning } from './evidence.ts';
import { checkObject, refuseForeignRegion } from './md5.ts';

export interface SequenceContext {
  readonly edges: Pick<Edges, 'bucket' | 'faceId' | 'links'>;
  /** Aborts the work at any step. */
  readonly signal: AbortSignal;
  /** Object key of the device data in the company's own bucket. */
  readonly key: string;
  /**
   * Life of the links that are signed here, ms. It is short, because the scheduled deletion of the device data runs only after
   * the last link has expired.
   */
  readonly linkMs: number;
  /** Called once the device data is uploaded completely. */
  onStored(): void;
  /** Waits for the rate-limit slot of CreateUploadUrl. */
  uploadUrlTurn(): Promise<Turn>;
  /** Waits for the rate-limit slot of GenerateReflectSequence. */
  turn(): Promise<Turn>;
}

interface SequenceLink {
  readonly url: string;
  readonly md5: string;
  readonly requestId: string;
}

export async function sequence(order: SequenceOrder, context: SequenceContext): Promise<LightSequence> {
  const { edges, signal, turn } = context;
  const link = await uploadDeviceData(order, context);
  context.onStored();
  const expected = { name: SEQUENCE.resource, link, bytes: order.deviceData.byteLength, md5: order.md5 };
  refuseForeignRegion(expected, order.region);
  await concerning({ about: 'deployment' }, () => checkObject(expected, context));
  const input = { link, md5: order.md5, securityLevel: order.securityLevel };
  const { url, md5, requestId } = await concerning({ about: 'deployment' }, () =>
    edges.faceId.generateSequence(order.region, input, turn, signal),
  );
  return { bytes: await downloadSequence({ url, md5, requestId }, context), md5, requestId };
}

/** @returns the link by which Tencent fetches the device data. */
async function uploadDeviceData(
  { region, upload, deviceData, md5 }: SequenceOrder,
  context: SequenceContext,
): Promise<string> {
  const { edges, signal, key, linkMs, uploadUrlTurn } = context;
  const head = { sizeBytes: deviceData.byteLength, md5, contentType: SEQUENCE.contentType };
  async function* bytes() {
    yield deviceData;
  }
  if (upload === 'create-upload-url') {
    const pair = await concerning({ about: 'deployment' }, () =>
      edges.faceId.createUploadUrl(SEQUENCE_CALL, region, uploadUrlTurn, signal),
    );
    await concerning({ about: 'deployment' }, () => edges.links.put(pair.putLink, bytes, head, signal));
    return pair.getLink;
  }
  const bucket = edges.bucket(region);
  const link = await bucket.signPut(key, linkMs);
  await concerning({ about: 'deployment' }, () => edges.links.put(link, bytes, head, signal));
  return bucket.signGet({ bucket: bucket.name, region, key }, linkMs);
}

async function downloadSequence({ url, md5, requestId }: SequenceLink, context: SequenceContext): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const piece of await context.edges.links.get(url, context.signal)) {
      size += piece.byteLength;
      if (size > SEQUENCE.maxSequenceBytes) throw sequenceDamaged(requestId, 'it is too large');
      pieces.push(piece);
    }
  } catch (error) {
    throw error instanceof Failure && DEAD_LINK_CODES.has(error.code) ? sequenceMissing(requestId, error) : error;
  }
  const bytes = Buffer.concat(pieces);
  if (createHash('md5').update(bytes).digest('hex') !== md5) throw sequenceDamaged(requestId, 'its MD5 differs');
  return bytes;
}

/**
 * Codes that `LinkIo.get` reports for a dead link. Their names mention a frame, because most links that `get` reads lead to one.
 */
const DEAD_LINK_CODES: ReadonlySet<string> = new Set([CODES.FRAME_MISSING, CODES.FRAME_EXPIRED]);

function sequenceMissing(requestId: string, cause: Failure): Failure {
  return localFailure(CODES.SEQUENCE_MISSING, 'the link to the light sequence is dead: ask for a new sequence', {
    service: 'cos',
    sent: 'answered',
    requestId,
    cause,
  });
}

function sequenceDamaged(requestId: string, problem: string): Failure {
  return localFailure(
    CODES.SEQUENCE_DAMAGED,
    `the downloaded light sequence is not the one that Tencent generated: ${problem}`,
    {
      service: 'cos',
      sent: 'answered',
      requestId,
    },
  );
}
