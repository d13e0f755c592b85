/**
 * What FaceID bills: answers of calls, and attempts in sessions. This follows those of Tencent's public tables of error codes that have a column "Billed". Document
 * 1061/55390 (eKYC, 2023-07-03) has a table for all services and one for selfie verification by API; document 1007/47911 is about
 * face verification. A code that is in none of these tables is billed only with the setting `billUndocumented`.
 */

const PAID_ACTIONS = ['DetectReflectLivenessAndCompare', 'VideoLivenessCompare', 'CompareFaceLiveness'];

/** Billed codes from the tables. `*` stands for any suffix. */
const BILLED = ['Success', 'FailedOperation.CompareLowSimilarity', 'InternalError.CompareLowSimilarity'];
const UNBILLED = [
  'FailedOperation.CompareFail',
  'FailedOperation.CoveredFace',
  'FailedOperation.DetectEngineSystemError',
  'FailedOperation.DownLoadError',
  'FailedOperation.ImageDecodeFailed',
  'FailedOperation.ImageSizeTooLarge',
  'FailedOperation.LifePhotoDetectFaces',
  'FailedOperation.LifePhotoDetectFake',
  'FailedOperation.LifePhotoDetectNoFaces',
  'FailedOperation.LifePhotoPoorQuality',
  'FailedOperation.LifePhotoSizeError',
  'FailedOperation.LivessSystemError',
  'FailedOperation.UnKnown',
  'InternalError',
  'InternalError.LifePhotoPoorQuality',
  'InternalError.LifePhotoSizeError',
  'InvalidParameter*',
  'OperationDenied*',
  'UnauthorizedOperation*',
];

/** Codes that the API gateway answers: the request has not reached the service. */
const REFUSED = [
  'ActionOffline',
  'AuthFailure*',
  'EmulatorBadCard',
  'FailedOperation.RequestLimitExceeded',
  'FailedOperation.UnOpenError',
  'InvalidAction',
  'InvalidRequest',
  'IpInBlacklist',
  'IpNotInWhitelist',
  'LimitExceeded*',
  'MissingParameter*',
  'NoSuchProduct',
  'NoSuchVersion',
  'RequestLimitExceeded*',
  'RequestSizeLimitExceeded',
  'ResourceUnavailable.InArrears',
  'ResourceUnavailable.ResourcePackageRunOut',
  'UnknownParameter',
  'UnsupportedOperation*',
  'UnsupportedProtocol',
  'UnsupportedRegion',
];

/** The table of the AI face shield, and the table for all services. */
const UNBILLED_SHIELD = [
  'FailedOperation.CoveredFace',
  'FailedOperation.DetectEngineSystemError',
  'FailedOperation.ImageDecodeFailed',
  'FailedOperation.ImageSizeTooLarge',
  'FailedOperation.IncompleteFace',
  'FailedOperation.PoorImageQuality',
  'FailedOperation.UnKnown',
  'FailedOperation.VideoDecodeFailed',
  'FailedOperation.VideoDurationExceeded',
  'InternalError',
  'InvalidParameter*',
  'OperationDenied*',
  'UnauthorizedOperation*',
];

interface AttemptTable {
  readonly billed: readonly string[];
  readonly unbilled: readonly string[];
}

/**
 * Codes of attempts in apps, from the notice of 2026-03-10 about both app SDKs (announce/detail/100989). ApplyLivenessToken is in
 * no table; the emulator treats it like the app SDKs.
 */
const APP_ATTEMPTS: AttemptTable = { billed: ['0', '1002', '1005', '1201', '2017'], unbilled: ['1001', '2012'] };
/** Codes of attempts on web pages, from the table of the mobile HTML5 product and the same notice. */
const WEB_ATTEMPTS: AttemptTable = {
  billed: ['0'],
  unbilled: ['202', '1001', '1002', '1003', '1004', '1005', '1201', '1409', '1410', '2012'],
};

/** Whether an attempt in a session is billed. @param flow the action that issued the session's token. */
export function isAttemptBilled(flow: string, code: string, billUndocumented: boolean): boolean {
  const { billed, unbilled } = flow === 'ApplyWebVerificationBizTokenIntl' ? WEB_ATTEMPTS : APP_ATTEMPTS;
  return billed.includes(code) || (billUndocumented && !unbilled.includes(code));
}

/** Whether an answer is billed. @param code `Success`, another Result, or the code of an error. */
export function isBilled(action: string, code: string, billUndocumented: boolean): boolean {
  if (action === 'DetectAIFakeFaces') {
    if (code === 'Success') return true;
    return billUndocumented && ![...UNBILLED_SHIELD, ...REFUSED].some((name) => covers(name, code));
  }
  if (!PAID_ACTIONS.includes(action)) return false;
  if (BILLED.includes(code)) return true;
  return billUndocumented && ![...UNBILLED, ...REFUSED].some((name) => covers(name, code));
}

function covers(name: string, code: string): boolean {
  return name.endsWith('*') ? code.startsWith(name.slice(0, -1)) : name === code;
}
