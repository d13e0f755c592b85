/**
 * The classes of data in the data map (docs/privacy.md), and what an erasure does with each. A test compares them with the page.
 *
 * What must hold: the receipt of an erasure names every class, also those that the erasure does not touch.
 */

/** The parts of a receipt that decide what became of the data. */
export interface ErasedParts {
  readonly objects: object | 'not_ours' | null;
  readonly frame: object | 'none' | null;
  readonly evidence: { readonly lockedUntil?: string } | 'none' | null;
}

/**
 * `deleted`: confirmed. `pending`: its deletion is not confirmed yet. `none`: there was none. `expires`: it disappears by itself.
 * `kept`: Bestframe keeps it on purpose. `locked`: it cannot be deleted before a time, and is deleted then. `elsewhere`: others have it. `unrelated`: it is not about this verification.
 */
export const FATES = ['deleted', 'pending', 'none', 'expires', 'kept', 'locked', 'elsewhere', 'unrelated'] as const;
export type Fate = (typeof FATES)[number];

export interface DataFate {
  readonly data: DataClass;
  readonly fate: Fate;
  readonly note: string;
}

interface ClassRule {
  /** How the class's row of the data map begins. */
  readonly row: string;
  readonly fate: Fate | ((receipt: ErasedParts) => Fate);
  readonly note: string;
}

const bucket = ({ objects }: ErasedParts): Fate =>
  objects === 'not_ours' ? 'none' : objects === null ? 'pending' : 'deleted';
const frame = ({ frame: found }: ErasedParts): Fate =>
  found === 'none' ? 'none' : found === null ? 'pending' : 'deleted';

const evidence = ({ evidence: found }: ErasedParts): Fate => {
  if (found === 'none') return 'none';
  if (found === null) return 'pending';
  return found.lockedUntil === undefined ? 'deleted' : 'locked';
};

const RULES = {
  ownBucket: {
    row: 'Liveness packages, videos and photos, on their way to Tencent',
    fate: bucket,
    note: 'objects in your own bucket, with all versions',
  },
  vendorBucket: {
    row: 'Liveness packages, videos and photos (`create-upload-url`)',
    fate: ({ objects }) => (objects === 'not_ours' ? 'expires' : 'none'),
    note: "in Tencent's bucket, which Tencent clears about every two hours",
  },
  sources: { row: 'The original sources', fate: 'elsewhere', note: 'they are yours: Bestframe never deletes them' },
  uploadedFiles: {
    row: 'Files sent over HTTP',
    fate: 'expires',
    note: 'in a bucket, deleted with the objects; in a folder, at once by an erasure over HTTP, else by the API within 15 s',
  },
  spool: {
    row: '`https` sources during the upload',
    fate: 'expires',
    note: 'in files without a name, which end with their use',
  },
  deviceDataBucket: {
    row: 'Device data of a phone, on its way to Tencent',
    fate: 'unrelated',
    note: 'no verification names it; deleted as soon as its request is answered',
  },
  deviceDataVendor: {
    row: 'Device data (`create-upload-url`)',
    fate: 'unrelated',
    note: 'no verification names it; Tencent clears it about every two hours',
  },
  lightSequences: {
    row: 'Light sequences',
    fate: 'unrelated',
    note: 'no verification names them; kept for five minutes',
  },
  frameInFolder: { row: 'BestFrames in the frames folder', fate: frame, note: 'the picture in the frames folder' },
  frameInBucket: {
    row: 'BestFrames delivered to a COS object',
    fate: frame,
    note: 'the picture in the bucket that you named',
  },
  frameReceipt: { row: 'Receipts of frames', fate: frame, note: 'beside the picture, and deleted with it' },
  sessionMedia: {
    row: 'Media of sessions',
    fate: frame,
    note: 'beside the frame, and deleted with it',
  },
  evidence: {
    row: 'Evidence',
    fate: evidence,
    note: 'copies in the bucket with object lock, and deleted when the lock has ended: see `evidence`',
  },
  frameAtVendor: { row: 'BestFrames at Tencent', fate: 'expires', note: 'Tencent keeps it for two hours' },
  sessionTokens: { row: 'Tokens of sessions', fate: 'deleted', note: 'with the record' },
  locations: { row: 'Locations of sources, links', fate: 'deleted', note: 'with the record' },
  keptSources: { row: 'Locations of the sources of a `failed` verification', fate: 'deleted', note: 'with the record' },
  toCopy: { row: "Locations of the sources and Tencent's answer", fate: 'deleted', note: 'with the record' },
  lostFrame: { row: 'If the frame of a verification was lost', fate: 'deleted', note: 'with the record' },
  callerData: { row: 'Your key, metadata, purpose', fate: 'deleted', note: 'with the record and its history' },
  opinion: { row: 'The second opinion', fate: 'deleted', note: 'with the record' },
  outcome: { row: 'State, decision, similarity', fate: 'deleted', note: 'with the record' },
  subject: { row: 'Subject', fate: 'deleted', note: 'with the record; only a keyed hash was stored' },
  tombstone: {
    row: 'The fact that a key existed',
    fate: 'kept',
    note: 'a keyed hash, for a year, so that nothing is paid twice',
  },
  livenessDigest: {
    row: 'Digest of the liveness package',
    fate: 'kept',
    note: 'a keyed digest, for BESTFRAME_REUSE_DAYS, so that a package is not used twice',
  },
  erasureReceipt: { row: 'Receipts of erasures', fate: 'kept', note: 'this receipt, for a year' },
  webhookMessages: {
    row: 'Webhook messages',
    fate: 'elsewhere',
    note: 'pending ones are dropped; the receiver has those that it got, and a notice of the erasure',
  },
  tenantPolicies: { row: '[Policies of tenants]', fate: 'unrelated', note: 'they are not about a person' },
  webhookEndpoints: { row: 'Webhook endpoints', fate: 'unrelated', note: 'they are not about a person' },
  apiKeys: { row: 'API keys', fate: 'unrelated', note: 'they are not about a person' },
  auditLog: {
    row: 'Who viewed a face',
    fate: 'kept',
    note: 'ids, fixed terms and times, for as long as you keep the log',
  },
  credentials: { row: 'Credentials', fate: 'unrelated', note: 'they are not about a person' },
  logs: {
    row: 'Logs, metrics, traces, dashboard',
    fate: 'kept',
    note: 'ids, fixed terms and numbers, for as long as you keep them',
  },
} as const satisfies Readonly<Record<string, ClassRule>>;

export type DataClass = keyof typeof RULES;

export const DATA_CLASSES: Readonly<Record<DataClass, ClassRule>> = RULES;

export function describeData(receipt: ErasedParts): DataFate[] {
  return Object.entries(DATA_CLASSES).map(([data, { fate, note }]) => ({
    data: data as DataClass,
    fate: typeof fate === 'function' ? fate(receipt) : fate,
    note,
  }));
}
