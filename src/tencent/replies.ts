/** The vendor's normal answers, parsed at the border. Names are the vendor's. */
import { z } from 'zod';
import type { DetectAnswer, SequenceLink, UploadLink } from '../domain/ports.ts';

/** BestFrame and its link live this long after the answer (Tencent's documentation). */
const FRAME_LIFE_MS = 2 * 3_600_000;

const text = z.string().nullish();

const detectReply = z.object({
  Result: z.string().min(1),
  Description: text,
  Sim: z.number().nullish(),
  BestFrameUrl: text,
  BestFrameMd5: text,
  RequestId: z.string(),
});

const uploadUrlReply = z.object({
  UploadUrl: z.string().startsWith('https://'),
  ResourceUrl: z.string().startsWith('https://'),
  ExpiredTimestamp: z.number().int().positive(),
  RequestId: z.string(),
});

const sequenceReply = z.object({
  ReflectSequenceUrl: z.string().startsWith('https://'),
  ReflectSequenceMd5: z.string().regex(/^[0-9a-f]{32}$/i),
  RequestId: z.string(),
});

/** @returns null where the reply is none. */
export function parseDetectReply(reply: unknown, now: number): DetectAnswer | null {
  const parsed = detectReply.safeParse(reply);
  if (!parsed.success) return null;
  const { Result, Description, Sim, BestFrameUrl, BestFrameMd5, RequestId } = parsed.data;
  const md5 = /^[0-9a-f]{32}$/i.test(BestFrameMd5 ?? '') ? (BestFrameMd5 ?? '').toLowerCase() : null;
  const url = BestFrameUrl ?? '';
  return {
    result: Result,
    description: Description ?? '',
    similarity: Sim ?? null,
    requestId: RequestId,
    bestFrame: url === '' ? null : { url, md5, expiresAt: now + FRAME_LIFE_MS },
  };
}

/** @returns null where the reply is none. */
export function parseUploadUrlReply(reply: unknown): UploadLink | null {
  const parsed = uploadUrlReply.safeParse(reply);
  if (!parsed.success) return null;
  const { UploadUrl, ResourceUrl, ExpiredTimestamp, RequestId } = parsed.data;
  return { putLink: UploadUrl, getLink: ResourceUrl, expiresAt: ExpiredTimestamp * 1000, requestId: RequestId };
}

/** @returns null where the reply is none: a sequence whose MD5 is not known cannot be checked. */
export function parseSequenceReply(reply: unknown): SequenceLink | null {
  const parsed = sequenceReply.safeParse(reply);
  if (!parsed.success) return null;
  const { ReflectSequenceUrl, ReflectSequenceMd5, RequestId } = parsed.data;
  return { url: ReflectSequenceUrl, md5: ReflectSequenceMd5.toLowerCase(), requestId: RequestId };
}
