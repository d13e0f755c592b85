/** The calls that take pictures and videos as Base64: CompareFaceLiveness and DetectAIFakeFaces. */
import { ApiFailure } from './api-failure.ts';
import { decodeBase64 } from './base64.ts';
import { type Card, readCard, resolveOutcome } from './cards.ts';
import type { Answer } from './exchange.ts';
import { answerFields, answerResult, type IsBilled } from './faceid-answers.ts';
import { checkPhoto, checkVideo, HEAD_BYTES, isValidateData } from './faceid-content.ts';
import type { Parameters } from './parameters.ts';
import { isWhole, readPicture } from './pictures.ts';
import { sampleImage } from './samples.ts';

const MEGABYTE = 1024 * 1024;
/** Limits after Base64 encoding. */
const MAX_IMAGE_BYTES = 3 * MEGABYTE;
const MAX_VIDEO_BYTES = 8 * MEGABYTE;
/** Tencent recommends 3 MB for images and 8 MB for videos. */
const MAX_FACE_BYTES = 10 * MEGABYTE;

export interface Base64Request {
  readonly requestId: string;
  readonly parameters: Parameters;
  readonly isBilled: IsBilled;
  sleep(ms: number): Promise<void>;
}

export async function compareFaceLiveness({ requestId, parameters, isBilled, sleep }: Base64Request): Promise<Answer> {
  const { LivenessType, ValidateData = '' } = parameters as Record<string, string>;
  if (LivenessType !== 'ACTION' && LivenessType !== 'SILENT') throw invalid('LivenessType');
  if (!isValidateData(LivenessType, ValidateData)) throw invalid('ValidateData');
  const image = decode(parameters, 'ImageBase64', MAX_IMAGE_BYTES);
  const video = decode(parameters, 'VideoBase64', MAX_VIDEO_BYTES);
  const card = await cardOf(video);
  const answer = { action: 'CompareFaceLiveness', requestId, objects: [], isBilled, bestFrame: null };
  const unusable = checkVideo(contentOf(video)) ?? checkPhoto(contentOf(image), 'CompareFaceLiveness');
  if (unusable !== null) return answerResult({ ...answer, outcome: unusable });
  await sleep(card.slowMs ?? 0);
  const outcome = resolveOutcome(card);
  const isSuccess = outcome.result === 'Success';
  if (!isSuccess && card.channel === 'error')
    throw new ApiFailure(outcome.result, outcome.description || outcome.result);
  return answerResult({
    ...answer,
    outcome,
    frameBase64: isSuccess ? sampleImage(undefined, card.frame).toString('base64') : null,
  });
}

/** What DetectAIFakeFaces finds, by test card. For any other card, it finds nothing. */
const ATTACKS: Readonly<Record<string, { readonly level: 'Mid' | 'High'; readonly types: readonly string[] }>> = {
  spoof: { level: 'High', types: ['SuspectedSynthesisVideo', 'SuspectedBlackIndustry'] },
  screenReplay: { level: 'High', types: ['SuspectedSpoofingAttack'] },
  notLive: { level: 'Mid', types: ['SuspectedeAnomalyAttack'] },
};
/** The codes for cards with which DetectAIFakeFaces cannot work. */
const FACE_FAULTS: Readonly<Record<string, { readonly code: string }>> = {
  noFace: { code: 'FailedOperation.IncompleteFace' },
  poorFace: { code: 'FailedOperation.CoveredFace' },
  blurred: { code: 'FailedOperation.PoorImageQuality' },
  poorPhoto: { code: 'FailedOperation.PoorImageQuality' },
  engineFault: { code: 'FailedOperation.DetectEngineSystemError' },
};

export async function detectAIFakeFaces({ requestId, parameters, isBilled, sleep }: Base64Request): Promise<Answer> {
  if (parameters.Encryption !== undefined || parameters.EncryptedBody !== undefined)
    throw new ApiFailure('UnsupportedOperation', 'The emulator does not decrypt requests: see docs/emulator.md.');
  const kind = parameters.FaceInputType;
  if (kind !== 1 && kind !== 2) throw new ApiFailure('InvalidParameter', 'The value of FaceInputType is not valid.');
  if (parameters.FaceInput === undefined)
    throw new ApiFailure('InvalidParameter', 'The parameter FaceInput is missing.');
  const face = decode(parameters, 'FaceInput', MAX_FACE_BYTES);
  const card = await cardOf(face);
  if (kind === 1 && !isPicture(face)) throw new ApiFailure('FailedOperation.ImageDecodeFailed', 'Image decode failed.');
  if (kind === 2 && checkVideo({ ...contentOf(face), sizeBytes: 0 }) !== null)
    throw new ApiFailure('FailedOperation.VideoDecodeFailed', 'Video decode failed.');
  await sleep(card.slowMs ?? 0);
  const fault = FACE_FAULTS[card.card]?.code ?? (card.channel === 'error' ? resolveOutcome(card).result : undefined);
  if (fault !== undefined) throw new ApiFailure(fault, fault);
  const attack = ATTACKS[card.card];
  const template = { HitGroup: 'Common', SimilarityScore: 0.93, HitTemplate: 'template-1' };
  const fields = {
    AttackRiskLevel: attack?.level ?? 'Low',
    AttackRiskDetailList: (attack?.types ?? []).map((Type) => ({ Type })),
    ExtraInfo: { RetrievalLivenessExtraInfo: card.card === 'spoof' ? [template] : [] },
  };
  return answerFields(fields, requestId, { code: 'Success', billed: isBilled('Success') });
}

/** @throws ApiFailure unless the parameter is standard Base64 within the limit. */
function decode(parameters: Parameters, name: string, maxBytes: number): Buffer {
  const text = String(parameters[name]);
  const content = text.length > maxBytes ? null : decodeBase64(text);
  if (content === null) throw invalid(name);
  return content;
}

function invalid(name: string): ApiFailure {
  return new ApiFailure('InvalidParameterValue', `The value of ${name} is not valid.`);
}

async function cardOf(content: Buffer): Promise<Card> {
  const card = await readCard(content.subarray(0, HEAD_BYTES));
  if (card === null) throw new ApiFailure('EmulatorBadCard', 'The test card is misspelt: see docs/emulator.md.');
  return card;
}

function contentOf(content: Buffer): { head: Buffer; sizeBytes: number } {
  return { head: content, sizeBytes: content.length };
}

function isPicture(content: Buffer): boolean {
  const picture = readPicture(content);
  return picture !== null && isWhole(picture, content);
}
