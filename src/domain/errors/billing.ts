/**
 * What Tencent documents about billing, by sub-product and code.
 *
 * Sources, all public:
 * - the eKYC page "Error Codes" with its column "Billed" (product 1061, documents 55390 and 37075; the Chinese version was last
 *   updated on 2023-07-03): one table for all services, and one for each sub-product. The notice of 2026-03-03 (100989) changes
 *   only the tables of H5 and of the App SDKs. The codes in those tables are numbers.
 * - the Chinese site's page "返回码" (product 1007, document 47911), table "人脸核验类", for codes that the first page does not list.
 *
 * If a code is in none of these tables, its billing is `unknown`, and a call that is answered with this code counts as possibly
 * paid.
 */

/** `unknown`: the vendor does not document it, so the call may be on the bill. */
export type Billed = 'yes' | 'no' | 'unknown';

/**
 * The product under which Tencent sells a call. `pure-api`: selfie verification by API. `free`: no price list names the call.
 * Tencent lists DetectReflectLivenessAndCompare under "Other APIs", but its codes are only in the billing table of `pure-api`, so
 * we assume that table. `face-shield`: the AI face shield, which is DetectAIFakeFaces.
 */
export type SubProduct = 'pure-api' | 'app-sdk' | 'h5' | 'face-shield' | 'free';

interface BillingTable {
  readonly billed: readonly RegExp[];
  readonly notBilled: readonly RegExp[];
}

/** Product 1061, document 55390: codes that all services share. */
const ALL_SERVICES: BillingTable = {
  billed: [],
  notBilled: [
    /^InvalidParameter(?:\.|$)/,
    /^InvalidParameterValue\./,
    /^UnauthorizedOperation(?:\.|$)/,
    /^OperationDenied(?:\.|$)/,
    /^InternalError$/,
    /^FailedOperation\.ImageSizeTooLarge$/,
  ],
};

/**
 * Product 1061, document 55390: codes of the pure API. DetectReflectLivenessAndCompare returns some of them under
 * `InternalError`.
 */
const PURE_API: BillingTable = {
  billed: [/^Success$/, /\.CompareLowSimilarity$/],
  notBilled: [
    /^InvalidParameterValue$/,
    /^FailedOperation\.(?:DownLoadError|UnKnown|CompareFail|LivessSystemError)$/,
    /\.LifePhoto(?:DetectFaces|DetectFake|DetectNoFaces|PoorQuality|SizeError)$/,
  ],
};

/** Product 1007, document 47911: codes of face verification. */
const FACE_VERIFICATION: BillingTable = {
  billed: [],
  notBilled: [/^FailedOperation\.(?:CoveredFace|DetectEngineSystemError|ImageDecodeFailed)$/],
};

/** Product 1007, document 47911: codes of the AI face shield. */
const FACE_SHIELD: BillingTable = {
  billed: [/^Success$/],
  notBilled: [
    /^FailedOperation\.(?:CoveredFace|DetectEngineSystemError|ImageDecodeFailed|IncompleteFace|PoorImageQuality|UnKnown)$/,
    /^FailedOperation\.(?:VideoDecodeFailed|VideoDurationExceeded)$/,
    /^InvalidParameterValue$/,
  ],
};

/** Codes of requests that Tencent Cloud's gateway refuses. Such a request never reaches the service that bills. */
const REFUSED_BEFORE: BillingTable = {
  billed: [],
  notBilled: [
    /^(?:AuthFailure|RequestLimitExceeded|MissingParameter|LimitExceeded|UnsupportedOperation)(?:\.|$)/,
    /^(?:ActionOffline|InvalidAction|InvalidRequest|IpInBlacklist|IpNotInWhitelist|NoSuchProduct|NoSuchVersion)$/,
    /^(?:RequestSizeLimitExceeded|UnknownParameter|UnsupportedProtocol|UnsupportedRegion)$/,
    /^FailedOperation\.(?:RequestLimitExceeded|UnOpenError)$/,
    /^ResourceUnavailable\.(?:InArrears|ResourcePackageRunOut)$/,
  ],
};

/**
 * Results of the App SDKs and of H5, as the notice 100989 of 2026-03-03 and document 55390 list them. Bestframe writes the result
 * 1002 as `Result.1002`.
 */
const APP_SDK: BillingTable = {
  billed: [/^Result\.(?:0|1002|1005|1201|2017)$/],
  notBilled: [/^Result\.(?:1001|2012)$/],
};
const H5: BillingTable = {
  billed: [/^Result\.0$/],
  notBilled: [/^Result\.(?:[1-4]|[89]|1[0-1]|1[4-6]|202|100[1-5]|110[1-9]|1201|1409|1410|2012)$/],
};

const TABLES: Readonly<Record<Exclude<SubProduct, 'free'>, readonly BillingTable[]>> = {
  'pure-api': [PURE_API, ALL_SERVICES, FACE_VERIFICATION, REFUSED_BEFORE],
  'app-sdk': [APP_SDK, ALL_SERVICES, REFUSED_BEFORE],
  h5: [H5, ALL_SERVICES, REFUSED_BEFORE],
  'face-shield': [FACE_SHIELD, ALL_SERVICES, REFUSED_BEFORE],
};

/** Whether Tencent bills a call of the sub-product if the answer is `code`: a Result, or the code of an error. */
export function documentedBilling(code: string, subProduct: SubProduct): Billed {
  if (subProduct === 'free') return 'no';
  const says = (list: readonly RegExp[]) => list.some((pattern) => pattern.test(code));
  const tables = TABLES[subProduct];
  if (tables.some(({ billed }) => says(billed))) return 'yes';
  return tables.some(({ notBilled }) => says(notBilled)) ? 'no' : 'unknown';
}
