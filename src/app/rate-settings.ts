/** The settings of the rates: one for each call of FaceID that has a limit of its own. */
import type { z } from 'zod';
import { defaultQps, type GatedCall, type Limits, regionsOf } from '../domain/verification/actions.ts';
import { ratePerRegion } from './setting-parsers.ts';

const NAMES = {
  DetectReflectLivenessAndCompare: 'BESTFRAME_QPS_DETECT',
  VideoLivenessCompare: 'BESTFRAME_QPS_VIDEO',
  CompareFaceLiveness: 'BESTFRAME_QPS_COMPARE',
  DetectAIFakeFaces: 'BESTFRAME_QPS_OPINION',
  GenerateReflectSequence: 'BESTFRAME_QPS_SEQUENCE',
  CreateUploadUrl: 'BESTFRAME_QPS_UPLOAD_URL',
  ApplySdkVerificationToken: 'BESTFRAME_QPS_SDK_START',
  GetSdkVerificationResult: 'BESTFRAME_QPS_SDK_RESULT',
  GetFaceIdTokenIntl: 'BESTFRAME_QPS_FACEID_START',
  GetFaceIdResultIntl: 'BESTFRAME_QPS_FACEID_RESULT',
  ApplyLivenessToken: 'BESTFRAME_QPS_LIVENESS_START',
  GetLivenessResult: 'BESTFRAME_QPS_LIVENESS_RESULT',
  ApplyWebVerificationBizTokenIntl: 'BESTFRAME_QPS_WEB_START',
  GetWebVerificationResultIntl: 'BESTFRAME_QPS_WEB_RESULT',
} as const satisfies Readonly<Record<GatedCall, string>>;

type RateName = (typeof NAMES)[GatedCall];
type Rate = z.ZodOptional<ReturnType<typeof ratePerRegion>>;

const CALLS = Object.keys(NAMES) as GatedCall[];

export const RATE_SETTINGS = Object.fromEntries(
  CALLS.map((call, index) => [NAMES[call], ratePerRegion(regionsOf(call)).optional().describe(describe(call, index))]),
) as Readonly<Record<RateName, Rate>>;

function describe(call: GatedCall, index: number): string {
  const rest = `Tencent’s default is ${defaultQps(call)}`;
  if (index > 0) return `The same for ${call}. ${rest}`;
  return `${call} calls per second, over all processes, for every region or \`ap-singapore=10,…\`. ${rest}`;
}

export function deriveLimits(settings: { readonly [Name in RateName]?: z.output<Rate> }): Limits {
  const given = CALLS.map((call) => [call, settings[NAMES[call]]] as const);
  return Object.fromEntries(given.filter(([, rates]) => rates !== undefined));
}
