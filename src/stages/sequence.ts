/**
 * A light sequence for a phone, on the same way as a verification's resources: upload → preflight → call → download, each
 * with its MD5 checked. No stage of a verification; like one, it knows neither Redis nor who runs it.
 */
import { createHash } from 'node:crypto';
import { SEQUENCE, SEQUENCE_CALL } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { Turn } from '../domain/ports.ts';
import type { LightSequence, SequenceOrder } from '../domain/sequences.ts';
import type { Edges } from './context.ts';
import { comparesEqual, refuseForeignRegion } from './md5.ts';

export interface SequenceContext {
  readonly edges: Pick<Edges, 'bucket' | 'faceId' | 'links'>;
  /** Ends it, wherever it is. */
  readonly signal: AbortSignal;
  /** Where the device data goes in the own bucket. */
  readonly key: string;
  /** Life of the links that are signed: what comes later than this must find them dead. */
  readonly linkMs: number;
  /** The device data lies there, whole. */
  onStored(): void;
  uploadUrlTurn(): Promise<Turn>;
  /** The call's own. */
  turn(): Promise<Turn>;
}

export async function sequence(order: SequenceOrder, context: SequenceContext): Promise<LightSequence> {
  const { edges, signal, turn } = context;
  const link = await uploaded(order, context);
  context.onStored();
  const expected = { name: SEQUENCE.resource, link, bytes: order.deviceData.byteLength, md5: order.md5 };
  refuseForeignRegion(expected, order.region);
  await comparesEqual(expected, context);
  const input = { link, md5: order.md5, securityLevel: order.securityLevel };
  const { url, md5, requestId } = await edges.faceId.generateSequence(order.region, input, turn, signal);
  return { bytes: await downloaded(url, md5, requestId, context), md5, requestId };
}

/** @returns the link by which Tencent will fetch it. */
async function uploaded({ region, upload, deviceData, md5 }: SequenceOrder, context: SequenceContext): Promise<string> {
  const { edges, signal, key, linkMs, uploadUrlTurn } = context;
  const head = { sizeBytes: deviceData.byteLength, md5, contentType: SEQUENCE.contentType };
  async function* bytes() {
    yield deviceData;
  }
  if (upload === 'create-upload-url') {
    const pair = await edges.faceId.createUploadUrl(SEQUENCE_CALL, region, uploadUrlTurn, signal);
    await edges.links.put(pair.putLink, bytes, head, signal);
    return pair.getLink;
  }
  const bucket = edges.bucket(region);
  await edges.links.put(await bucket.signPut(key, linkMs), bytes, head, signal);
  return bucket.signGet({ bucket: bucket.name, region, key }, linkMs);
}

async function downloaded(url: string, md5: string, requestId: string, context: SequenceContext): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const piece of await context.edges.links.get(url, context.signal)) {
      size += piece.byteLength;
      if (size > SEQUENCE.maxSequenceBytes) throw damaged(requestId, 'it is larger than any sequence');
      pieces.push(piece);
    }
  } catch (error) {
    throw error instanceof Failure && GONE.has(error.code) ? missing(requestId, error) : error;
  }
  const bytes = Buffer.concat(pieces);
  if (createHash('md5').update(bytes).digest('hex') !== md5) throw damaged(requestId, 'its MD5 is another one');
  return bytes;
}

/** What the download of a frame is told where its link leads to nothing. */
const GONE: ReadonlySet<string> = new Set([CODES.FRAME_MISSING, CODES.FRAME_EXPIRED]);

function missing(requestId: string, cause: Failure): Failure {
  const facts = {
    service: 'cos',
    channel: 'local',
    code: CODES.SEQUENCE_MISSING,
    sent: 'answered',
    requestId,
  } as const;
  return new Failure(facts, 'the link to the light sequence leads to nothing', { cause });
}

function damaged(requestId: string, why: string): Failure {
  const facts = {
    service: 'cos',
    channel: 'local',
    code: CODES.SEQUENCE_DAMAGED,
    sent: 'answered',
    requestId,
  } as const;
  return new Failure(facts, `the light sequence is not what Tencent made: ${why}`);
}
