/**
 * The token flows, as Tencent documents them. A start call returns a token, with which a phone or page checks the person. A result
 * call then returns the result of the token, any number of times. Our choices are in the rows of `ACTIONS` (actions.ts) and in
 * `session-result.ts`.
 *
 * Sources: Tencent's API pages (eKYC, product 1061, version 2018-03-01) and the models of its SDK.
 */
import type { SubProduct } from '../errors/index.ts';
import { REGIONS, type Region } from './regions.ts';

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
  /** Where both calls are offered. */
  readonly regions: readonly Region[];
  /** Default limit of one account for each of the two calls, in calls per second. */
  readonly qps: number;
  /** The field of the start call's answer with the token. The result call has a parameter of the same name. */
  readonly token: 'SdkToken' | 'BizToken';
  /** The field with the address of the page; null: the token is for an SDK. */
  readonly url: 'VerificationURL' | null;
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

const webMode = ({ Config }: FlowParameters) => ((Config ?? {}) as { CheckMode?: number }).CheckMode ?? 2;
/** Tencent's default is 5, as the models of its SDK for Go say. */
const retryLimit = ({ RetryLimit }: FlowParameters) => Number(RetryLimit ?? 5);
const ocrMedia = ['profileImage', 'cardImage', 'cardVideo', 'ocr'] as const;

export const FLOWS: Readonly<Record<FlowName, FlowRule>> = {
  ApplySdkVerificationToken: {
    resultCall: 'GetSdkVerificationResult',
    subProduct: 'app-sdk',
    regions: REGIONS,
    qps: 20,
    token: 'SdkToken',
    url: null,
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
    regions: REGIONS,
    qps: 20,
    token: 'SdkToken',
    url: null,
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
    regions: ['ap-singapore', 'ap-hongkong', 'ap-jakarta'],
    qps: 20,
    token: 'SdkToken',
    url: null,
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
    regions: REGIONS,
    qps: 20,
    token: 'BizToken',
    url: 'VerificationURL',
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
