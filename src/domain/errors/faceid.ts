/**
 * FaceID's own codes (2018-03-01, international), each one that Tencent documents for any of its liveness actions, and the
 * messages that have no code. Codes and titles are the vendor's; decision, explanation and advice are ours.
 *
 * Billing is documented for `Success`, `CompareLowSimilarity` (billed), `DownLoadError`, `UnKnown`, `InvalidParameter*`,
 * `LifePhoto*`, `CompareFail` and `LivessSystemError` (not billed); for all others it is not known.
 */
import type { Decision } from '../states.ts';
import { type ErrorClass, type ErrorEntry, RETRIES } from './entry.ts';

/** What a person in front of the camera can do. */
const HINTS = {
  light: [
    'The light was not right for the camera.',
    'Ask the person to move to even, brighter light, away from windows and lamps behind them, and capture again.',
  ],
  glare: ['The picture was overexposed.', 'Ask the person to turn away from strong light and capture again.'],
  position: [
    'The face was not where the camera needs it.',
    'Ask the person to hold the phone at eye level, fill the oval with the whole face, and capture again.',
  ],
  motion: [
    'The movement that was asked for was not seen.',
    'Ask the person to follow the prompts on the screen slowly, and capture again.',
  ],
  cover: ['Something covers the face.', 'Ask the person to take off mask, cap or sunglasses, and capture again.'],
  alone: [
    'More than one face was in the picture.',
    'Ask the person to be alone in front of the camera, and capture again.',
  ],
  sharp: [
    'The picture is too blurred or of too low quality to compare.',
    'Ask for a sharper, larger picture: wipe the lens, hold still, and capture again.',
  ],
  voice: ['The spoken digits could not be heard.', 'Ask the person to speak up in a quiet place, and capture again.'],
  video: [
    'The video cannot be used as it is.',
    'Record again with the SDK’s own settings: MP4, about 6 seconds, within the size limit.',
  ],
  photo: [
    'The photo to compare with cannot be used.',
    'Give another photo: JPEG or PNG bytes (not Base64), one whole face, neither tiny nor over the size limit.',
  ],
  again: [
    'The check could not come to a result on this recording.',
    'Capture again; if it goes on, keep the RequestId for Tencent’s support.',
  ],
} as const satisfies Record<string, readonly [string, string]>;

type Row = readonly [code: string, title: string, hint: keyof typeof HINTS];

const RECAPTURE: readonly Row[] = [
  ['FailedOperation.ActionCloseEye', 'No motions of eye closing are detected.', 'motion'],
  ['FailedOperation.ActionFaceClose', 'The face is too close to the screen.', 'position'],
  ['FailedOperation.ActionFaceFar', 'The face is too far from the screen.', 'position'],
  ['FailedOperation.ActionFaceLeft', 'The face is too far left from the screen.', 'position'],
  ['FailedOperation.ActionFaceRight', 'The face is too far right from the screen.', 'position'],
  ['FailedOperation.ActionFirstAction', 'No movement is detected.', 'motion'],
  ['FailedOperation.ActionLightDark', 'The lighting is too dim.', 'light'],
  ['FailedOperation.ActionLightStrong', 'The lighting is too strong.', 'glare'],
  ['FailedOperation.ActionNodetectFace', 'Failed to detect a full face.', 'position'],
  ['FailedOperation.ActionOpenMouth', 'No motions of mouth opening are detected.', 'motion'],
  ['FailedOperation.CompareFail', 'Comparison failed.', 'again'],
  ['FailedOperation.CompressVideoError', 'The video compression failed.', 'video'],
  ['FailedOperation.CoveredFace', 'The face in the picture is blocked.', 'cover'],
  ['FailedOperation.ImageBlur', 'The image is blurry.', 'sharp'],
  ['FailedOperation.ImageDecodeFailed', 'Image decoding failed.', 'photo'],
  ['FailedOperation.ImageSizeTooLarge', 'The image is too large.', 'photo'],
  ['FailedOperation.IncompleteFace', 'No complete face was detected.', 'position'],
  ['FailedOperation.LifePhotoDetectFaces', 'Multiple faces are detected.', 'photo'],
  ['FailedOperation.LifePhotoDetectNoFaces', 'Failed to detect a full face.', 'photo'],
  ['FailedOperation.LifePhotoPoorQuality', 'The resolution of the image passed in is too low.', 'photo'],
  ['FailedOperation.LifePhotoSizeError', 'The image passed in is too large or too small.', 'photo'],
  ['FailedOperation.LipFaceIncomplete', 'The face is not fully exposed.', 'cover'],
  ['FailedOperation.LipMoveSmall', 'The lip movement range is too small.', 'motion'],
  ['FailedOperation.LipSizeError', 'The video is empty or its size is inappropriate.', 'video'],
  ['FailedOperation.LipVideoInvalid', 'The video format is incorrect.', 'video'],
  ['FailedOperation.LipVideoQuaility', 'The video definition is too low.', 'sharp'],
  ['FailedOperation.LipVoiceDetect', 'No sound is detected.', 'voice'],
  ['FailedOperation.LipVoiceLow', 'The volume of the video is too low.', 'voice'],
  ['FailedOperation.LipVoiceRecognize', 'Speech recognition failed.', 'voice'],
  ['FailedOperation.LivessBestFrameError', 'Unable to extract the photo for comparison.', 'position'],
  ['FailedOperation.LivessUnknownError', 'Video-based real person detection failed.', 'again'],
  ['FailedOperation.PoorImageQuality', 'The image quality is too poor.', 'sharp'],
  ['FailedOperation.SilentEyeLiveFail', 'Eye detection failed.', 'motion'],
  ['FailedOperation.SilentFaceDetectFail', 'No face is detected in the video.', 'position'],
  ['FailedOperation.SilentFaceQualityFail', 'Low face quality.', 'sharp'],
  ['FailedOperation.SilentFaceWithMaskFail', 'A face mask is detected.', 'cover'],
  ['FailedOperation.SilentMouthLiveFail', 'Mouth detection failed.', 'motion'],
  ['FailedOperation.SilentMultiFaceFail', 'Multiple faces are detected in the video.', 'alone'],
  ['FailedOperation.SilentTooShort', 'The video is too short.', 'video'],
  ['FailedOperation.VideoDecodeFailed', 'Video decoding abnormality.', 'video'],
  ['FailedOperation.VideoDurationExceeded', 'The video duration is too long.', 'video'],
  ['InternalError.ActionLightDark', 'The lighting is too dim.', 'light'],
  ['InternalError.ActionLightStrong', 'The lighting is too strong.', 'glare'],
  ['InternalError.ActionNodetectFace', 'Failed to detect a full face.', 'position'],
  ['InternalError.LifePhotoPoorQuality', 'The resolution of the image passed in is too low.', 'photo'],
  ['InternalError.LifePhotoSizeError', 'The image passed in is too large or too small.', 'photo'],
];

const NOT_LIVE: readonly (readonly [code: string, title: string])[] = [
  ['FailedOperation.LifePhotoDetectFake', 'Real person comparison failed.'],
  ['FailedOperation.LivessDetectFail', 'Liveness detection failed.'],
  ['FailedOperation.LivessDetectFake', 'Suspected spoofed recording.'],
  ['FailedOperation.SilentDetectFail', 'Real person detection failed.'],
  ['FailedOperation.SilentPictureLiveFail', 'The video might be spoofed.'],
  ['FailedOperation.SilentThreshold', 'Real person detection did not reach the passing standard.'],
];

const LOW_SIMILARITY: readonly (readonly [code: string, title: string])[] = [
  ['FailedOperation.CompareLowSimilarity', 'The comparison similarity did not reach the passing standard.'],
  ['InternalError.CompareLowSimilarity', 'The similarity did not reach the passing standard.'],
];

function answered(match: string, title: string, decision: Decision, explanation: string, advice: string): ErrorEntry {
  const facts = { service: 'faceid', channel: 'both', class: 'rejected', retry: RETRIES.rejected } as const;
  const audience = decision === 'recapture' ? 'person' : 'caller';
  return { match, ...facts, decision, billed: billing(match), audience, title, explanation, advice };
}

function billing(code: string): ErrorEntry['billed'] {
  if (code.endsWith('.CompareLowSimilarity')) return 'yes';
  return /\.(?:LifePhoto|CompareFail)/.test(code) ? 'no' : 'unknown';
}

function fault(
  match: string,
  kind: Exclude<ErrorClass, 'rejected'>,
  title: string,
  explanation: string,
  advice: string,
  billed: ErrorEntry['billed'] = 'no',
): ErrorEntry {
  const audience = kind === 'caller' ? 'caller' : 'operator';
  const facts = { service: 'faceid', channel: 'both', decision: null, retry: RETRIES[kind] } as const;
  return { match, ...facts, class: kind, billed, audience, title, explanation, advice };
}

/** The three that integrators meet most. The first two have no code of their own: the message names them. */
export const FACEID_MESSAGES: readonly (ErrorEntry & { readonly pattern: RegExp })[] = [
  {
    ...fault(
      '/resource ?url/i',
      'account',
      'invalid resourceUrl',
      'Tencent takes only links of a default COS domain, <bucket>-<appid>.cos.<region>.myqcloud.com, in the region of the API that is called. Uploading again to the same bucket cannot mend it.',
      'Make the bucket’s region the region of the API (BESTFRAME_BUCKETS), and use no custom or CDN domain. The verification waits and goes on once that is mended.',
    ),
    pattern: /resource ?url/i,
  },
  {
    ...fault(
      '/md5/i',
      'reupload',
      'MD5 Error',
      'What Tencent downloaded is not what the MD5 was computed over: the object was overwritten in between, or both links name one object.',
      'Nothing: it is uploaded again under a fresh key. If it comes back, look for a second writer on the bucket’s folder.',
    ),
    pattern: /md5/i,
  },
];

export const FACEID: readonly ErrorEntry[] = [
  fault(
    'FailedOperation.DownLoadError',
    'reupload',
    'File download failed.',
    'Tencent could not read a link: it expired, the object is gone, or the bucket refuses a plain GET from a public network.',
    'Nothing: it is uploaded again under a fresh key and link. If it comes back, open such a link without credentials, and check bucket policy, referer lists and firewall.',
  ),
  fault(
    'FailedOperation.DownLoadTimeoutError',
    'reupload',
    'File download timed out.',
    'Tencent began to read a link, but too slowly: the object is large, or the bucket is far from the API’s region.',
    'Nothing: it is uploaded again. If it comes back, check that bucket and API are in one region.',
  ),
  fault(
    'FailedOperation.LipNetFailed',
    'reupload',
    'Failed to pull the video.',
    'Tencent could not read the video by its link.',
    'Nothing: it is uploaded again under a fresh link.',
  ),
  ...LOW_SIMILARITY.map(([match, title]) =>
    answered(
      match,
      title,
      'no_match',
      'A real person was seen, and it is not the one in the photo. This is an answer, and it is billed.',
      'Refuse, or ask for a better photo if yours is old or small.',
    ),
  ),
  ...NOT_LIVE.map(([match, title]) =>
    answered(
      match,
      title,
      'not_live',
      'The recording does not show a live person: a picture, a screen, a mask or a made-up video.',
      'Refuse. If real customers are refused often, compare SDK version and capture settings with Tencent’s current ones.',
    ),
  ),
  ...RECAPTURE.map(([match, title, hint]) => answered(match, title, 'recapture', HINTS[hint][0], HINTS[hint][1])),
  ...[
    ['FailedOperation.CompareSystemError', 'Error calling the comparison engine API.'],
    ['FailedOperation.DetectEngineSystemError', 'The service engine call failed.'],
    ['FailedOperation.LivessSystemError', 'Error calling the liveness engine API.'],
    ['FailedOperation.UnKnown', 'Unknown internal error.'],
  ].map(([match = '', title = '']) =>
    fault(
      match,
      'transient',
      title,
      'Something inside Tencent failed; the person was not judged.',
      'Nothing: it is tried again. If it lasts, give the RequestId to Tencent’s support.',
      /LivessSystem|UnKnown/.test(match) ? 'no' : 'unknown',
    ),
  ),
];
