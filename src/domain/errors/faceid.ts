/**
 * FaceID's own codes (2018-03-01, international): every code that Tencent documents for one of its liveness actions, and the
 * error messages without a code. The codes are Tencent's; decisions and texts are ours. Whether a code is billed is in
 * `billing.ts`.
 */
import { documentedBilling } from './billing.ts';
import {
  type ErrorClass,
  type ErrorEntry,
  type Hint,
  hintWords,
  RETRIES,
  type RejectedDecision,
  type Retake,
  type Words,
} from './entry.ts';
import { RESULTS, type ResultHint } from './results.ts';

interface Texts {
  readonly title: string;
  readonly explanation: string;
  readonly advice: Hint;
}

interface RecaptureHint {
  readonly retake: Retake;
  readonly explanation: string;
  readonly advice: Partial<Words>;
}

/** What to take again after a recapture code, and how to do it better. `person` is text for the person in front of the camera. */
const HINTS = {
  light: {
    retake: 'liveness',
    explanation: 'The light was too weak or uneven for the camera.',
    advice: {
      person: 'Please move to brighter, even light, away from windows and lamps behind you, and record again.',
    },
  },
  glare: {
    retake: 'liveness',
    explanation: 'The picture was overexposed.',
    advice: { person: 'Please turn away from strong light, and record again.' },
  },
  position: {
    retake: 'liveness',
    explanation: 'The face was not in the right position for the camera.',
    advice: {
      person: 'Please hold the phone at eye level, fill the oval with your whole face, and record again.',
    },
  },
  motion: {
    retake: 'liveness',
    explanation: 'The requested movement was not seen.',
    advice: { person: 'Please follow the prompts on the screen slowly, and record again.' },
  },
  cover: {
    retake: 'liveness',
    explanation: 'Something covers part of the face.',
    advice: { person: 'Please take off any mask, cap or sunglasses, and record again.' },
  },
  alone: {
    retake: 'liveness',
    explanation: 'More than one face was in the picture.',
    advice: { person: 'Please be alone in front of the camera, and record again.' },
  },
  blurred: {
    retake: 'liveness',
    explanation: 'The recording is too blurred or too poor to compare.',
    advice: { person: 'Please wipe the lens, hold the phone still, and record again.' },
  },
  sharp: {
    retake: 'both',
    explanation: 'A picture is too blurred or too poor to compare. Tencent does not say which one.',
    advice: {
      person: 'Please wipe the lens, hold the phone still, and take recording and photo again.',
      caller: 'Give a sharper, larger photo too.',
    },
  },
  voice: {
    retake: 'liveness',
    explanation: 'The spoken digits could not be understood.',
    advice: { person: 'Please speak up in a quiet place, and record again.' },
  },
  video: {
    retake: 'liveness',
    explanation: 'The video does not meet Tencent’s requirements.',
    advice: {
      person: 'Please record again.',
      caller: 'Use the default settings of the SDK: MP4, about 6 seconds, within the size limit.',
    },
  },
  photo: {
    retake: 'photo',
    explanation: 'The photo for the comparison is not usable.',
    advice: {
      person: 'Please give another photo: sharp, with your whole face and nobody else.',
      caller:
        'The photo must be JPEG or PNG bytes (not Base64) of one whole face, neither too small nor over the size limit.',
    },
  },
  either: {
    retake: 'both',
    explanation: 'The face in a picture is covered or incomplete. Tencent does not say in which picture.',
    advice: {
      person: 'Please take off any mask, cap or sunglasses, show your whole face, and take recording and photo again.',
    },
  },
  again: {
    retake: 'both',
    explanation: 'Tencent reached no result for these pictures.',
    advice: { person: 'Please record again.', operator: 'Give the RequestId to Tencent’s support.' },
  },
  unclear: {
    retake: 'liveness',
    explanation: 'Tencent reached no result for this recording.',
    advice: { person: 'Please record again.', operator: 'Give the RequestId to Tencent’s support.' },
  },
} as const satisfies Record<string, RecaptureHint>;

const RECAPTURE: readonly (readonly [code: string, title: string, hint: keyof typeof HINTS])[] = [
  ['FailedOperation.ActionCloseEye', 'No blink was detected', 'motion'],
  ['FailedOperation.ActionFaceClose', 'The face is too close to the screen', 'position'],
  ['FailedOperation.ActionFaceFar', 'The face is too far from the screen', 'position'],
  ['FailedOperation.ActionFaceLeft', 'The face is too far to the left', 'position'],
  ['FailedOperation.ActionFaceRight', 'The face is too far to the right', 'position'],
  ['FailedOperation.ActionFirstAction', 'No movement was detected', 'motion'],
  ['FailedOperation.ActionLightDark', 'The light is too dim', 'light'],
  ['FailedOperation.ActionLightStrong', 'The light is too strong', 'glare'],
  ['FailedOperation.ActionNodetectFace', 'No complete face was detected', 'position'],
  ['FailedOperation.ActionOpenMouth', 'No mouth opening was detected', 'motion'],
  ['FailedOperation.CompareFail', 'The comparison failed', 'again'],
  ['FailedOperation.CompressVideoError', 'The video could not be compressed', 'video'],
  ['FailedOperation.CoveredFace', 'The face is partly covered', 'either'],
  ['FailedOperation.ImageBlur', 'The image is blurred', 'sharp'],
  ['FailedOperation.ImageDecodeFailed', 'The image could not be decoded', 'photo'],
  ['FailedOperation.ImageSizeTooLarge', 'The image is too large', 'photo'],
  ['FailedOperation.IncompleteFace', 'The face is not completely visible', 'either'],
  ['FailedOperation.LifePhotoDetectFaces', 'The photo shows more than one face', 'photo'],
  ['FailedOperation.LifePhotoDetectNoFaces', 'The photo shows no complete face', 'photo'],
  ['FailedOperation.LifePhotoPoorQuality', 'The resolution of the photo is too low', 'photo'],
  ['FailedOperation.LifePhotoSizeError', 'The photo is too large or too small', 'photo'],
  ['FailedOperation.LipFaceIncomplete', 'The face is not fully exposed', 'cover'],
  ['FailedOperation.LipMoveSmall', 'The lips moved too little', 'motion'],
  ['FailedOperation.LipSizeError', 'The video is empty, or its size is not allowed', 'video'],
  ['FailedOperation.LipVideoInvalid', 'The video has the wrong format', 'video'],
  ['FailedOperation.LipVideoQuaility', 'The video is not sharp enough', 'blurred'],
  ['FailedOperation.LipVoiceDetect', 'No sound was detected', 'voice'],
  ['FailedOperation.LipVoiceLow', 'The voice in the video is too quiet', 'voice'],
  ['FailedOperation.LipVoiceRecognize', 'Speech recognition failed', 'voice'],
  ['FailedOperation.LivessBestFrameError', 'No frame of the recording is good enough to compare', 'position'],
  ['FailedOperation.LivessUnknownError', 'The liveness detection of the video failed', 'unclear'],
  ['FailedOperation.PoorImageQuality', 'The image quality is too low', 'sharp'],
  ['FailedOperation.SilentEyeLiveFail', 'The liveness check of the eyes failed', 'motion'],
  ['FailedOperation.SilentFaceDetectFail', 'No face was detected in the video', 'position'],
  ['FailedOperation.SilentFaceQualityFail', 'The quality of the face in the video is too low', 'blurred'],
  ['FailedOperation.SilentFaceWithMaskFail', 'The person wears a face mask', 'cover'],
  ['FailedOperation.SilentMouthLiveFail', 'The liveness check of the mouth failed', 'motion'],
  ['FailedOperation.SilentMultiFaceFail', 'The video shows more than one face', 'alone'],
  ['FailedOperation.SilentTooShort', 'The video is too short', 'video'],
  ['FailedOperation.VideoDecodeFailed', 'The video could not be decoded', 'video'],
  ['FailedOperation.VideoDurationExceeded', 'The video is too long', 'video'],
  ['InternalError.ActionLightDark', 'The light is too dim', 'light'],
  ['InternalError.ActionLightStrong', 'The light is too strong', 'glare'],
  ['InternalError.ActionNodetectFace', 'No complete face was detected', 'position'],
  ['InternalError.LifePhotoPoorQuality', 'The resolution of the photo is too low', 'photo'],
  ['InternalError.LifePhotoSizeError', 'The photo is too large or too small', 'photo'],
];

const NOT_LIVE: readonly (readonly [code: string, title: string])[] = [
  ['FailedOperation.LifePhotoDetectFake', 'The comparison found no real person'],
  ['FailedOperation.LivessDetectFail', 'The liveness detection failed'],
  ['FailedOperation.LivessDetectFake', 'The recording is suspected to be spoofed'],
  ['FailedOperation.SilentDetectFail', 'The liveness detection found no real person'],
  ['FailedOperation.SilentPictureLiveFail', 'The video may be spoofed'],
  ['FailedOperation.SilentThreshold', 'The liveness score is below the passing threshold'],
];

export const LOW_SIMILARITY_HINT =
  'If your photo is old or small, start again with a better photo and a new recording.';

const LOW_SIMILARITY: readonly (readonly [code: string, title: string])[] = [
  ['FailedOperation.CompareLowSimilarity', 'The similarity is below the passing threshold'],
  ['InternalError.CompareLowSimilarity', 'The similarity is below the passing threshold'],
];

const ENGINE_FAULTS: readonly (readonly [code: string, title: string])[] = [
  ['FailedOperation.CompareSystemError', 'Tencent’s comparison engine failed'],
  ['FailedOperation.DetectEngineSystemError', 'Tencent’s detection engine failed'],
  ['FailedOperation.LivessSystemError', 'Tencent’s liveness engine failed'],
  ['FailedOperation.UnKnown', 'Tencent had an unknown internal error'],
];

/** Builds the entry of an answer about the person or the pictures. */
function rejection(match: string, decision: RejectedDecision, texts: Texts, retake: Retake = 'none'): ErrorEntry {
  const facts = { service: 'faceid', channel: 'both', class: 'rejected', retry: RETRIES.rejected } as const;
  const advice = hintWords('rejected', texts.advice);
  return { match, ...facts, decision, billed: documentedBilling(match, 'pure-api'), retake, ...texts, advice };
}

/** Texts of results that are not about one recording. */
const RESULT_HINTS: Readonly<Record<'spoof' | 'different' | 'session', Omit<Texts, 'title'>>> = {
  spoof: {
    explanation: 'The recording does not show a live person but a picture, a screen, a mask or a fake video.',
    advice:
      'If real customers are refused often, compare your SDK version and capture settings with Tencent’s current ones.',
  },
  different: {
    explanation: 'The recording shows a live person who is not the person in the photo or document.',
    advice: LOW_SIMILARITY_HINT,
  },
  session: {
    explanation: 'The person did not bring the session to its end.',
    advice: { person: 'Please start again.' },
  },
};

function hasOwnHint(hint: ResultHint): hint is keyof typeof RESULT_HINTS {
  return hint in RESULT_HINTS;
}

/** Builds the entry of a result of a token flow. */
function resultEntry([match, decision, hint, title]: (typeof RESULTS)[number]): ErrorEntry {
  const { retake, ...texts } = hasOwnHint(hint)
    ? {
        retake: hint === 'session' && decision !== 'retry_limit' ? ('liveness' as const) : ('none' as const),
        ...RESULT_HINTS[hint],
      }
    : HINTS[hint];
  return { ...rejection(match, decision, { title, ...texts }, retake), billed: documentedBilling(match, 'app-sdk') };
}

/** Builds the entry of a problem that says nothing about the person. */
function fault(match: string, kind: Exclude<ErrorClass, 'rejected'>, texts: Texts): ErrorEntry {
  const facts = { service: 'faceid', channel: 'both', decision: null, retry: RETRIES[kind], retake: 'none' } as const;
  const advice = hintWords(kind, texts.advice);
  return { match, ...facts, class: kind, billed: documentedBilling(match, 'pure-api'), ...texts, advice };
}

/**
 * Builds the entry of a problem that has no code of its own: the vendor sends `InvalidParameterValue`, which is not billed, and
 * states the problem in the message.
 */
function unbilledFault(match: string, kind: 'account' | 'reupload', texts: Texts): ErrorEntry {
  return { ...fault(match, kind, texts), billed: 'no' };
}

const MESSAGES = { resourceUrl: /^invalid resource ?url/i, md5: /^md5 ?(?:error|错误)/i };

/**
 * Errors without a code of their own, recognised by the vendor's message. The whole message must state the error: a message that
 * only mentions a parameter (`the request lacks ImageMd5`) does not match. The titles are the vendor's words, because records and
 * logs use them in place of a code.
 */
export const FACEID_MESSAGES: readonly (ErrorEntry & { readonly pattern: RegExp })[] = [
  {
    ...unbilledFault(String(MESSAGES.resourceUrl), 'account', {
      title: 'invalid resourceUrl',
      explanation:
        'Tencent accepts only links of a default COS domain, <bucket>-<appid>.cos.<region>.myqcloud.com, in the region of the API. Uploading to the same bucket again does not help.',
      advice: 'Use a bucket in the region of the API (BESTFRAME_BUCKETS), without a custom or CDN domain.',
    }),
    pattern: MESSAGES.resourceUrl,
  },
  {
    ...unbilledFault(String(MESSAGES.md5), 'reupload', {
      title: 'MD5 Error',
      explanation:
        'The bytes that Tencent downloaded do not have the given MD5: the object was overwritten in the meantime, or both links lead to one object.',
      advice: 'Look for another program that writes to the same folder of the bucket.',
    }),
    pattern: MESSAGES.md5,
  },
];

/**
 * Codes that say no more than that a parameter is wrong. For these codes the classifier also reads the vendor's message; for all
 * other known codes it ignores the message.
 */
export const CARRIES_MESSAGE = /^InvalidParameter(?:Value)?(?:\.|$)/;

const DOWNLOAD_FAULTS: readonly ErrorEntry[] = [
  fault('FailedOperation.DownLoadError', 'reupload', {
    title: 'Tencent could not download a file',
    explanation:
      'The link expired, the object no longer exists, or the bucket refuses a plain GET from a public network.',
    advice: 'Open such a link without credentials, and check the bucket policy, referer lists and firewall.',
  }),
  fault('FailedOperation.DownLoadTimeoutError', 'reupload', {
    title: 'Tencent’s download of a file timed out',
    explanation: 'The download was too slow: the object is large, or the bucket is far from the region of the API.',
    advice: 'Check that the bucket is in the region of the API.',
  }),
  fault('FailedOperation.LipNetFailed', 'reupload', {
    title: 'Tencent could not download the video',
    explanation: 'The link to the video could not be read.',
    advice: '',
  }),
];

export const FACEID: readonly ErrorEntry[] = [
  ...DOWNLOAD_FAULTS,
  ...LOW_SIMILARITY.map(([match, title]) =>
    rejection(match, 'no_match', {
      title,
      explanation: 'The recording shows a live person who is not the person in the photo. Tencent bills this answer.',
      advice: LOW_SIMILARITY_HINT,
    }),
  ),
  ...NOT_LIVE.map(([match, title]) =>
    rejection(match, 'not_live', {
      title,
      explanation: 'The recording does not show a live person but a picture, a screen, a mask or a fake video.',
      advice:
        'If real customers are refused often, compare your SDK version and capture settings with Tencent’s current ones.',
    }),
  ),
  ...RECAPTURE.map(([match, title, hint]) => {
    const { retake, explanation, advice } = HINTS[hint];
    return rejection(match, 'recapture', { title, explanation, advice }, retake);
  }),
  ...ENGINE_FAULTS.map(([match, title]) =>
    fault(match, 'transient', {
      title,
      explanation: 'Something inside Tencent failed. This answer says nothing about the person.',
      advice: 'Give the RequestId to Tencent’s support.',
    }),
  ),
  ...RESULTS.map(resultEntry),
];
