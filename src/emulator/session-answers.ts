/** What the result actions answer: every documented field, with null where there is no value. */
import { specimenOf } from './identity-documents.ts';
import type { Output } from './output-store.ts';
import { describeCode, UNFINISHED } from './session-codes.ts';
import type { Attempt, Session, SessionState } from './sessions.ts';

interface FileInfo {
  readonly Url: string;
  readonly MD5: string;
  readonly Size: number;
}

export interface ResultTools {
  /** Whether the last attempt counts while the person may still try again. */
  readonly showOpen: boolean;
  /** A link that is born now. */
  link(output: Output): FileInfo;
  base64(output: Output): Promise<string | null>;
}

export interface ResultFields {
  readonly fields: object;
  /** The code for the log. */
  readonly code: string;
}

export async function answerResultOf(session: Session, state: SessionState, tools: ResultTools): Promise<ResultFields> {
  switch (session.flow) {
    case 'ApplySdkVerificationToken':
      return answerSdk(session, tools);
    case 'GetFaceIdTokenIntl':
      return answerFaceId(session, tools);
    case 'ApplyLivenessToken':
      return answerLiveness(session, tools);
    case 'ApplyWebVerificationBizTokenIntl':
      return answerWeb(session, state, tools);
  }
}

/** The answer to a result call that has a code, but no attempt. */
export function bareResult(action: string, code: string): object {
  if (action === 'GetWebVerificationResultIntl') {
    const [number, text] = [Number(code), describeCode(code)];
    const media = { VideoBase64: null, BestFrameBase64: null, OCRResult: null };
    return { ErrorCode: number, ErrorMsg: text, VerificationDetailList: null, ...media, Extra: null };
  }
  const verdict = { Result: code, Description: describeCode(code) };
  if (action === 'GetLivenessResult') return { ...verdict, BestFrame: null, Video: null };
  if (action === 'GetSdkVerificationResult') {
    const lists = { ChargeCount: 0, CardVerifyResults: [], CompareResults: [] };
    return { ...verdict, ...lists, Extra: '', DeviceInfoLevel: '' };
  }
  const media = { BestFrame: '', Video: '', ActionVideo: '' };
  return { ...verdict, ...media, Similarity: 0, Extra: null, DeviceInfoLevel: '', LivenessInfoTag: null };
}

/** The attempts that can be seen. */
function attemptsOf({ end, attempts }: Session, { showOpen }: ResultTools): readonly Attempt[] {
  return end === null && !showOpen ? [] : attempts;
}

/** The attempt that decides. Null: there is none, or the session is not over. */
function lastAttempt(session: Session, tools: ResultTools): Attempt | null {
  return attemptsOf(session, tools).at(-1) ?? null;
}

function verdictOf(attempt: Attempt | null): { code: string; description: string } {
  return attempt === null ? UNFINISHED : { code: attempt.code, description: describeCode(attempt.code) };
}

function deviceLevelOf({ edition, deviceLevel }: Session): string {
  return edition === 'ENHANCED' || edition === 'PLUS' ? deviceLevel : '';
}

function tagsOf({ tags }: Attempt, { edition }: Session, editions: readonly string[]): readonly string[] | null {
  return editions.includes(edition) && tags.length > 0 ? tags : null;
}

function linkOrNull(output: Output | null, tools: ResultTools): FileInfo | null {
  return output === null ? null : tools.link(output);
}

function answerSdk(session: Session, tools: ResultTools): ResultFields {
  const last = lastAttempt(session, tools);
  const { code, description } = verdictOf(last);
  const attempts = attemptsOf(session, tools);
  const fields = {
    Result: code,
    Description: description,
    ChargeCount: attempts.filter(({ billed }) => billed).length,
    CardVerifyResults: last === null ? [] : cardResults(session, tools),
    CompareResults: attempts.map((attempt) => compareResult(session, attempt, tools)),
    Extra: session.extra ?? '',
    DeviceInfoLevel: last === null ? '' : deviceLevelOf(session),
  };
  return { fields, code };
}

function compareResult(session: Session, attempt: Attempt, tools: ResultTools): object {
  const { code, liveness, comparison, similarity, billed, requestId, media } = attempt;
  return {
    ErrorCode: code,
    ErrorMsg: describeCode(code),
    LiveData: tools.link(media.liveData),
    LiveVideo: tools.link(media.video),
    ActionVideo: linkOrNull(media.actionVideo, tools),
    LiveErrorCode: liveness,
    LiveErrorMsg: describeCode(liveness),
    BestFrame: linkOrNull(media.bestFrame, tools),
    ProfileImage: linkOrNull(media.profile, tools),
    CompareErrorCode: comparison,
    CompareErrorMsg: comparison === null ? null : describeCode(comparison),
    Sim: similarity,
    IsNeedCharge: billed,
    CardInfoInputJson: null,
    RequestId: requestId,
    LivenessInfoTag: tagsOf(attempt, session, ['PLUS']),
  };
}

function cardResults({ cardType, document }: Session, tools: ResultTools): object[] {
  if (cardType === null || document === null) return [];
  const { cardInfo, normalCardInfo } = specimenOf(cardType);
  return [
    {
      IsPass: true,
      IsEdit: false,
      CardVideo: tools.link(document.video),
      CardImage: tools.link(document.image),
      CardInfoOcrJson: tools.link(document.json),
      RequestId: document.requestId,
      CardInfo: cardInfo,
      NormalCardInfo: normalCardInfo,
      WarnCardInfos: [],
      EditDetails: [],
    },
  ];
}

async function answerFaceId(session: Session, tools: ResultTools): Promise<ResultFields> {
  const last = lastAttempt(session, tools);
  const { code, description } = verdictOf(last);
  const base64 = async (output: Output | null | undefined) => (output ? ((await tools.base64(output)) ?? '') : '');
  const fields = {
    Result: code,
    Description: description,
    BestFrame: await base64(last?.media.bestFrame),
    Video: await base64(last?.media.video),
    ActionVideo: await base64(last?.media.actionVideo),
    Similarity: last?.similarity ?? 0,
    Extra: session.extra,
    DeviceInfoLevel: last === null ? '' : deviceLevelOf(session),
    LivenessInfoTag: last === null ? null : tagsOf(last, session, ['PRO', 'PLUS']),
  };
  return { fields, code };
}

function answerLiveness(session: Session, tools: ResultTools): ResultFields {
  const last = lastAttempt(session, tools);
  const { code, description } = verdictOf(last);
  const fields = {
    Result: code,
    Description: description,
    BestFrame: linkOrNull(last?.media.bestFrame ?? null, tools),
    Video: linkOrNull(last?.media.video ?? null, tools),
  };
  return { fields, code };
}

async function answerWeb(session: Session, state: SessionState, tools: ResultTools): Promise<ResultFields> {
  const attempts = attemptsOf(session, tools);
  const last = attempts.at(-1);
  const code = webCodeOf(session, state, last);
  const base64 = async (output: Output | null | undefined) => (output ? tools.base64(output) : null);
  const fields = {
    ErrorCode: code === null ? null : Number(code),
    ErrorMsg: code === null ? null : describeCode(code),
    VerificationDetailList: attempts.length === 0 ? null : attempts.map((attempt) => webDetail(session, attempt)),
    VideoBase64: await base64(last?.media.video),
    BestFrameBase64: await base64(last?.media.bestFrame),
    OCRResult: session.end === null ? null : await webDocuments(session, tools),
    Extra: session.extra,
  };
  return { fields, code: code ?? 'null' };
}

/** Null while nothing is decided. */
function webCodeOf({ end }: Session, state: SessionState, last: Attempt | undefined): string | null {
  if (state === 'expired') return '15';
  if (end === null) return last?.code ?? null;
  if (end === 'retryLimit') return '16';
  if (end === 'timedOut') return '1409';
  if (end === 'left') return '1410';
  return last?.code ?? '0';
}

function webDetail(session: Session, attempt: Attempt): object {
  const { code, liveness, comparison, similarity, requestId, at } = attempt;
  return {
    ErrorCode: Number(code),
    ErrorMsg: describeCode(code),
    LivenessErrorCode: Number(liveness),
    LivenessErrorMsg: describeCode(liveness),
    CompareErrorCode: comparison === null ? null : Number(comparison),
    CompareErrorMsg: comparison === null ? null : describeCode(comparison),
    ReqTimestamp: at,
    Similarity: similarity,
    Seq: requestId,
    LivenessInfoTag: tagsOf(attempt, session, ['PLUS']),
  };
}

async function webDocuments({ cardType, checksFace, document }: Session, tools: ResultTools): Promise<object[] | null> {
  if (cardType === null || document === null) return null;
  const { cardInfo, normalCardInfo, fields } = specimenOf(cardType);
  const picture = await tools.base64(document.image);
  return [
    {
      IsPass: true,
      CardImageBase64: picture,
      CardInfo: cardInfo,
      NormalCardInfo: normalCardInfo,
      RequestId: document.requestId,
      CardCutImageBase64: picture,
      CardBackCutImageBase64: picture,
      WarnCardInfos: [],
      OriginalCardInfo: checksFace ? null : JSON.stringify(fields),
      HeadImageBase64: picture,
      CardBackImageBase64: picture,
    },
  ];
}
