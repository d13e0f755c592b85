/** The parameters of each start call that a caller may set, with Tencent's names, values and limits. */
import { z } from 'zod';
import type { FlowName } from './flows.ts';

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

export const FLOW_PARAMETERS = {
  ApplySdkVerificationToken: sdkParameters,
  GetFaceIdTokenIntl: faceIdParameters,
  ApplyLivenessToken: z.strictObject({ SecureLevel: secureLevel }),
  ApplyWebVerificationBizTokenIntl: webParameters,
} as const satisfies Readonly<Record<FlowName, z.ZodObject>>;
