/**
 * The FaceID actions that Bestframe calls: which resources an action needs, and how each resource is checked, uploaded and
 * passed to the call. What Tencent documents about the calls is in `vendor-calls.ts`. No other file names a resource or a
 * parameter of the vendor's API.
 *
 * Tencent publishes no limits of the files of DetectReflectLivenessAndCompare. Those limits are ours: they serve only to catch a
 * wrong file.
 */
import type { SubProduct } from '../errors/index.ts';
import { FLOW_NAMES, FLOWS, type FlowName, flowOf, isFlow, RESULT_CALLS, type ResultCall } from './flows.ts';
import { REGIONS, type Region } from './regions.ts';
import type { StageName } from './states.ts';
import { bytesBeforeBase64, VENDOR_CALLS, type VendorCallName } from './vendor-calls.ts';

export const LINK_CHECKS = ['DetectReflectLivenessAndCompare', 'VideoLivenessCompare'] as const;
/** A paid call that takes links to its files. */
export type LinkCheck = (typeof LINK_CHECKS)[number];

export const CHECK_NAMES = [...LINK_CHECKS, 'CompareFaceLiveness'] as const;
/** The paid FaceID call of a verification whose files the caller has. */
export type CheckName = (typeof CHECK_NAMES)[number];
/** The action of a request that names no action. */
export const DEFAULT_ACTION: CheckName = 'DetectReflectLivenessAndCompare';

export const ACTION_NAMES = [...CHECK_NAMES, ...FLOW_NAMES] as const;
/** The action of a record: the paid call of a verification, or the start call of a session. */
export type ActionName = CheckName | FlowName;

export const RESOURCE_NAMES = ['liveData', 'video', 'image'] as const;
/** A file of a verification: LiveData package, video, or photo to compare with. */
export type ResourceName = (typeof RESOURCE_NAMES)[number];

/** Expected file type, detected from the first bytes. */
export type ContentKind = 'gzip' | 'image' | 'video';

/** How one resource is checked, uploaded and passed to the call. */
export interface ResourceRule {
  /** The parameter with the link, or with the file as Base64. */
  readonly parameter: string;
  /** Null: the call takes the file as Base64. */
  readonly md5Parameter: string | null;
  readonly content: ContentKind;
  readonly contentType: string;
  readonly maxBytes: number;
}

/** The stages, resources and limits of one action. */
export interface ActionRule {
  /** The plan: the stages in their order. */
  readonly stages: readonly StageName[];
  readonly resources: Readonly<Partial<Record<ResourceName, ResourceRule>>>;
  /** The values of `LivenessType` that the call accepts. Empty: the call has neither `LivenessType` nor `ValidateData`. */
  readonly livenessTypes: readonly LivenessType[];
}

export const LIVENESS_TYPES = VENDOR_CALLS.VideoLivenessCompare.parameters.LivenessType.values;
export type LivenessType = (typeof LIVENESS_TYPES)[number];

const MIB = 1024 * 1024;

const contentType = 'application/octet-stream';
const image = { parameter: 'ImageUrl', md5Parameter: 'ImageMd5', content: 'image', contentType } as const;

/** Files are uploaded to where Tencent can read them. */
const BY_LINKS: readonly StageName[] = ['upload', 'md5', 'detect', 'download'];
/** Files are part of the call. */
const BY_REQUEST: readonly StageName[] = ['read', 'md5', 'detect', 'download'];
/** A phone or page does the check. */
const BY_TOKEN: readonly StageName[] = ['start', 'await', 'collect', 'download'];

export const ACTIONS: Readonly<Record<ActionName, ActionRule>> = {
  DetectReflectLivenessAndCompare: {
    stages: BY_LINKS,
    resources: {
      liveData: {
        parameter: 'LiveDataUrl',
        md5Parameter: 'LiveDataMd5',
        content: 'gzip',
        contentType,
        maxBytes: 64 * MIB,
      },
      image: { ...image, maxBytes: 10 * MIB },
    },
    livenessTypes: [],
  },
  VideoLivenessCompare: {
    stages: BY_LINKS,
    resources: {
      video: {
        parameter: 'VideoUrl',
        md5Parameter: 'VideoMd5',
        content: 'video',
        contentType,
        maxBytes: bytesBeforeBase64(VENDOR_CALLS.VideoLivenessCompare.parameters.VideoUrl.maxBase64Bytes),
      },
      image: {
        ...image,
        maxBytes: bytesBeforeBase64(VENDOR_CALLS.VideoLivenessCompare.parameters.ImageUrl.maxBase64Bytes),
      },
    },
    livenessTypes: LIVENESS_TYPES,
  },
  CompareFaceLiveness: {
    stages: BY_REQUEST,
    resources: {
      video: {
        parameter: 'VideoBase64',
        md5Parameter: null,
        content: 'video',
        contentType,
        maxBytes: bytesBeforeBase64(VENDOR_CALLS.CompareFaceLiveness.parameters.VideoBase64.maxBase64Bytes),
      },
      image: {
        parameter: 'ImageBase64',
        md5Parameter: null,
        content: 'image',
        contentType,
        maxBytes: bytesBeforeBase64(VENDOR_CALLS.CompareFaceLiveness.parameters.ImageBase64.maxBase64Bytes),
      },
    },
    livenessTypes: VENDOR_CALLS.CompareFaceLiveness.parameters.LivenessType.values,
  },
  ApplySdkVerificationToken: tokenFlow('ApplySdkVerificationToken'),
  GetFaceIdTokenIntl: tokenFlow('GetFaceIdTokenIntl'),
  ApplyLivenessToken: tokenFlow('ApplyLivenessToken'),
  ApplyWebVerificationBizTokenIntl: tokenFlow('ApplyWebVerificationBizTokenIntl'),
};

/** The photo for the comparison is a parameter of the start call. */
function tokenFlow(flow: FlowName): ActionRule {
  const { photo } = FLOWS[flow];
  const maxBytes = photo === null ? 0 : bytesBeforeBase64(photo.maxBase64Bytes);
  return {
    stages: BY_TOKEN,
    resources: photo === null ? {} : { image: { ...image, parameter: photo.parameter, md5Parameter: null, maxBytes } },
    livenessTypes: [],
  };
}

/** The stages of an action, in their order. A record of another version may name an unknown action. */
export function stagesOf(action: ActionName): readonly StageName[] {
  return ACTIONS[action]?.stages ?? BY_LINKS;
}

/** The stages of a verification, in their order. */
export function planOf({
  action,
  secondOpinion,
}: {
  readonly action: ActionName;
  readonly secondOpinion: boolean;
}): readonly StageName[] {
  return secondOpinion ? [...stagesOf(action), 'opinion'] : stagesOf(action);
}

/** Whether the files of a request are uploaded before the call. Otherwise they are part of the call. */
export function isUploaded(action: ActionName): action is LinkCheck {
  return stagesOf(action).includes('upload');
}

/** Parameters of a call that says how the person proved to be live. */
export function livenessParameters({
  type,
  validateData,
}: {
  readonly type: string;
  readonly validateData?: string | undefined;
}): Record<string, string> {
  return { LivenessType: type, ...(validateData === undefined ? {} : { ValidateData: validateData }) };
}

/** The call that turns device data into a light sequence, before a liveness check. It belongs to no verification. */
export const SEQUENCE_CALL = 'GenerateReflectSequence';
export type SequenceCall = typeof SEQUENCE_CALL;

/** The parameters and limits of the sequence call. */
export const SEQUENCE = {
  resource: 'deviceData',
  urlParameter: 'DeviceDataUrl',
  md5Parameter: 'DeviceDataMd5',
  levelParameter: 'SecurityLevel',
  levels: VENDOR_CALLS.GenerateReflectSequence.parameters.SecurityLevel.values,
  contentType,
  /** Largest size of the device data, and of the sequence. Tencent publishes no limits; these only catch a wrong file. */
  maxBytes: MIB,
  maxSequenceBytes: MIB,
} as const;

/** The call that a request with `secondOpinion` makes after a decision that accepts the person. */
export const OPINION_CALL = 'DetectAIFakeFaces';

/** The parameters of the second opinion, and its limit. */
export const OPINION = {
  parameter: 'FaceInput',
  typeParameter: 'FaceInputType',
  /** The value of `FaceInputType` for a picture. */
  picture: 1,
  maxBytes: bytesBeforeBase64(VENDOR_CALLS.DetectAIFakeFaces.parameters.FaceInput.maxBase64Bytes),
} as const;

/** A call that may be paid. */
export const PAID_CALLS = [...ACTION_NAMES, OPINION_CALL] as const;
export type PaidCall = (typeof PAID_CALLS)[number];

/** Calls that have a gate, which closes when the account has a problem. */
export const GATED_ACTIONS = [...PAID_CALLS, SEQUENCE_CALL, ...RESULT_CALLS] as const;
export type GatedAction = (typeof GATED_ACTIONS)[number];
/** Calls with a rate limit. */
export type GatedCall = VendorCallName | FlowName | ResultCall;

/** The product as which the call of an action is sold. */
export function subProductOf(action: PaidCall): SubProduct {
  return isFlow(action) ? FLOWS[action].subProduct : VENDOR_CALLS[action].subProduct;
}

/** The regions that serve a call. */
export function regionsOf(call: GatedCall): readonly Region[] {
  if (isFlow(call)) return FLOWS[call].regions;
  return isResultCall(call) ? FLOWS[flowOf(call)].regions : VENDOR_CALLS[call].regions;
}

export function serves(region: Region, call: GatedCall): boolean {
  return regionsOf(call).includes(region);
}

/** @returns what is wrong with a request for a call in a region, or null. */
export function regionProblem(region: Region, call: GatedCall): string | null {
  return serves(region, call) ? null : `does not serve ${call}: use one of ${regionsOf(call).join(', ')}`;
}

/** The places of the gates of some calls: every region that serves the call. */
export function placesOf<Call extends GatedCall>(
  calls: readonly Call[],
): readonly { readonly region: Region; readonly action: Call }[] {
  return REGIONS.flatMap((region) =>
    calls.filter((call) => serves(region, call)).map((action) => ({ region, action })),
  );
}

/** Tencent's default limit of a call, in calls per second. */
export function defaultQps(call: GatedCall): number {
  if (isFlow(call)) return FLOWS[call].qps;
  return isResultCall(call) ? FLOWS[flowOf(call)].qps : VENDOR_CALLS[call].qps;
}

export function isResultCall(call: string): call is ResultCall {
  return (RESULT_CALLS as readonly string[]).includes(call);
}

/** Names of the objects that a call needs in the company's own bucket. */
export function objectNames(action: GatedAction): readonly string[] {
  if (action === SEQUENCE_CALL) return [SEQUENCE.resource];
  if (action === OPINION_CALL || isFlow(action) || isResultCall(action) || !isUploaded(action)) return [];
  return resourcesOf(action).map(([name]) => name);
}

/** The resources of an action, in the order in which Tencent documents its parameters. */
export function resourcesOf(action: ActionName): readonly (readonly [ResourceName, ResourceRule])[] {
  const rules = ACTIONS[action].resources;
  return RESOURCE_NAMES.flatMap((name) => {
    const rule = rules[name];
    return rule === undefined ? [] : [[name, rule] as const];
  });
}

/** Configured rate limits in calls per second, by call and region. @default Tencent's own limit, see {@link defaultQps} */
export type Limits = Readonly<Partial<Record<GatedCall, Readonly<Partial<Record<Region, number>>>>>>;

/** The rate limit that applies to a call: the configured one, or else the default. */
export function callsPerSecond(limits: Limits, region: Region, call: GatedCall): number {
  return limits[call]?.[region] ?? defaultQps(call);
}
