/**
 * Which answers FaceID bills. This follows those of Tencent's public tables of error codes that have a column "Billed". Document
 * 1061/55390 (eKYC, 2023-07-03) has a table for all services and one for selfie verification by API; document 1007/47911 is about
 * face verification. A code that is in none of these tables is billed only with the setting `billUndocumented`.
 */

const PAID_ACTIONS = ['DetectReflectLivenessAndCompare', 'VideoLivenessCompare'];

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

/** Whether an answer is billed. @param code `Success`, another Result, or the code of an error. */
export function isBilled(action: string, code: string, billUndocumented: boolean): boolean {
  if (!PAID_ACTIONS.includes(action)) return false;
  if (BILLED.includes(code)) return true;
  return billUndocumented && ![...UNBILLED, ...REFUSED].some((name) => covers(name, code));
}

function covers(name: string, code: string): boolean {
  return name.endsWith('*') ? code.startsWith(name.slice(0, -1)) : name === code;
}
