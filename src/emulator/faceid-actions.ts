/**
 * The actions of FaceID that the emulator answers: parameters and their types, regions, and the code for a wrong value. Written
 * from Tencent's API pages and models.
 */

/** The type of a parameter: a simple one, an array of one, or an object with the types of its fields. */
export type ParameterType = 'string' | 'integer' | 'boolean' | 'string[]' | 'integer[]' | ParameterTypes;
export interface ParameterTypes {
  readonly [name: string]: ParameterType;
}

export interface ActionRule {
  readonly required: readonly string[];
  readonly optional: readonly string[];
  /** The types of parameters that are not strings. */
  readonly types?: ParameterTypes;
  /** Null: the action takes any region, or none. */
  readonly regions: readonly string[] | null;
  /** The code for a wrong value. @default 'InvalidParameterValue' */
  readonly invalid?: 'InvalidParameter';
}

/** The regions of the calls that take links or pictures. */
export const FACEID_REGIONS: readonly string[] = ['ap-singapore', 'ap-hongkong', 'ap-bangkok'];
const LIVENESS_REGIONS = ['ap-singapore', 'ap-hongkong', 'ap-jakarta'];
/** Every region in which FaceID has a call. */
export const ALL_REGIONS: readonly string[] = [...FACEID_REGIONS, 'ap-jakarta', 'sa-saopaulo'];

const IMAGE = ['ImageUrl', 'ImageMd5'];

export const ACTIONS: Readonly<Record<string, ActionRule>> = {
  CreateUploadUrl: { required: ['TargetAction'], optional: [], regions: FACEID_REGIONS },
  DetectReflectLivenessAndCompare: {
    required: ['LiveDataUrl', 'LiveDataMd5', ...IMAGE],
    optional: [],
    regions: FACEID_REGIONS,
  },
  GenerateReflectSequence: {
    required: ['DeviceDataUrl', 'DeviceDataMd5'],
    optional: ['SecurityLevel'],
    regions: FACEID_REGIONS,
  },
  VideoLivenessCompare: {
    required: ['VideoUrl', 'VideoMd5', ...IMAGE, 'LivenessType'],
    optional: ['ValidateData'],
    regions: FACEID_REGIONS,
  },
  CompareFaceLiveness: {
    required: ['ImageBase64', 'VideoBase64', 'LivenessType'],
    optional: ['ValidateData'],
    regions: FACEID_REGIONS,
  },
  DetectAIFakeFaces: {
    required: [],
    optional: ['FaceInput', 'FaceInputType', 'Encryption', 'EncryptedBody'],
    types: {
      FaceInputType: 'integer',
      Encryption: {
        EncryptList: 'string[]',
        CiphertextBlob: 'string',
        Iv: 'string',
        Algorithm: 'string',
        TagList: 'string[]',
      },
    },
    regions: null,
    invalid: 'InvalidParameter',
  },
  ApplySdkVerificationToken: {
    required: [],
    optional: [
      'CheckMode',
      'SecurityLevel',
      'IdCardType',
      'CompareImage',
      'NeedVerifyIdCard',
      'DisableChangeOcrResult',
      'DisableCheckOcrWarnings',
      'SelectedWarningCodes',
      'Extra',
      'SdkVersion',
      'ActionList',
      'AllowExpiredDocument',
      'SkipResultPage',
      'CardOcrDisplayFields',
      'RetryLimit',
      'EnableForgeryDetectionImages',
      'MetaData',
      'SkipLaunchPage',
      'SkipOcrConfirmPage',
      'HideProgressBar',
      'AllowUploadPhoto',
    ],
    types: {
      CheckMode: 'integer',
      SecurityLevel: 'integer',
      NeedVerifyIdCard: 'boolean',
      DisableChangeOcrResult: 'boolean',
      DisableCheckOcrWarnings: 'boolean',
      SelectedWarningCodes: 'integer[]',
      AllowExpiredDocument: 'boolean',
      SkipResultPage: 'boolean',
      CardOcrDisplayFields: 'string[]',
      RetryLimit: 'integer',
      EnableForgeryDetectionImages: 'boolean',
      SkipLaunchPage: 'boolean',
      SkipOcrConfirmPage: 'boolean',
      HideProgressBar: 'boolean',
      AllowUploadPhoto: 'boolean',
    },
    regions: ALL_REGIONS,
  },
  GetSdkVerificationResult: { required: ['SdkToken'], optional: [], regions: ALL_REGIONS },
  GetFaceIdTokenIntl: {
    required: [],
    optional: ['CheckMode', 'SecureLevel', 'Image', 'Extra', 'ActionList', 'SdkVersion', 'RetryLimit'],
    types: { RetryLimit: 'integer' },
    regions: ALL_REGIONS,
    invalid: 'InvalidParameter',
  },
  GetFaceIdResultIntl: { required: ['SdkToken'], optional: [], regions: ALL_REGIONS },
  ApplyLivenessToken: { required: [], optional: ['SecureLevel'], regions: LIVENESS_REGIONS },
  GetLivenessResult: { required: ['SdkToken'], optional: [], regions: LIVENESS_REGIONS },
  ApplyWebVerificationBizTokenIntl: {
    required: ['RedirectURL'],
    optional: ['CompareImageBase64', 'Extra', 'RuleId', 'Config'],
    types: {
      Config: {
        AutoSkipStartPage: 'boolean',
        AutoSkip: 'boolean',
        CheckMode: 'integer',
        IDCardType: 'string',
        DisableCheckOcrWarnings: 'boolean',
        SecurityLevel: 'integer',
        SkipPrivacyPolicy: 'boolean',
        IdCardCutReturn: 'boolean',
        ThemeColor: 'string',
        Language: 'string',
        AutoDowngrade: 'integer',
        ActionList: 'string',
        LivenessRetryLimit: 'integer',
        LivenessTimeout: 'integer',
        SelectedWarningCodes: 'string',
        AllowExpiredDocument: 'boolean',
        Version: 'string',
      },
    },
    regions: ALL_REGIONS,
  },
  GetWebVerificationResultIntl: { required: ['BizToken'], optional: [], regions: ALL_REGIONS },
};
