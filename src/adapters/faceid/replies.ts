/** Parses the vendor's normal answers. Field names and shapes are the vendor's: `domain/verification/vendor-calls.ts`. */
import { createHash } from 'node:crypto';
import type { DetectAnswer, OpinionAnswer, SequenceLink, UploadLink } from '../../domain/ports.ts';
import type { CheckName } from '../../domain/verification/actions.ts';
import { type BestFrameLink, RISK_LEVELS } from '../../domain/verification/outcomes.ts';
import { type CheckedReply, checkReply } from '../../domain/verification/reply-shape.ts';
import { VENDOR_CALLS } from '../../domain/verification/vendor-calls.ts';

/** According to Tencent's documentation, BestFrame and its link exist for this long after the answer. */
const FRAME_LIFE_MS = 2 * 3_600_000;

/** @returns null if the reply lacks a required field. */
export function parseDetectReply(action: CheckName, reply: unknown, now: number): DetectAnswer | null {
  const checked = checkReply(action, reply);
  if (!checked.usable) return null;
  const { trouble, frameReadable } = checked;
  return {
    result: checked.text('Result') ?? '',
    description: checked.text('Description') ?? '',
    similarity: checked.number('Sim'),
    requestId: checked.text('RequestId'),
    bestFrame: frameReadable ? frameLink(action, checked, now) : null,
    ...answeredFrame(action, checked),
    ...(trouble === null ? {} : { shapeTrouble: { ...trouble, hidesFrame: !frameReadable } }),
  };
}

function frameLink(action: CheckName, checked: CheckedReply, now: number): BestFrameLink | null {
  const { frame } = VENDOR_CALLS[action];
  if ('base64' in frame) return null;
  const { link, md5 } = frame;
  const url = checked.text(link);
  return url === null ? null : { url, md5: checked.text(md5)?.toLowerCase() ?? null, expiresAt: now + FRAME_LIFE_MS };
}

/** The frame of an answer that contains it. The vendor gives no MD5 of it. */
function answeredFrame(action: CheckName, checked: CheckedReply): Pick<DetectAnswer, 'frame'> {
  const { frame } = VENDOR_CALLS[action];
  const text = 'base64' in frame ? checked.text(frame.base64) : null;
  if (text === null) return {};
  const bytes = Buffer.from(text, 'base64');
  return { frame: { bytes, md5: createHash('md5').update(bytes).digest('hex') } };
}

/** @returns null if the reply has no risk level, or one that is not documented. */
export function parseOpinionReply(reply: unknown): OpinionAnswer | null {
  const { trouble, text, texts } = checkReply('DetectAIFakeFaces', reply);
  const level = RISK_LEVELS.find((each) => each === text('AttackRiskLevel'));
  if (level === undefined) return null;
  return {
    level,
    attacks: texts('AttackRiskDetailList', 'Type'),
    requestId: text('RequestId'),
    ...(trouble === null ? {} : { shapeTrouble: trouble }),
  };
}

/** @returns null if the reply lacks a required field. */
export function parseUploadUrlReply(reply: unknown): UploadLink | null {
  const { usable, text, number } = checkReply('CreateUploadUrl', reply);
  if (!usable) return null;
  return {
    putLink: text('UploadUrl') ?? '',
    getLink: text('ResourceUrl') ?? '',
    expiresAt: (number('ExpiredTimestamp') ?? 0) * 1000,
    requestId: text('RequestId') ?? '',
  };
}

/** @returns null if the reply lacks a required field. The MD5 is required because a sequence without it cannot be checked. */
export function parseSequenceReply(reply: unknown): SequenceLink | null {
  const { usable, text } = checkReply('GenerateReflectSequence', reply);
  if (!usable) return null;
  return {
    url: text('ReflectSequenceUrl') ?? '',
    md5: (text('ReflectSequenceMd5') ?? '').toLowerCase(),
    requestId: text('RequestId') ?? '',
  };
}
