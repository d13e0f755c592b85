/** The emulator's settings and their defaults. The numbers are Tencent's documented defaults. */
import { z } from 'zod';

export type Acl = 'private' | 'public-read' | 'public-read-write';
export type Versioning = 'Enabled' | 'Suspended';

/** A bucket and its settings. COS calls can change the fields that are not readonly. */
export interface Bucket {
  readonly name: string;
  readonly region: string;
  /** True if the ETag is not the MD5, as with SSE-KMS. */
  readonly opaqueEtag?: boolean;
  /** When it was created, ms since 1970. Filled in by the emulator. */
  readonly createdAt?: number;
  /** @default 'private' */
  acl?: Acl;
  /** Absent if versioning was never enabled. */
  versioning?: Versioning;
  /** The `<Rule>` elements, exactly as the caller sent them. */
  lifecycle?: string;
  /** Absent if object lock was never enabled. `days`: how long an object is locked that is written without lock headers; null: not at all. */
  objectLock?: { readonly days: number | null };
}

export interface Credentials {
  readonly secretId: string;
  readonly secretKey: string;
  /** Session token that must accompany temporary credentials. */
  readonly token?: string;
  /** ms since 1970. */
  readonly expiresAt?: number;
}

/** All of these can change while the emulator runs. */
export interface Settings {
  /** Calls per second by action. Actions not listed are not limited. */
  qps: Record<string, number>;
  linkTtlMs: number;
  /** Lifetime of links to FaceID's own output: BestFrames and light sequences. */
  frameTtlMs: number;
  /** How long a token waits for the phone to start. */
  tokenTtlMs: number;
  /** How long the result of a session can be asked for, from its token's birth, by the action that issued the token. */
  resultTtlMs: Record<string, number>;
  /** Lifetime of links to the media of a session, from the answer that contains them. */
  mediaTtlMs: number;
  /** Whether a result is answered while the person may still try again: that of the last attempt. */
  showOpenResults: boolean;
  /** How long FaceID takes to answer, by action. */
  latencyMs: Record<string, number>;
  /** The vendor's clock minus this machine's clock, ms. */
  clockSkewMs: number;
  /** Simulates an account in arrears or without a contract: every FaceID call fails with this code. */
  accountError: string | null;
  /** The longest life of keys that STS and the metadata service issue. Null: the keys live as long as the request asks. */
  keyTtlMs: number | null;
  /** The role that is bound to the CVM instance whose metadata the emulator answers. Null: none. */
  instanceRole: string | null;
  /** Whether an answer of a paid action is billed even if Tencent does not document this: the worst case for the caller. */
  billUndocumented: boolean;
}

const durationMs = z.number().min(0);

/** A change to `Settings`. `qps`, `resultTtlMs` and `latencyMs` are merged by action; a rate of 0 refuses every call. */
export const settingsPatchSchema = z.strictObject({
  qps: z.record(z.string(), z.number().min(0)).exactOptional(),
  linkTtlMs: durationMs.exactOptional(),
  frameTtlMs: durationMs.exactOptional(),
  tokenTtlMs: durationMs.exactOptional(),
  resultTtlMs: z.record(z.string(), durationMs).exactOptional(),
  mediaTtlMs: durationMs.exactOptional(),
  showOpenResults: z.boolean().exactOptional(),
  latencyMs: z.record(z.string(), durationMs).exactOptional(),
  clockSkewMs: z.number().exactOptional(),
  accountError: z.string().min(1).nullable().exactOptional(),
  keyTtlMs: durationMs.nullable().exactOptional(),
  instanceRole: z.string().min(1).nullable().exactOptional(),
  billUndocumented: z.boolean().exactOptional(),
});

export const DEFAULT_SETTINGS: Settings = {
  qps: {
    DetectReflectLivenessAndCompare: 5,
    VideoLivenessCompare: 20,
    GenerateReflectSequence: 5,
    CreateUploadUrl: 20,
    CompareFaceLiveness: 20,
    DetectAIFakeFaces: 5,
    ApplySdkVerificationToken: 20,
    GetSdkVerificationResult: 20,
    GetFaceIdTokenIntl: 20,
    GetFaceIdResultIntl: 20,
    ApplyLivenessToken: 20,
    GetLivenessResult: 20,
    ApplyWebVerificationBizTokenIntl: 20,
    GetWebVerificationResultIntl: 20,
  },
  linkTtlMs: 7_200_000,
  frameTtlMs: 7_200_000,
  tokenTtlMs: 600_000,
  resultTtlMs: {
    ApplySdkVerificationToken: 259_200_000,
    GetFaceIdTokenIntl: 259_200_000,
    ApplyLivenessToken: 7_200_000,
    ApplyWebVerificationBizTokenIntl: 259_200_000,
  },
  mediaTtlMs: 600_000,
  showOpenResults: false,
  latencyMs: {
    DetectReflectLivenessAndCompare: 350,
    VideoLivenessCompare: 350,
    GenerateReflectSequence: 120,
    CreateUploadUrl: 15,
    CompareFaceLiveness: 350,
    DetectAIFakeFaces: 250,
  },
  clockSkewMs: 0,
  accountError: null,
  keyTtlMs: null,
  instanceRole: 'bestframe-emulator',
  billUndocumented: false,
};

export const APP_ID = '1250000000';
export const DEFAULT_CREDENTIALS: Credentials = {
  secretId: 'AKIDbestframeemulator0000000000000000',
  secretKey: 'bestframe-emulator-secret-key-0000',
};
export const DEFAULT_BUCKETS: readonly Bucket[] = [
  { name: `bestframe-dev-${APP_ID}`, region: 'ap-singapore' },
  { name: `bestframe-dev-hk-${APP_ID}`, region: 'ap-hongkong' },
  { name: `bestframe-dev-bk-${APP_ID}`, region: 'ap-bangkok' },
];

/** Owner of Tencent's own buckets, which hold uploads by CreateUploadUrl's links, and FaceID's output. */
export const VENDOR_APP_ID = '1251001002';
const REGION_CODES: Readonly<Record<string, string>> = {
  'ap-singapore': 'sg',
  'ap-hongkong': 'hk',
  'ap-bangkok': 'bk',
  'ap-jakarta': 'jk',
  'sa-saopaulo': 'sp',
};

/** The bucket that CreateUploadUrl's links point to. */
export function resourceBucketName(region: string): string {
  return `faceid-resource-${REGION_CODES[region] ?? region}-${VENDOR_APP_ID}`;
}

/** The bucket that holds FaceID's output: BestFrames, light sequences, the media of sessions. */
export function resultBucketName(region: string): string {
  return `faceid-result-${REGION_CODES[region] ?? region}-${VENDOR_APP_ID}`;
}

/** Signs the links that FaceID hands out. */
export const VENDOR_CREDENTIALS: Credentials = {
  secretId: 'AKIDvendorofthelinks00000000000000000',
  secretKey: 'bestframe-emulator-vendor-key-0000',
};
