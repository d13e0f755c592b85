/**
 * The token flows, as Tencent documents them. A start call returns a token, with which a phone or page checks the person. A result
 * call then returns the result of the token, any number of times. Our choices are in the rows of `ACTIONS` (actions.ts) and in
 * `session-result.ts`.
 *
 * Sources: Tencent's API pages (eKYC, product 1061, version 2018-03-01) and the models of its SDK.
 */
import { z } from 'zod';
import type { SubProduct } from '../errors/index.ts';

export const FLOW_NAMES = [
  'ApplySdkVerificationToken',
  'GetFaceIdTokenIntl',
  'ApplyLivenessToken',
  'ApplyWebVerificationBizTokenIntl',
] as const;
/** The start call of a token flow. It is the action of a session. */
export type FlowName = (typeof FLOW_NAMES)[number];

export const RESULT_CALLS = [
  'GetSdkVerificationResult',
  'GetFaceIdResultIntl',
  'GetLivenessResult',
  'GetWebVerificationResultIntl',
] as const;
/** The call that returns the result of a token. It costs nothing. */
export type ResultCall = (typeof RESULT_CALLS)[number];

/** What a result may bring besides the decision. `ocr`: the fields that were read from the identity document, as JSON. */
export const MEDIA_NAMES = [
  ...(['bestFrame', 'liveVideo', 'actionVideo', 'liveData'] as const),
  ...(['profileImage', 'cardImage', 'cardVideo', 'ocr'] as const),
] as const;
export type MediaName = (typeof MEDIA_NAMES)[number];

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const MB = 1024 * 1024;

/** Whether the start call takes a photo for the comparison. */
export type PhotoUse = 'required' | 'optional' | 'refused';

export interface FlowRule {
  readonly resultCall: ResultCall;
  /** The product as which the flow is sold. It decides which results are billed. */
  readonly subProduct: SubProduct;
  /** Default limit of one account for each of the two calls, in calls per second. */
  readonly qps: number;
  /** The field of the start call's answer with the token. The result call has a parameter of the same name. */
  readonly token: 'SdkToken' | 'BizToken';
  /** The field with the address of the page; null: the token is for an SDK. */
  readonly url: 'VerificationURL' | null;
  /** The parameters that a caller may set, with Tencent's names. */
  readonly parameters: z.ZodObject;
  readonly photo: {
    readonly parameter: string;
    readonly maxBase64Bytes: number;
    use(parameters: FlowParameters): PhotoUse;
  } | null;
  /** Whether the flow compares the person with a photo or a document. */
  compares(parameters: FlowParameters): boolean;
  /** How often the person may try. */
  tries(parameters: FlowParameters): number;
  /** The token must be used within this time, ms. */
  readonly startMs: number;
  /** The result can be had for this long after the start, ms. */
  readonly resultMs: number;
  /** What the result can bring. */
  readonly media: readonly MediaName[];
}

/** Parameters of a start call, with Tencent's names. */
export type FlowParameters = Readonly<Record<string, unknown>>;

/** What only the order of a session has. */
export interface SessionOrder {
  readonly parameters: FlowParameters;
  readonly media: readonly MediaName[];
}

const level = (most: number) =>
  z
    .int('is not a whole number')
    .min(1, `is below 1: give 1 to ${most}`)
    .max(most, `is above ${most}: give 1 to ${most}`)
    .optional();
const secureLevel = z.enum(['1', '2', '3', '4']).optional();
const text = (mostChars: number) =>
  z.string().min(1, 'is empty: omit it').max(mostChars, `is longer than ${mostChars} characters`).optional();
const extra = (mostChars: number) =>
  text(mostChars).describe('Passed through by Tencent. Do not put personal data here.');
const actionList = z
  .string()
  .regex(
    /^(?:blink|mouth|nod|shake)(?:,(?:blink|mouth|nod|shake))?$/,
    'is not a list of actions: give one or two of blink, mouth, nod and shake, as "blink,mouth"',
  )
  .optional();
const sdkVersion = z.enum(['BASIC', 'ENHANCED', 'PRO', 'PLUS']).optional();
const tries = (most: number) =>
  z.int('is not a whole number').min(1, 'is below 1').max(most, `is above ${most}`).optional();
const flag = z.boolean().optional();
const warnings = z.array(z.int()).max(20, 'has more than 20 entries').optional();

const sdkParameters = z.strictObject({
  CheckMode: z
    .literal([1, 2, 3])
    .optional()
    .describe('1: document and face (the default). 2: face and photo. 3: liveness only.'),
  SecurityLevel: level(4),
  IdCardType: text(64),
  DisableChangeOcrResult: flag,
  DisableCheckOcrWarnings: flag,
  SelectedWarningCodes: warnings,
  AllowExpiredDocument: flag,
  AllowUploadPhoto: flag,
  CardOcrDisplayFields: z.array(z.string().max(64)).max(50, 'has more than 50 entries').optional(),
  EnableForgeryDetectionImages: flag,
  HideProgressBar: flag,
  MetaData: text(1_024),
  NeedVerifyIdCard: flag,
  SkipLaunchPage: flag,
  SkipOcrConfirmPage: flag,
  SkipResultPage: flag,
  SdkVersion: sdkVersion,
  ActionList: actionList,
  RetryLimit: tries(5),
  Extra: extra(1_024),
});

const faceIdParameters = z.strictObject({
  CheckMode: z.enum(['liveness', 'compare']).optional().describe('Tencent’s default is `liveness`.'),
  SecureLevel: secureLevel,
  SdkVersion: sdkVersion,
  ActionList: actionList,
  RetryLimit: tries(5),
  Extra: extra(1_024),
});

const webParameters = z.strictObject({
  RedirectURL: z
    .string()
    .max(1_024, 'is longer than 1024 characters')
    .regex(/^https?:\/\/[^\s]+$/, 'is not a URL: give the page to which the person returns')
    .describe('Where the page sends the person at the end. `{id}` in it becomes the id of the session.'),
  RuleId: text(64),
  Extra: extra(1_000),
  Config: z
    .strictObject({
      AutoSkipStartPage: flag,
      AutoSkip: flag,
      CheckMode: z
        .literal([1, 2, 3])
        .optional()
        .describe('1: document and face. 2: face and photo (the default). 3: liveness only.'),
      IDCardType: text(64),
      DisableCheckOcrWarnings: flag,
      SecurityLevel: level(5),
      SkipPrivacyPolicy: flag,
      IdCardCutReturn: flag,
      ThemeColor: text(16),
      Language: text(16),
      AutoDowngrade: level(2),
      ActionList: actionList,
      LivenessRetryLimit: tries(99),
      LivenessTimeout: tries(600),
      SelectedWarningCodes: text(128),
      AllowExpiredDocument: flag,
    })
    .optional(),
});

const webMode = ({ Config }: FlowParameters) => ((Config ?? {}) as { CheckMode?: number }).CheckMode ?? 2;
const retryLimit = ({ RetryLimit }: FlowParameters) => Number(RetryLimit ?? 1);
const ocrMedia = ['profileImage', 'cardImage', 'cardVideo', 'ocr'] as const;

export const FLOWS: Readonly<Record<FlowName, FlowRule>> = {
  ApplySdkVerificationToken: {
    resultCall: 'GetSdkVerificationResult',
    subProduct: 'app-sdk',
    qps: 20,
    token: 'SdkToken',
    url: null,
    parameters: sdkParameters,
    // Tencent publishes no limit for the photo of this call. This one is that of its other calls.
    photo: {
      parameter: 'CompareImage',
      maxBase64Bytes: 3 * MB,
      use: ({ CheckMode }) => (CheckMode === 2 ? 'required' : 'refused'),
    },
    compares: ({ CheckMode }) => CheckMode !== 3,
    tries: retryLimit,
    startMs: 10 * MINUTE,
    resultMs: 72 * HOUR,
    media: ['bestFrame', 'liveVideo', 'actionVideo', 'liveData', ...ocrMedia],
  },
  GetFaceIdTokenIntl: {
    resultCall: 'GetFaceIdResultIntl',
    subProduct: 'app-sdk',
    qps: 20,
    token: 'SdkToken',
    url: null,
    parameters: faceIdParameters,
    photo: {
      parameter: 'Image',
      maxBase64Bytes: 3 * MB,
      use: ({ CheckMode }) => (CheckMode === 'compare' ? 'required' : 'refused'),
    },
    compares: ({ CheckMode }) => CheckMode === 'compare',
    tries: retryLimit,
    startMs: 10 * MINUTE,
    resultMs: 72 * HOUR,
    media: ['bestFrame', 'liveVideo', 'actionVideo'],
  },
  ApplyLivenessToken: {
    resultCall: 'GetLivenessResult',
    subProduct: 'app-sdk',
    qps: 20,
    token: 'SdkToken',
    url: null,
    parameters: z.strictObject({ SecureLevel: secureLevel }),
    photo: null,
    compares: () => false,
    tries: () => 1,
    startMs: 10 * MINUTE,
    resultMs: 2 * HOUR,
    media: ['bestFrame', 'liveVideo'],
  },
  ApplyWebVerificationBizTokenIntl: {
    resultCall: 'GetWebVerificationResultIntl',
    subProduct: 'h5',
    qps: 20,
    token: 'BizToken',
    url: 'VerificationURL',
    parameters: webParameters,
    photo: {
      parameter: 'CompareImageBase64',
      maxBase64Bytes: 8 * MB,
      use: (parameters) => (webMode(parameters) === 2 ? 'required' : 'refused'),
    },
    compares: (parameters) => webMode(parameters) !== 3,
    tries: ({ Config }) => Number(((Config ?? {}) as { LivenessRetryLimit?: number }).LivenessRetryLimit ?? 99),
    startMs: 10 * MINUTE,
    resultMs: 72 * HOUR,
    media: ['bestFrame', 'liveVideo', 'ocr'],
  },
};

export function isFlow(action: string): action is FlowName {
  return (FLOW_NAMES as readonly string[]).includes(action);
}

export function flowOf(call: ResultCall): FlowName {
  return FLOW_NAMES.find((flow) => FLOWS[flow].resultCall === call) ?? FLOW_NAMES[0];
}
