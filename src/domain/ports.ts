/**
 * The ports: everything outside the process, as the pipeline sees it. The adapters in `adapters/faceid`, `adapters/storage` and
 * `adapters/http` implement the ports, and only the composition in `app/` connects ports and adapters. Every method that does I/O
 * takes an AbortSignal and fails with a Failure.
 */
import type { CheckName, LinkCheck, ResourceName, ResourceRule, SequenceCall } from './verification/actions.ts';
import type { CallBody } from './verification/call-body.ts';
import type { FlowName } from './verification/flows.ts';
import type { FrameReceipt } from './verification/frame-receipt.ts';
import type { BestFrameLink, ObjectPlace, RiskLevel, StoredFrame } from './verification/outcomes.ts';
import type { Region } from './verification/regions.ts';
import type { ShapeTrouble } from './verification/reply-shape.ts';
import type { FrameTarget } from './verification/request.ts';
import type { FlowResult } from './verification/session-result.ts';
import type { Source } from './verification/sources.ts';

// ── sources ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A source that was read completely once: size and MD5 are known, and `stream()` yields exactly those bytes. */
export interface OpenSource {
  readonly sizeBytes: number;
  /** 32 hex digits. */
  readonly md5: string;
  /** Starts a new stream of all bytes. Fails with `SOURCE_CHANGED` if the bytes differ from those that were hashed. */
  stream(): AsyncIterable<Uint8Array>;
  /** Set if the object already lies in COS: the stage may then sign a link to it instead of copying it. */
  readonly place?: ObjectPlace;
  close(): Promise<void>;
}

/** What the policy of a tenant allows a source to be. */
export interface SourceLimits {
  /** Folders of files; undefined: all roots of the deployment. */
  readonly within: readonly string[] | undefined;
  /** Whether a URL may be read. Redirects are asked too. */
  allowsUrl(url: URL): boolean;
}

export interface Sources {
  /**
   * Opens, hashes and checks a source. A valid source exists (if a file, in an allowed folder), is not empty, does not exceed
   * `rule.maxBytes`, holds bytes of the expected kind (not Base64 or a data URL), and has the MD5 that the caller gave. Failures
   * of class `caller` name `field`.
   */
  open(source: Source, rule: ResourceRule, field: string, signal: AbortSignal): Promise<OpenSource>;
  /** The same sources, for a tenant whose policy allows only some of them. */
  limitedTo(limits: SourceLimits): Pick<Sources, 'open'>;
}

// ── company bucket and links ───────────────────────────────────────────────────────────────────────────────────────

/** The company's own bucket in one region. It signs links and deletes objects; bytes travel through `LinkIo`. */
export interface Bucket {
  readonly name: string;
  readonly region: Region;
  /** @param ttlMs lifetime of the link. @returns a link for exactly one method and object. */
  signPut(key: string, ttlMs: number): Promise<string>;
  signGet(place: ObjectPlace, ttlMs: number): Promise<string>;
  /** Deletes an object and confirms the deletion (HEAD answers 404). A missing object is not an error. */
  remove(key: string, signal: AbortSignal): Promise<void>;
  /**
   * Deletes every version and delete marker of every object under a prefix, until the bucket lists none. According to COS's
   * documentation, lists may lack a recent object. So also call `remove` for each object whose key is known. Failures of class
   * `account` name the missing permission.
   *
   * @param prefix a folder with a trailing slash. With any other prefix, nothing is deleted, and the call throws.
   */
  removeAll(prefix: string, signal: AbortSignal): Promise<{ readonly versions: number }>;
  /** Like `removeAll`, but for the versions and delete markers of exactly one object. */
  removeVersions(key: string, signal: AbortSignal): Promise<{ readonly versions: number }>;
  /** Who wrote an object. @returns null if there is no object with this key. */
  ownerOf(key: string, signal: AbortSignal): Promise<{ readonly owner: string | null } | null>;
  /** Deletes every version of one object that `owner` wrote, and confirms it. Versions of others stay. */
  removeOwned(key: string, owner: string, signal: AbortSignal): Promise<void>;
}

/** A bucket with object lock, for copies that nobody can delete before a time. */
export interface LockedBucket {
  readonly name: string;
  readonly region: Region;
  /** Whether object lock is enabled. @throws Failure BUCKET_REGION if there is no such bucket, NO_CREDENTIALS if the keys are refused. */
  isEnabled(signal: AbortSignal): Promise<boolean>;
  /**
   * Writes an object that is locked, and confirms its lock. If the owner has written an object under the key before, only its lock is
   * checked, and made longer if it ends too early; `open` is not called.
   * @param open opens the content. @param until end of the lock, ms since 1970.
   */
  keep(
    key: string,
    open: () => Promise<LockedContent>,
    lock: { readonly owner: string; readonly until: number },
    signal: AbortSignal,
  ): Promise<void>;
  /** Reads a small object as text. @returns null if there is none. */
  read(key: string, limitBytes: number, signal: AbortSignal): Promise<string | null>;
  /** The objects under a prefix with the ends of their locks, ms since 1970; 0: not locked. */
  list(prefix: string, signal: AbortSignal): Promise<LockedObject[]>;
  /**
   * Deletes every version under a prefix whose lock has ended.
   * @param prefix a folder with a trailing slash. @param now ms since 1970.
   */
  removeUnlocked(
    prefix: string,
    now: number,
    signal: AbortSignal,
  ): Promise<{ readonly versions: number; readonly locked: readonly LockedObject[] }>;
}

export interface LockedContent {
  readonly sizeBytes: number;
  /** 32 hex digits. */
  readonly md5: string;
  readonly contentType: string;
  stream(): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

export interface LockedObject {
  readonly key: string;
  readonly until: number;
}

/** The buckets of the evidence. */
export interface EvidenceBuckets {
  /** @param name a bucket that was configured before; default: the one that is configured. @throws Failure NO_BUCKET */
  of(region: Region, name?: string): LockedBucket;
}

export interface Probe {
  readonly sizeBytes: number;
  /** The ETag if it is an MD5 (32 hex digits), else null. */
  readonly etagMd5: string | null;
}

export interface LinkIo {
  /** Streams one PUT with Content-MD5. */
  put(link: string, body: () => AsyncIterable<Uint8Array>, head: PutHead, signal: AbortSignal): Promise<void>;
  /** Reads size and ETag with a GET of one byte, without credentials. */
  probe(link: string, signal: AbortSignal): Promise<Probe>;
  /** Reads and hashes the whole object, and keeps nothing. */
  hash(link: string, signal: AbortSignal): Promise<{ sizeBytes: number; md5: string }>;
  /** Streams an object. */
  get(link: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
}

export interface PutHead {
  readonly sizeBytes: number;
  /** 32 hex digits. */
  readonly md5: string;
  readonly contentType: string;
  /** Id of the verification that writes the object into the company's own bucket. The object's metadata keeps id and MD5. */
  readonly owner?: string;
  /** Until when COS is to lock the object, ms since 1970. Only in a bucket with object lock. */
  readonly lockedUntil?: number;
  /** Whether COS must refuse to replace an existing object (code `FileAlreadyExists`). Buckets with versioning ignore this. */
  readonly ifAbsent?: boolean;
}

// ── the vendor ─────────────────────────────────────────────────────────────────────────────────────────────────────

export interface UploadLink {
  readonly putLink: string;
  readonly getLink: string;
  /** ms since 1970. */
  readonly expiresAt: number;
  readonly requestId: string;
}

/** What a check sends: links to its files, or a body that carries them. */
export type DetectInput =
  | {
      readonly links: Readonly<Partial<Record<ResourceName, { readonly link: string; readonly md5: string }>>>;
      readonly liveness?: { readonly type: string; readonly validateData?: string | undefined };
    }
  | { readonly body: CallBody };

/** A call's slot within the vendor's rate limit: the time at which the call may be sent. */
export interface Turn {
  /** True if the slot has passed: nothing may be sent, and the call needs another slot. Check this just before sending. */
  missed(): boolean;
}

export interface PaidTurn<Input = DetectInput> extends Turn {
  readonly input: Input;
  /** Aborts the call, even after the request was sent. */
  readonly signal: AbortSignal;
}

/** A normal answer. The classifier interprets a `result` other than `Success`. */
export interface DetectAnswer {
  readonly result: string;
  readonly description: string;
  readonly similarity: number | null;
  readonly requestId: string | null;
  readonly bestFrame: BestFrameLink | null;
  /** The frame itself, if the answer contains it. */
  readonly frame?: AnsweredFrame;
  /** Present if some fields do not have the documented shape. `hidesFrame`: the fields that lead to the frame are among them. */
  readonly shapeTrouble?: ShapeTrouble & { readonly hidesFrame: boolean };
}

/** The answer of a second opinion. */
export interface OpinionAnswer {
  readonly level: RiskLevel;
  /** Names of the attacks that are suspected. */
  readonly attacks: readonly string[];
  readonly requestId: string | null;
  readonly shapeTrouble?: ShapeTrouble;
}

export interface AnsweredFrame {
  readonly bytes: Uint8Array;
  /** 32 hex digits. */
  readonly md5: string;
}

/** A token, and where it was issued. */
export interface IssuedToken {
  readonly flow: FlowName;
  readonly region: Region;
  readonly token: string;
}

/** The answer of a start call. */
export interface FlowStart {
  readonly token: string;
  /** Address of the page; null for flows with an SDK. */
  readonly url: string | null;
  /** What the phone's SDK needs besides the token; null if the vendor gave nothing. A secret, like the token. */
  readonly serverParamInfo: string | null;
  readonly requestId: string | null;
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
 * Each call first opens a connection, then calls `turn` and waits for its slot within the rate limit, and then sends at once. So
 * a slow handshake cannot make the call miss its slot. If a call misses its slot, it calls `turn` again for another slot. If
 * `turn` throws, the call throws the same error and has sent nothing.
 */
export interface FaceId {
  /** Requests a pair of links. After a brief failure, the request is repeated, each time in a new slot. */
  createUploadUrl(
    action: LinkCheck | SequenceCall,
    region: Region,
    turn: () => Promise<Turn>,
    signal: AbortSignal,
  ): Promise<UploadLink>;
  /**
   * The paid call: one request on a fresh connection. It is never retried and follows no redirect.
   * @param signal aborts the call as long as it has no slot. Once it has a slot, only the signal of the `PaidTurn` aborts it.
   */
  detect(action: CheckName, region: Region, turn: () => Promise<PaidTurn>, signal: AbortSignal): Promise<DetectAnswer>;
  /** Asks for a second opinion about a picture, in a call that may be billed: made like `detect`. */
  secondOpinion(region: Region, turn: () => Promise<PaidTurn<CallBody>>, signal: AbortSignal): Promise<OpinionAnswer>;
  /**
   * Opens the connection of the paid call that will be made with this signal, so that the call does not wait for it. Returns at
   * once. A second use opens a new connection if the first one has become too old.
   */
  prepareCall(signal: AbortSignal): void;
  /** Closes the prepared connection, if no call took it. */
  forgetCall(signal: AbortSignal): void;
  /** The call that returns the token of a session, and may be billed: made like `detect`. */
  startFlow(
    flow: FlowName,
    region: Region,
    turn: () => Promise<PaidTurn<CallBody>>,
    signal: AbortSignal,
  ): Promise<FlowStart>;
  /** Asks for the result of a token: one request, never retried. Free. */
  flowResult(session: IssuedToken, turn: () => Promise<Turn>, signal: AbortSignal): Promise<FlowResult>;
  /** Requests a light sequence for a phone: one request, never retried. */
  generateSequence(
    region: Region,
    input: SequenceInput,
    turn: () => Promise<Turn>,
    signal: AbortSignal,
  ): Promise<SequenceLink>;
}

// ── frames ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A complete, verified frame. `bytes` can be called any number of times. */
export interface OpenFrame {
  /** @param from offset of the first byte. @param to offset of the last byte. */
  bytes(from: number, to: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** Where a verification's frame is stored. */
export interface FramePlace {
  /** Id of the verification. */
  readonly id: string;
  /** A tenant's files lie in a folder of its own. */
  readonly tenant: string | null;
  readonly target: FrameTarget;
}

export interface NewFrame extends FramePlace {
  readonly frame: AsyncIterable<Uint8Array>;
  /** 32 hex digits, or null if the vendor gave none. */
  readonly md5: string | null;
  readonly receipt: Omit<FrameReceipt, 'frame'>;
}

export interface FrameSink {
  /**
   * Checks the MD5 (`FRAME_MD5_MISMATCH`) and writes the frame atomically, under the same name for every attempt, with a receipt
   * next to it. Replaces only what this verification wrote: anything else under the name is `FRAME_TAKEN`, and stays.
   */
  store(frame: NewFrame, signal: AbortSignal): Promise<StoredFrame>;
  /**
   * Reads the decision and the frame that `store` wrote for this verification. Null if the receipt is missing, is
   * unreadable or belongs to another verification. Also null if the frame is missing or its bytes have changed. Fails if a bucket
   * does not answer.
   */
  receipt(
    place: FramePlace,
    signal: AbortSignal,
  ): Promise<{ readonly receipt: FrameReceipt; readonly stored: StoredFrame } | null>;
  /**
   * Opens a stored frame for reading. Null if the frame is missing or its bytes have changed. Fails like `remove` if the frame
   * does not belong to this sink.
   */
  open(stored: StoredFrame, signal: AbortSignal): Promise<OpenFrame | null>;
  /**
   * Deletes a frame and its receipt and confirms the deletion: the file is gone, or no version of the object is listed. Deletes
   * only what the verification wrote. A missing frame, and one that something else replaced, is not an error. If the frame does
   * not belong to this sink (`FRAME_ELSEWHERE`, `NO_BUCKET`), nothing is deleted.
   */
  remove(stored: Pick<StoredFrame, 'path'>, id: string, signal: AbortSignal): Promise<void>;
  /** Deletes partial files that killed processes left behind. It scans the whole folder: use it only for erasure on demand. */
  removeParts(stored: Pick<StoredFrame, 'path'>): Promise<void>;
  /** Reads all receipts in the frames folder, unsorted. Skips buckets, which belong to callers. `path` is the frame's path. */
  receipts(signal: AbortSignal): AsyncIterable<{ readonly path: string; readonly receipt: FrameReceipt }>;
  /** The path that `store` would use. Null if no frame is wanted, or if the target is not configured. */
  pathFor(place: FramePlace): string | null;
}

// ── webhooks ───────────────────────────────────────────────────────────────────────────────────────────────────────

export interface WebhookSender {
  /**
   * Sends one POST with JSON and follows no redirect. Every answer is returned, whatever its status.
   * @throws Failure ADDRESS_FORBIDDEN for a private address, or another Failure if no answer arrives.
   */
  post(
    url: string,
    headers: Readonly<Record<string, string>>,
    body: string,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly retryAfterMs: number | null }>;
}
