/**
 * The edges of the world, as the stages see them. Adapters in `tencent/`, `storage/` and `transport/` implement these;
 * `compose.ts` is the only place where the two meet. Every method takes an AbortSignal and fails with a Failure.
 */
import type { ActionName, Region, ResourceName, ResourceRule, SequenceCall } from './actions.ts';
import type { BestFrameLink, ObjectPlace, StoredFrame } from './outcomes.ts';
import type { FrameReceipt } from './receipt.ts';
import type { Source } from './sources.ts';
import type { FrameTarget } from './verification.ts';

// ── where bytes come from ──────────────────────────────────────────────────────────────────────────────────────────

/** A source that was read once from end to end: size and MD5 are known, and `bytes()` yields those very bytes. */
export interface OpenSource {
  readonly sizeBytes: number;
  /** 32 hex digits. */
  readonly md5: string;
  /** A fresh stream of the whole. Fails with `SOURCE_CHANGED` if the source is not what was hashed. */
  stream(): AsyncIterable<Uint8Array>;
  /** Set where the object already lies in COS; the stage may then sign it instead of copying it. */
  readonly place?: ObjectPlace;
  close(): Promise<void>;
}

export interface Sources {
  /**
   * Opens, hashes and judges a source: exists, inside the roots, not empty, not over `rule.maxBytes`, bytes of the
   * expected kind and not Base64 or a data URL, MD5 as the caller said. Failures of class `caller` name `field`.
   */
  open(source: Source, rule: ResourceRule, field: string, signal: AbortSignal): Promise<OpenSource>;
}

// ── where Tencent fetches them ─────────────────────────────────────────────────────────────────────────────────────

/** The company's own bucket for one region. Signs and deletes; bytes travel through `LinkIo`. */
export interface Bucket {
  readonly name: string;
  readonly region: Region;
  /** @param ttlMs life of the link. @returns a link for exactly one method and object. */
  signPut(key: string, ttlMs: number): Promise<string>;
  signGet(place: ObjectPlace, ttlMs: number): Promise<string>;
  /** Deletes and confirms (HEAD answers 404). An object that is already away is fine. */
  remove(key: string, signal: AbortSignal): Promise<void>;
  /**
   * Deletes every version and delete marker of every object whose key begins so, until the bucket lists none. COS says of
   * its lists that an object may be late in them: what is known by its key is removed by its key, too. Failures of class
   * `account` name the permission that is missing.
   *
   * @param prefix names a folder and ends with a slash; with any other it deletes nothing and throws.
   */
  removeAll(prefix: string, signal: AbortSignal): Promise<{ readonly versions: number }>;
  /** The same for one object: its versions and delete markers, and nobody else's. */
  removeVersions(key: string, signal: AbortSignal): Promise<{ readonly versions: number }>;
}

export interface Probe {
  readonly sizeBytes: number;
  /** The ETag where it is an MD5 (32 hex digits), else null. */
  readonly etagMd5: string | null;
}

export interface LinkIo {
  /** One streaming PUT with Content-MD5. @param md5 32 hex digits. */
  put(link: string, body: () => AsyncIterable<Uint8Array>, head: PutHead, signal: AbortSignal): Promise<void>;
  /** What a GET without credentials would see, by a one-byte range. */
  probe(link: string, signal: AbortSignal): Promise<Probe>;
  /** Reads the whole object and hashes it, keeping nothing. */
  hash(link: string, signal: AbortSignal): Promise<{ sizeBytes: number; md5: string }>;
  /** Streams an object, to be consumed by a sink. */
  get(link: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
}

export interface PutHead {
  readonly sizeBytes: number;
  readonly md5: string;
  readonly contentType: string;
}

// ── the vendor ─────────────────────────────────────────────────────────────────────────────────────────────────────

export interface UploadLink {
  readonly putLink: string;
  readonly getLink: string;
  /** ms since 1970. */
  readonly expiresAt: number;
  readonly requestId: string;
}

export interface DetectInput {
  readonly links: Readonly<Partial<Record<ResourceName, { readonly link: string; readonly md5: string }>>>;
  readonly liveness?: { readonly type: string; readonly validateData?: string | undefined };
}

/** A call's moment in the vendor's rate. */
export interface Turn {
  /** Asked at the last moment: true where nothing may leave any more, and another turn is to be waited for. */
  missed(): boolean;
}

export interface PaidTurn extends Turn {
  readonly input: DetectInput;
  /** Ends the call. */
  readonly signal: AbortSignal;
}

/** A normal answer; `result` other than `Success` is for the classifier. */
export interface DetectAnswer {
  readonly result: string;
  readonly description: string;
  readonly similarity: number | null;
  readonly requestId: string;
  readonly bestFrame: BestFrameLink | null;
}

export interface SequenceInput {
  readonly link: string;
  /** 32 hex digits. */
  readonly md5: string;
  readonly securityLevel?: string | undefined;
}

export interface SequenceLink {
  readonly url: string;
  /** 32 hex digits. */
  readonly md5: string;
  readonly requestId: string;
}

/**
 * A call's `turn` is waited for on an open connection, and then the request leaves at once: how long a handshake takes says
 * nothing about when a call reaches the vendor. It is waited for again where it was missed. What it throws is thrown, and
 * nothing has left.
 */
export interface FaceId {
  /** Tried again after a hiccup, each time in a turn of its own. */
  createUploadUrl(
    action: ActionName | SequenceCall,
    region: Region,
    turn: () => Promise<Turn>,
    signal: AbortSignal,
  ): Promise<UploadLink>;
  /**
   * The paid call: one request, on a connection that was never used, no retry inside, no redirect followed.
   * @param signal ends opening and waiting; after that, only the turn's own does.
   */
  detect(action: ActionName, region: Region, turn: () => Promise<PaidTurn>, signal: AbortSignal): Promise<DetectAnswer>;
  /** A light sequence for a phone: one request, no retry inside. */
  generateSequence(
    region: Region,
    input: SequenceInput,
    turn: () => Promise<Turn>,
    signal: AbortSignal,
  ): Promise<SequenceLink>;
}

// ── where the frame goes ───────────────────────────────────────────────────────────────────────────────────────────

/** Whole and checked; `bytes` may be asked for again and again. */
export interface OpenFrame {
  /** @param from of the first byte, and @param to of the last. */
  bytes(from: number, to: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

export interface FrameSink {
  /**
   * Writes atomically under a name that is the same for every attempt, checks the MD5 first (`FRAME_MD5_MISMATCH`); then,
   * beside it, the receipt.
   * @param md5 32 hex digits, or null where the vendor gave none.
   */
  store(
    id: string,
    target: FrameTarget,
    frame: AsyncIterable<Uint8Array>,
    md5: string | null,
    receipt: Omit<FrameReceipt, 'frame'>,
    signal: AbortSignal,
  ): Promise<StoredFrame>;
  /**
   * What `store` left for this verification: it was decided, and its frame is there. Null where there is no receipt that can
   * be read, where it is another verification's, and where the frame beside it is gone or is not the one that it was
   * written for. A bucket that does not answer is a Failure, and no null.
   */
  receipt(
    id: string,
    target: FrameTarget,
    signal: AbortSignal,
  ): Promise<{ readonly receipt: FrameReceipt; readonly stored: StoredFrame } | null>;
  /**
   * The frame that was stored, open to be read; null where it is gone, or where another picture lies in its place. Where it is
   * not this sink's, as with `remove`.
   */
  open(stored: StoredFrame, signal: AbortSignal): Promise<OpenFrame | null>;
  /**
   * Deletes what lies under this name, and its receipt, and confirms it: a file is gone, of an object no version is listed.
   * What is away already is fine. Where it is not this sink's (`FRAME_ELSEWHERE`, `NO_BUCKET`), nothing is touched.
   */
  remove(stored: Pick<StoredFrame, 'path'>, signal: AbortSignal): Promise<void>;
  /** Deletes what killed processes have left of it half written. Looks through a whole folder: for what is erased on demand. */
  removeParts(stored: Pick<StoredFrame, 'path'>): Promise<void>;
  /** Where `store` would put it; null where nobody wants it, or where it cannot go. */
  pathFor(id: string, target: FrameTarget): string | null;
}

// ── who is told ────────────────────────────────────────────────────────────────────────────────────────────────────

export interface WebhookSender {
  /**
   * One POST of JSON; no redirect is followed, and of the answer nothing but this is kept.
   * @throws Failure ADDRESS_FORBIDDEN and others of the way there; every answer is returned, whatever its status.
   */
  post(
    url: string,
    headers: Readonly<Record<string, string>>,
    body: string,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly retryAfterMs: number | null }>;
}
