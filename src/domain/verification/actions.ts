/**
 * The FaceID actions that Bestframe calls: which resources an action needs, and how each resource is checked, uploaded and
 * passed to the call. What Tencent documents about the calls is in `vendor-calls.ts`. No other file names a resource or a
 * parameter of the vendor's API.
 *
 * Tencent publishes image and video limits for VideoLivenessCompare only. The limits of the other calls are ours: they serve only
 * to catch a wrong file.
 */
import { bytesBeforeBase64, VENDOR_CALLS, type VendorCallName } from './vendor-calls.ts';

export const REGIONS = VENDOR_CALLS.CreateUploadUrl.regions;
/** Region of the FaceID API. The bucket must be in the same region. */
export type Region = (typeof REGIONS)[number];

export const ACTION_NAMES = ['DetectReflectLivenessAndCompare', 'VideoLivenessCompare'] as const;
/** The paid FaceID call of a verification. */
export type ActionName = (typeof ACTION_NAMES)[number];
/** The action of a request that names no action. */
export const DEFAULT_ACTION: ActionName = 'DetectReflectLivenessAndCompare';

export const RESOURCE_NAMES = ['liveData', 'video', 'image'] as const;
/** A file of a verification: LiveData package, video, or photo to compare with. */
export type ResourceName = (typeof RESOURCE_NAMES)[number];

/** Expected file type, detected from the first bytes. */
export type ContentKind = 'gzip' | 'image' | 'video';

/** How one resource is checked, uploaded and passed to the call. */
export interface ResourceRule {
  readonly urlParameter: string;
  readonly md5Parameter: string;
  readonly content: ContentKind;
  readonly contentType: string;
  readonly maxBytes: number;
}

/** The resources and limits of one action. */
export interface ActionRule {
  readonly resources: Readonly<Partial<Record<ResourceName, ResourceRule>>>;
  /** Whether the call accepts `LivenessType` and `ValidateData`. */
  readonly takesLiveness: boolean;
}

const MIB = 1024 * 1024;

const image = {
  urlParameter: 'ImageUrl',
  md5Parameter: 'ImageMd5',
  content: 'image',
  contentType: 'application/octet-stream',
} as const;

export const ACTIONS: Readonly<Record<ActionName, ActionRule>> = {
  DetectReflectLivenessAndCompare: {
    resources: {
      liveData: {
        urlParameter: 'LiveDataUrl',
        md5Parameter: 'LiveDataMd5',
        content: 'gzip',
        contentType: 'application/octet-stream',
        maxBytes: 64 * MIB,
      },
      image: { ...image, maxBytes: 10 * MIB },
    },
    takesLiveness: false,
  },
  VideoLivenessCompare: {
    resources: {
      video: {
        urlParameter: 'VideoUrl',
        md5Parameter: 'VideoMd5',
        content: 'video',
        contentType: 'application/octet-stream',
        maxBytes: bytesBeforeBase64(VENDOR_CALLS.VideoLivenessCompare.parameters.VideoUrl.maxBase64Bytes),
      },
      image: {
        ...image,
        maxBytes: bytesBeforeBase64(VENDOR_CALLS.VideoLivenessCompare.parameters.ImageUrl.maxBase64Bytes),
      },
    },
    takesLiveness: true,
  },
};

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
  contentType: 'application/octet-stream',
  /** Largest size of the device data, and of the sequence. Tencent publishes no limits; these only catch a wrong file. */
  maxBytes: MIB,
  maxSequenceBytes: MIB,
} as const;

/** Calls that have a gate, which closes when the account has a problem. */
export const GATED_ACTIONS = [...ACTION_NAMES, SEQUENCE_CALL] as const;
export type GatedAction = (typeof GATED_ACTIONS)[number];
/** Calls with a rate limit. */
export type GatedCall = VendorCallName;

/** Tencent's default limit of a call, in calls per second. */
export function defaultQps(call: GatedCall): number {
  return VENDOR_CALLS[call].qps;
}

/** Names of the objects that a call needs in the company's own bucket. */
export function objectNames(action: GatedAction): readonly string[] {
  return action === SEQUENCE_CALL ? [SEQUENCE.resource] : resourcesOf(action).map(([name]) => name);
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
