/**
 * What each stage leaves behind: the journal's content. Small and plain (JSON), since every byte is kept in Redis for
 * as long as the record lives. Links are here only as long as a later stage needs them; the settling script drops them.
 */
import type { ResourceName } from './actions.ts';
import type { Decision, FrameState } from './states.ts';

/** A resource where Tencent can fetch it. */
export interface UploadedResource {
  readonly bytes: number;
  /** 32 hex digits. */
  readonly md5: string;
  /** Own bucket: links are signed when they are needed, from the object's place. */
  readonly object?: ObjectPlace;
  /** CreateUploadUrl: the vendor's own link, never re-encoded. */
  readonly link?: string;
  /** Of the CreateUploadUrl call that gave the link. */
  readonly requestId?: string;
}

export interface ObjectPlace {
  readonly bucket: string;
  readonly region: string;
  readonly key: string;
}

export interface UploadOutcome {
  readonly resources: Readonly<Partial<Record<ResourceName, UploadedResource>>>;
  /** When the first link dies, ms since 1970; absent where links are signed on demand. */
  readonly linksExpireAt?: number;
}

/** The preflight has seen, by the links that Tencent will use, what Tencent will see. */
export interface Md5Outcome {
  readonly checkedAt: number;
}

export interface DetectOutcome {
  readonly decision: Decision;
  /** 0–100; null where the vendor gave none. */
  readonly similarity: number | null;
  /** The vendor's code or Result: `Success`, `FailedOperation.LivessDetectFake`, … */
  readonly result: string;
  readonly requestId: string | null;
  readonly billed: boolean;
  readonly bestFrame: BestFrameLink | null;
  /** Of a decision that was found beside its frame: there is nothing to download any more. */
  readonly stored?: StoredFrame;
}

export interface BestFrameLink {
  readonly url: string;
  /** 32 hex digits, as the vendor gave it. */
  readonly md5: string | null;
  /** ms since 1970; two hours after the answer. */
  readonly expiresAt: number;
}

export interface StoredFrame {
  /** Where it is, in the sink's own words: a path, or cos:region/bucket/key. */
  readonly path: string;
  readonly md5: string;
  readonly bytes: number;
}

export interface DownloadOutcome {
  readonly frame: FrameState;
  readonly stored: StoredFrame | null;
}

export interface StageOutcomes {
  upload?: UploadOutcome;
  md5?: Md5Outcome;
  detect?: DetectOutcome;
  download?: DownloadOutcome;
}
