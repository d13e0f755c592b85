/**
 * FaceID's answers. A verification ends in one of two ways: as a `Result`, which may be a
 * failure code, or as an `Error`. Both have HTTP status 200.
 */
import type { ApiError } from './api-failure.ts';
import type { Outcome } from './cards.ts';
import type { Answer } from './exchange.ts';

export interface BestFrame {
  readonly url: string;
  readonly md5: string;
  readonly sizeBytes: number;
}

export interface ResultAnswer {
  readonly action: string;
  readonly requestId: string;
  readonly outcome: Outcome;
  readonly bestFrame: BestFrame | null;
  /** The frame, for an action that answers it as Base64. */
  readonly frameBase64?: string | null;
  /** `bucket/key` of the inputs. */
  readonly objects: readonly string[];
  readonly isBilled: IsBilled;
}

/** Whether the call is billed for this answer. */
export type IsBilled = (code: string) => boolean;

export function answerResult(answer: ResultAnswer): Answer {
  const { requestId, outcome, objects, isBilled } = answer;
  const { result, similarity, description } = outcome;
  const fields = {
    ...frameFields(answer),
    Result: result,
    Description: result === 'Success' ? 'Success' : description,
    Sim: similarity,
  };
  return answerFields(fields, requestId, { code: result, billed: isBilled(result), ...objectFacts(objects) });
}

function frameFields({ action, bestFrame, frameBase64 = null }: ResultAnswer): object {
  if (action === 'CompareFaceLiveness') return { BestFrameBase64: frameBase64 };
  return action === 'VideoLivenessCompare' ? frameAsFile(bestFrame) : frameAsFields(bestFrame);
}

/** The frame in the form that is documented for DetectReflectLivenessAndCompare. */
function frameAsFields(frame: BestFrame | null): object {
  return { BestFrameUrl: frame?.url ?? '', BestFrameMd5: frame?.md5 ?? '' };
}

/** The frame in the form that is documented for VideoLivenessCompare: a FileInfo, or null. */
function frameAsFile(frame: BestFrame | null): object {
  return { BestFrame: frame === null ? null : { Url: frame.url, MD5: frame.md5, Size: frame.sizeBytes } };
}

export function answerApiError(
  { code, message }: ApiError,
  requestId: string,
  isBilled: IsBilled,
  objects: readonly string[] = [],
): Answer {
  const fields = { Error: { Code: code, Message: message } };
  return answerFields(fields, requestId, { code, billed: isBilled(code), ...objectFacts(objects) });
}

export function answerFields(fields: object, requestId: string, facts: Answer['facts']): Answer {
  const body = Buffer.from(JSON.stringify({ Response: { ...fields, RequestId: requestId } }));
  return { status: 200, headers: { 'content-type': 'application/json' }, body, facts: { requestId, ...facts } };
}

/** The objects for the call log. If the call failed before they were known, the log uses the ones that the request names. */
function objectFacts(objects: readonly string[]): Answer['facts'] {
  return objects.length === 0 ? {} : { objects };
}
