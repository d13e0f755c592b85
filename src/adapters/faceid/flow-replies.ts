/**
 * Parses the answers of token flows. A field that is absent, or does not have the documented shape, counts as absent, except the
 * result code: an answer whose code cannot be read is useless.
 */
import { z } from 'zod';
import type { FlowStart } from '../../domain/ports.ts';
import { FLOWS, type FlowName, type MediaName } from '../../domain/verification/flows.ts';
import type { FlowResult, ResultMedium } from '../../domain/verification/session-result.ts';

const text = z.string().min(1).nullish().catch(null);
const percent = z.number().min(0).max(100).nullish().catch(null);
const file = z
  .object({
    Url: z.string().startsWith('https://').refine(URL.canParse),
    MD5: z
      .string()
      .regex(/^[0-9a-f]{32}$/i)
      .nullish()
      .catch(null),
  })
  .nullish()
  .catch(null);
const tags = z
  .array(z.string().regex(/^\d{1,4}$/))
  .nullish()
  .catch(null);
/** Vendors' numbers come as text or as numbers. An empty text means that there is no result. */
const code = z.union([z.string().regex(/^-?\d{0,6}$/), z.int()]).nullish();

const compareResult = z.object({
  ErrorCode: code.catch(null),
  Sim: percent,
  LivenessInfoTag: tags,
  ...{ BestFrame: file, LiveVideo: file, ActionVideo: file, LiveData: file, ProfileImage: file },
});
const cardResult = z.object({
  ...{ CardImage: file, CardVideo: file, CardInfoOcrJson: file },
  CardInfo: z.unknown(),
  NormalCardInfo: z.unknown(),
});
const list = <Item extends z.ZodType>(item: Item) => z.array(item).nullish().catch(null);

const sdkResult = z.object({
  Result: code,
  Description: text,
  ChargeCount: z.int().min(0).nullish().catch(null),
  CardVerifyResults: list(cardResult),
  CompareResults: list(compareResult),
  DeviceInfoLevel: text,
  RequestId: text,
});
const faceIdResult = z.object({
  Result: code,
  Description: text,
  ...{ BestFrame: text, Video: text, ActionVideo: text },
  Similarity: percent,
  DeviceInfoLevel: text,
  LivenessInfoTag: tags,
  RequestId: text,
});
const livenessResult = z.object({
  Result: code,
  Description: text,
  ...{ BestFrame: file, Video: file },
  RequestId: text,
});
const webResult = z.object({
  ErrorCode: code,
  ErrorMsg: text,
  VerificationDetailList: list(z.object({ Similarity: percent })),
  ...{ VideoBase64: text, BestFrameBase64: text },
  OCRResult: list(z.record(z.string(), z.unknown())),
  RequestId: text,
});

/** @returns null if the reply has no token. */
export function parseStartReply(flow: FlowName, reply: unknown): FlowStart | null {
  const { token: field, url } = FLOWS[flow];
  const fields = z.record(z.string(), z.unknown()).safeParse(reply).data ?? {};
  const token = text.parse(fields[field]);
  const address = url === null ? null : (text.parse(fields[url]) ?? null);
  if (token == null || (url !== null && address === null)) return null;
  return {
    token,
    url: address,
    serverParamInfo: text.parse(fields.ServerParamInfo) ?? null,
    requestId: text.parse(fields.RequestId) ?? null,
  };
}

/** @returns null if the result cannot be read. */
export function parseResultReply(flow: FlowName, reply: unknown): FlowResult | null {
  switch (flow) {
    case 'ApplySdkVerificationToken':
      return fromSdk(sdkResult.safeParse(reply).data);
    case 'GetFaceIdTokenIntl':
      return fromFaceId(faceIdResult.safeParse(reply).data);
    case 'ApplyLivenessToken':
      return fromLiveness(livenessResult.safeParse(reply).data);
    case 'ApplyWebVerificationBizTokenIntl':
      return fromWeb(webResult.safeParse(reply).data);
  }
}

function fromSdk(reply: z.infer<typeof sdkResult> | undefined): FlowResult | null {
  if (reply === undefined) return null;
  const compared = reply.CompareResults ?? [];
  const last = compared.at(-1);
  const card = reply.CardVerifyResults?.at(-1);
  const ocr = card?.CardInfo ?? card?.NormalCardInfo;
  return {
    ...NOTHING,
    code: codeOf(reply.Result ?? last?.ErrorCode),
    description: reply.Description ?? '',
    similarity: last?.Sim ?? null,
    chargeCount: reply.ChargeCount ?? null,
    tries: compared.length,
    deviceRisk: reply.DeviceInfoLevel ?? null,
    livenessTags: last?.LivenessInfoTag ?? [],
    requestId: reply.RequestId ?? null,
    media: mediaOf({
      bestFrame: linked(last?.BestFrame),
      liveVideo: linked(last?.LiveVideo),
      actionVideo: linked(last?.ActionVideo),
      liveData: linked(last?.LiveData),
      profileImage: linked(last?.ProfileImage),
      cardImage: linked(card?.CardImage),
      cardVideo: linked(card?.CardVideo),
      ocr: linked(card?.CardInfoOcrJson) ?? (ocr == null ? null : json(ocr)),
    }),
  };
}

function fromFaceId(reply: z.infer<typeof faceIdResult> | undefined): FlowResult | null {
  if (reply === undefined) return null;
  const found = codeOf(reply.Result);
  return {
    ...NOTHING,
    code: found,
    description: reply.Description ?? '',
    similarity: reply.Similarity ?? null,
    tries: found === null ? 0 : 1,
    deviceRisk: reply.DeviceInfoLevel ?? null,
    livenessTags: reply.LivenessInfoTag ?? [],
    requestId: reply.RequestId ?? null,
    media: mediaOf({
      bestFrame: encoded(reply.BestFrame),
      liveVideo: encoded(reply.Video),
      actionVideo: encoded(reply.ActionVideo),
    }),
  };
}

function fromLiveness(reply: z.infer<typeof livenessResult> | undefined): FlowResult | null {
  if (reply === undefined) return null;
  const found = codeOf(reply.Result);
  return {
    ...NOTHING,
    code: found,
    description: reply.Description ?? '',
    tries: found === null ? 0 : 1,
    requestId: reply.RequestId ?? null,
    media: mediaOf({ bestFrame: linked(reply.BestFrame), liveVideo: linked(reply.Video) }),
  };
}

function fromWeb(reply: z.infer<typeof webResult> | undefined): FlowResult | null {
  if (reply === undefined) return null;
  const details = reply.VerificationDetailList ?? [];
  const card = reply.OCRResult?.at(-1);
  return {
    ...NOTHING,
    code: codeOf(reply.ErrorCode),
    description: reply.ErrorMsg ?? '',
    similarity: details.at(-1)?.Similarity ?? null,
    tries: details.length,
    requestId: reply.RequestId ?? null,
    media: mediaOf({
      bestFrame: encoded(reply.BestFrameBase64),
      liveVideo: encoded(reply.VideoBase64),
      ocr: card === undefined ? null : json(withoutPictures(card)),
    }),
  };
}

const NOTHING = { similarity: null, chargeCount: null, tries: 0, deviceRisk: null, livenessTags: [] } as const;

/** -999: not finished, on older pages of Tencent. */
function codeOf(found: string | number | null | undefined): string | null {
  const digits = String(found ?? '').trim();
  return digits === '' || digits === '-999' ? null : `Result.${Number(digits)}`;
}

function mediaOf(found: Partial<Record<MediaName, ResultMedium | null>>): FlowResult['media'] {
  return Object.fromEntries(Object.entries(found).filter(([, medium]) => medium !== null));
}

function linked(found: z.infer<typeof file>): ResultMedium | null {
  return found == null ? null : { url: found.Url, md5: found.MD5?.toLowerCase() ?? null };
}

function encoded(base64: string | null | undefined): ResultMedium | null {
  if (base64 == null) return null;
  const bytes = Buffer.from(base64, 'base64');
  return bytes.byteLength === 0 ? null : { bytes };
}

function json(value: unknown): ResultMedium {
  return { bytes: Buffer.from(JSON.stringify(value)) };
}

function withoutPictures(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !name.endsWith('Base64')));
}
