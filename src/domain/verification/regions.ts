/**
 * The regions of FaceID's international API. A region has the same name in FaceID and in COS. The host of the API is the same for
 * all regions (`BESTFRAME_FACEID_ENDPOINT`); a call names its region in a header.
 *
 * Not every region serves every call: the page of each call lists its regions, and so does the row of each call in
 * `vendor-calls.ts` and `flows.ts`. `regionsOf` in `actions.ts` reads these rows.
 */

export const REGIONS = ['ap-singapore', 'ap-hongkong', 'ap-bangkok', 'ap-jakarta', 'sa-saopaulo'] as const;
/** Region of the FaceID API. A bucket from which Tencent reads must be in the same region. */
export type Region = (typeof REGIONS)[number];

/** The regions of the calls that take links. */
export const LINK_REGIONS = ['ap-singapore', 'ap-hongkong', 'ap-bangkok'] as const satisfies readonly Region[];
