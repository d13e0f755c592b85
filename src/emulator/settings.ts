/** What the emulator can be told, and what it does when it is told nothing. Figures are Tencent's documented defaults. */
import { z } from 'zod';

export type Acl = 'private' | 'public-read' | 'public-read-write';
export type Versioning = 'Enabled' | 'Suspended';

/** What is not readonly can be set by COS's own calls. */
export interface Bucket {
  readonly name: string;
  readonly region: string;
  /** As with SSE-KMS: the ETag is no MD5. */
  readonly opaqueEtag?: boolean;
  /** Private, where it is not set. */
  acl?: Acl;
  /** Where it is not set, it never was on. */
  versioning?: Versioning;
  /** `<Rule>` elements as they were given. */
  lifecycle?: string;
}

export interface Credentials {
  readonly secretId: string;
  readonly secretKey: string;
  /** Temporary credentials: the session token that must come with them. */
  readonly token?: string;
  /** ms since 1970. */
  readonly expiresAt?: number;
}

/** Can be changed while it runs. */
export interface Settings {
  /** Calls a second by action; others are not limited. */
  qps: Record<string, number>;
  linkTtlMs: number;
  /** Of links to what FaceID gives: BestFrames and light sequences. */
  frameTtlMs: number;
  /** How long an answer of FaceID takes, by action. */
  latencyMs: Record<string, number>;
  /** The vendor's clock minus this machine's. */
  clockSkewMs: number;
  /** As an account that lacks money or a contract: every FaceID call answers with this code. */
  accountError: string | null;
}

const ms = z.number().min(0);

/** What may be changed while it runs. `qps` and `latencyMs` are merged by action; 0 a second refuses all. */
export const changesSchema = z.strictObject({
  qps: z.record(z.string(), z.number().min(0)).exactOptional(),
  linkTtlMs: ms.exactOptional(),
  frameTtlMs: ms.exactOptional(),
  latencyMs: z.record(z.string(), ms).exactOptional(),
  clockSkewMs: z.number().exactOptional(),
  accountError: z.string().min(1).nullable().exactOptional(),
});

export const FACEID_REGIONS = ['ap-singapore', 'ap-hongkong', 'ap-bangkok'];

export const DEFAULTS: Settings = {
  qps: {
    DetectReflectLivenessAndCompare: 5,
    VideoLivenessCompare: 20,
    GenerateReflectSequence: 5,
    CreateUploadUrl: 20,
  },
  linkTtlMs: 7_200_000,
  frameTtlMs: 7_200_000,
  latencyMs: {
    DetectReflectLivenessAndCompare: 350,
    VideoLivenessCompare: 350,
    GenerateReflectSequence: 120,
    CreateUploadUrl: 15,
  },
  clockSkewMs: 0,
  accountError: null,
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

/** Tencent's own buckets: where CreateUploadUrl's links lead, and where BestFrames and light sequences lie. */
export const VENDOR_APP_ID = '1251001002';
const SHORT: Readonly<Record<string, string>> = { 'ap-singapore': 'sg', 'ap-hongkong': 'hk', 'ap-bangkok': 'bk' };
export const resourceBucket = (region: string) => `faceid-resource-${SHORT[region] ?? region}-${VENDOR_APP_ID}`;
export const frameBucket = (region: string) => `faceid-result-${SHORT[region] ?? region}-${VENDOR_APP_ID}`;
export const VENDOR_CREDENTIALS: Credentials = {
  secretId: 'AKIDvendorofthelinks00000000000000000',
  secretKey: 'bestframe-emulator-vendor-key-0000',
};
