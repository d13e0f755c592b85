/**
 * What Tencent's FaceID can be asked to do, as data. Everything that differs between actions is in this table:
 * no other file names a resource or a parameter of the vendor's API.
 *
 * Sources: parameter names, regions and default QPS from Tencent's SDK (faceid 2018-03-01). Image and video limits are
 * published for VideoLivenessCompare only, and there *after Base64* (3 MB and 8 MB): we send bytes, so three quarters of
 * that. No limit is published for LiveData; ours is a guard against the wrong file.
 */

export const REGIONS = ['ap-singapore', 'ap-hongkong', 'ap-bangkok'] as const;
export type Region = (typeof REGIONS)[number];

export const ACTION_NAMES = ['DetectReflectLivenessAndCompare', 'VideoLivenessCompare'] as const;
export type ActionName = (typeof ACTION_NAMES)[number];

export const RESOURCE_NAMES = ['liveData', 'video', 'image'] as const;
export type ResourceName = (typeof RESOURCE_NAMES)[number];

/** What the first bytes of a resource must look like. */
export type ContentKind = 'gzip' | 'image' | 'video';

export interface ResourceRule {
  readonly urlParameter: string;
  readonly md5Parameter: string;
  readonly content: ContentKind;
  readonly contentType: string;
  readonly maxBytes: number;
}

export interface ActionRule {
  readonly resources: Readonly<Partial<Record<ResourceName, ResourceRule>>>;
  /** Calls a second that Tencent allows an account by default. */
  readonly qps: number;
  /** Whether the call takes `LivenessType` and `ValidateData`. */
  readonly takesLiveness: boolean;
}

const MIB = 1024 * 1024;

const image: ResourceRule = {
  urlParameter: 'ImageUrl',
  md5Parameter: 'ImageMd5',
  content: 'image',
  contentType: 'application/octet-stream',
  maxBytes: 2.25 * MIB,
};

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
      image,
    },
    qps: 5,
    takesLiveness: false,
  },
  VideoLivenessCompare: {
    resources: {
      video: {
        urlParameter: 'VideoUrl',
        md5Parameter: 'VideoMd5',
        content: 'video',
        contentType: 'application/octet-stream',
        maxBytes: 6 * MIB,
      },
      image,
    },
    qps: 20,
    takesLiveness: true,
  },
};

/** The call that comes before a liveness check: device data in, a light sequence out. No verification is about it. */
export const SEQUENCE_CALL = 'GenerateReflectSequence';
export type SequenceCall = typeof SEQUENCE_CALL;

export const SEQUENCE = {
  resource: 'deviceData',
  urlParameter: 'DeviceDataUrl',
  md5Parameter: 'DeviceDataMd5',
  levelParameter: 'SecurityLevel',
  /** Silent, blinking, light, blinking and light (what Tencent takes where none is given). */
  levels: ['1', '2', '3', '4'],
  contentType: 'application/octet-stream',
  /** Neither is published; both are guards against the wrong thing. */
  maxBytes: MIB,
  maxSequenceBytes: MIB,
  qps: 5,
} as const;

/** Calls whose gate closes by trouble with the account. */
export const GATED_ACTIONS = [...ACTION_NAMES, SEQUENCE_CALL] as const;
export type GatedAction = (typeof GATED_ACTIONS)[number];
/** Calls that have a rate. */
export type GatedCall = GatedAction | 'CreateUploadUrl';

/** Default QPS of the call that hands out a pair of links. */
export const CREATE_UPLOAD_URL_QPS = 20;

export function defaultQps(call: GatedCall): number {
  if (call === 'CreateUploadUrl') return CREATE_UPLOAD_URL_QPS;
  return call === SEQUENCE_CALL ? SEQUENCE.qps : ACTIONS[call].qps;
}

/** What is uploaded for a call, by the names of its objects in the own bucket. */
export function objectsOf(action: GatedAction): readonly string[] {
  return action === SEQUENCE_CALL ? [SEQUENCE.resource] : resourcesOf(action).map(([name]) => name);
}

/** The resources of an action, in the order in which its parameters are documented. */
export function resourcesOf(action: ActionName): readonly (readonly [ResourceName, ResourceRule])[] {
  const rules = ACTIONS[action].resources;
  return RESOURCE_NAMES.flatMap((name) => {
    const rule = rules[name];
    return rule === undefined ? [] : [[name, rule] as const];
  });
}

/** Calls a second, by call and region; what is not named is Tencent's default. */
export type Limits = Readonly<Partial<Record<GatedCall, Readonly<Partial<Record<Region, number>>>>>>;

export function limitOf(limits: Limits, region: Region, call: GatedCall): number {
  return limits[call]?.[region] ?? defaultQps(call);
}
