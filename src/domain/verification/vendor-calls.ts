/**
 * The calls of FaceID that Bestframe makes, as Tencent documents them: parameters, limits, regions, default rates and outputs,
 * and which fields are links or MD5s. Nothing in this table is a choice of ours; our choices are in `actions.ts`.
 *
 * Sources: Tencent's API pages (eKYC, product 1061, version 2018-03-01) and the models of its SDK. `test/fixtures/vendor` has the
 * same facts with the source of each fact, and a test compares table and fixtures.
 */

import type { SubProduct } from '../errors/index.ts';
import { LINK_REGIONS, REGIONS, type Region } from './regions.ts';

/**
 * What a field holds. `text`, `link`, `md5` and `base64` are strings in JSON: a link is an https URL, an MD5 has 32 hex digits, and
 * Base64 is a file. `percent` is a number from 0 to 100, `integer` a whole number above 0, `number` any number.
 */
export type FieldKind = 'text' | 'link' | 'md5' | 'base64' | 'percent' | 'integer' | 'number';

export interface ParameterRule {
  /** `object`: an object whose fields Bestframe never sends. */
  readonly kind: FieldKind | 'object';
  readonly required: boolean;
  /** The values that Tencent accepts. Absent: any value. */
  readonly values?: readonly (string | number)[];
  /** Largest size of the file after Base64 encoding, in bytes. Absent: Tencent publishes no limit. */
  readonly maxBase64Bytes?: number;
}

/** A field, the fields of an object, or a list whose items all follow one rule. */
export type OutputRule = FieldKind | { readonly [field: string]: OutputRule } | readonly [OutputRule];

export interface VendorCall {
  readonly regions: readonly Region[];
  /** The product as which the call is sold. It decides which answers are billed. */
  readonly subProduct: SubProduct;
  /** Default limit of one account, in calls per second. */
  readonly qps: number;
  readonly parameters: Readonly<Record<string, ParameterRule>>;
  readonly outputs: Readonly<Record<string, OutputRule>>;
  /** Outputs without which the answer is useless. Any other output may be null, or `""` if it is a string. */
  readonly needed: readonly string[];
  /**
   * Outputs that lead to the picture: a field (`BestFrameUrl`), or a field of an object (`BestFrame.Url`). `base64`: the field is
   * the picture itself.
   */
  readonly frame?: { readonly link: string; readonly md5: string } | { readonly base64: string };
}

const MB = 1024 * 1024;

/** Largest request with a signature of version 3. The files of a call must fit into it together. */
export const MAX_REQUEST_BYTES = 10 * MB;

const link = { kind: 'link', required: true } as const;
const md5 = { kind: 'md5', required: true } as const;

export const VENDOR_CALLS = {
  CreateUploadUrl: {
    regions: LINK_REGIONS,
    subProduct: 'free',
    qps: 20,
    // Tencent publishes no list of the accepted values.
    parameters: { TargetAction: { kind: 'text', required: true } },
    outputs: { UploadUrl: 'link', ResourceUrl: 'link', ExpiredTimestamp: 'integer', RequestId: 'text' },
    needed: ['UploadUrl', 'ResourceUrl', 'ExpiredTimestamp', 'RequestId'],
  },
  GenerateReflectSequence: {
    regions: LINK_REGIONS,
    subProduct: 'free',
    qps: 5,
    parameters: {
      DeviceDataUrl: link,
      DeviceDataMd5: md5,
      // 1: silent. 2: blinking. 3: light. 4: blinking and light, which Tencent uses by default.
      SecurityLevel: { kind: 'text', required: false, values: ['1', '2', '3', '4'] },
    },
    outputs: { ReflectSequenceUrl: 'link', ReflectSequenceMd5: 'md5', RequestId: 'text' },
    needed: ['ReflectSequenceUrl', 'ReflectSequenceMd5', 'RequestId'],
  },
  DetectReflectLivenessAndCompare: {
    regions: LINK_REGIONS,
    subProduct: 'pure-api',
    qps: 5,
    parameters: { LiveDataUrl: link, LiveDataMd5: md5, ImageUrl: link, ImageMd5: md5 },
    outputs: {
      BestFrameUrl: 'link',
      BestFrameMd5: 'md5',
      Result: 'text',
      Description: 'text',
      Sim: 'percent',
      RequestId: 'text',
    },
    needed: ['Result'],
    frame: { link: 'BestFrameUrl', md5: 'BestFrameMd5' },
  },
  VideoLivenessCompare: {
    regions: LINK_REGIONS,
    subProduct: 'pure-api',
    qps: 20,
    parameters: {
      ImageUrl: { ...link, maxBase64Bytes: 3 * MB },
      ImageMd5: md5,
      VideoUrl: { ...link, maxBase64Bytes: 8 * MB },
      VideoMd5: md5,
      LivenessType: { kind: 'text', required: true, values: ['LIP', 'ACTION', 'SILENT'] },
      // LIP: the four digits that were spoken. ACTION: the order of the actions, e.g. "2,1". SILENT: nothing.
      ValidateData: { kind: 'text', required: false },
    },
    outputs: {
      Sim: 'percent',
      Result: 'text',
      Description: 'text',
      BestFrame: { Url: 'link', MD5: 'md5', Size: 'integer' },
      RequestId: 'text',
    },
    needed: ['Result'],
    frame: { link: 'BestFrame.Url', md5: 'BestFrame.MD5' },
  },
  CompareFaceLiveness: {
    regions: LINK_REGIONS,
    subProduct: 'pure-api',
    qps: 20,
    parameters: {
      ImageBase64: { kind: 'base64', required: true, maxBase64Bytes: 3 * MB },
      VideoBase64: { kind: 'base64', required: true, maxBase64Bytes: 8 * MB },
      LivenessType: { kind: 'text', required: true, values: ['ACTION', 'SILENT'] },
      // ACTION: the order of the actions, e.g. "2,1". SILENT: nothing.
      ValidateData: { kind: 'text', required: false },
    },
    outputs: { Result: 'text', Description: 'text', Sim: 'percent', BestFrameBase64: 'base64', RequestId: 'text' },
    needed: ['Result'],
    frame: { base64: 'BestFrameBase64' },
  },
  DetectAIFakeFaces: {
    // Tencent names no region: the call may be made in any.
    regions: REGIONS,
    subProduct: 'face-shield',
    qps: 5,
    parameters: {
      // Required unless the request is encrypted. So the page calls neither parameter required.
      FaceInput: { kind: 'base64', required: false, maxBase64Bytes: 10 * MB },
      // 1: a picture. 2: a video.
      FaceInputType: { kind: 'integer', required: false, values: [1, 2] },
      Encryption: { kind: 'object', required: false },
      EncryptedBody: { kind: 'text', required: false },
    },
    outputs: {
      AttackRiskLevel: 'text',
      AttackRiskDetailList: [{ Type: 'text' }],
      ExtraInfo: {
        RetrievalLivenessExtraInfo: [{ HitGroup: 'text', SimilarityScore: 'number', HitTemplate: 'text' }],
      },
      RequestId: 'text',
    },
    needed: ['AttackRiskLevel'],
  },
} as const satisfies Readonly<Record<string, VendorCall>>;

export type VendorCallName = keyof typeof VENDOR_CALLS;

/** Size of a file whose Base64 text has `base64Bytes` bytes. Tencent's limits are for Base64. */
export function bytesBeforeBase64(base64Bytes: number): number {
  return (base64Bytes / 4) * 3;
}
