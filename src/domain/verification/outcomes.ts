/**
 * What each stage writes to the journal. Outcomes are small and plain JSON, because Redis keeps every byte for as long as the
 * record lives. Links are kept for as long as a later stage needs them; the script that settles a verification drops them.
 */
import type { ResourceName } from './actions.ts';
import type { MediaName } from './flows.ts';
import type { Decision, FrameState, OpinionStatus } from './states.ts';

/** A resource that Tencent can fetch, or that its call will carry. */
export interface UploadedResource {
  readonly bytes: number;
  /** 32 hex digits. */
  readonly md5: string;
  /** Own bucket: links to this object are signed on demand. */
  readonly object?: ObjectPlace;
  /** CreateUploadUrl: the vendor's own link, never re-encoded. */
  readonly link?: string;
  /** RequestId of the CreateUploadUrl call that returned the link. */
  readonly requestId?: string;
}

/** Location of an object in COS. */
export interface ObjectPlace {
  readonly bucket: string;
  readonly region: string;
  readonly key: string;
}

/** Outcome of `upload`: every resource is uploaded. Outcome of `read`, too: every resource was read, and has neither object nor link. */
export interface UploadOutcome {
  readonly resources: Readonly<Partial<Record<ResourceName, UploadedResource>>>;
  /** When the first link expires, ms since 1970; absent if links are signed on demand. */
  readonly linksExpireAt?: number;
}

/** Objects that were not copied, because they lie in the own bucket already, count too. */
export function uploadedBytes({ resources }: UploadOutcome): number {
  return Object.values(resources).reduce((sum, resource) => sum + (resource?.bytes ?? 0), 0);
}

/** Outcome of `md5`: Bestframe read each object through the link that Tencent will use, and each object was intact. */
export interface Md5Outcome {
  /** ms since 1970. */
  readonly checkedAt: number;
}

/** Outcome of `start`: the token of a session. It is a secret. */
export interface StartOutcome {
  readonly token: string;
  /** Address of the page that checks the person, for flows with a page. */
  readonly url?: string;
  /** See `FlowStart`. */
  readonly serverParamInfo?: string;
  /** When the token was issued, ms since 1970. */
  readonly at: number;
  readonly requestId: string | null;
  /** The price and the day and month under which the start call was booked. */
  readonly charge: { readonly currency: string; readonly micros: number; readonly day: string; readonly month: string };
}

/** What the result of a session says besides the decision. */
export interface SessionResult {
  /** How many checks the vendor bills; null if its answer does not say. */
  readonly chargeCount: number | null;
  /** Tries of the person that the vendor lists. */
  readonly tries: number;
  /** Risk level of the device, `1` (secure) to `4` (high); null if the vendor gave none. */
  readonly deviceRisk: string | null;
  /** Tencent's reasons for a failed liveness check, e.g. `03`. */
  readonly livenessTags: readonly string[];
}

/** A medium that a session has moved to the place of its frame. */
export interface StoredMedium extends StoredFrame {
  readonly name: MediaName;
}

/** Outcome of `detect` or `collect`: the vendor's answer about the person. */
export interface DetectOutcome {
  readonly decision: Decision;
  /** 0–100; null if the vendor gave none. */
  readonly similarity: number | null;
  /** The vendor's code or Result: `Success`, `FailedOperation.LivessDetectFake`, … */
  readonly result: string;
  readonly requestId: string | null;
  /** Whether the vendor bills the answer. */
  readonly billed: boolean;
  readonly bestFrame: BestFrameLink | null;
  /** Present if the answer leads to a frame in an undocumented way, so that the frame cannot be downloaded. */
  readonly frameHidden?: true;
  /**
   * The frame is stored already, and nothing is left to download: it was part of the answer, or the decision was recovered from a
   * receipt.
   */
  readonly stored?: StoredFrame;
  /** Present if the frame was part of the answer and could not be stored at once. Only the attempt that made the call has it. */
  readonly frameHeld?: true;
  /** Only of a session. */
  readonly session?: SessionResult;
  /** Only of a session: the wanted media that the result has. Their links live for minutes, so they are asked for when needed. */
  readonly media?: { readonly names: readonly MediaName[]; readonly until: number };
}

/** Tencent's link to the picture. */
export interface BestFrameLink {
  readonly url: string;
  /** 32 hex digits, as the vendor gave it. */
  readonly md5: string | null;
  /** ms since 1970; two hours after the answer. */
  readonly expiresAt: number;
}

/** State of a frame that was not and will not be downloaded. */
export function frameWithoutDownload({ frameHidden }: Pick<DetectOutcome, 'frameHidden'>): FrameState {
  return frameHidden === true ? 'unknown_shape' : 'none';
}

/** State of the frame when the decision is recorded. */
export function frameAtDecision(decided: DetectOutcome): FrameState {
  const { bestFrame, stored, frameHeld } = decided;
  return bestFrame !== null || stored !== undefined || frameHeld ? 'pending' : frameWithoutDownload(decided);
}

/** State of the frame of a verification that ends before its download. */
export function frameAtEnd(decided: DetectOutcome): FrameState {
  if (decided.stored !== undefined) return 'stored';
  return decided.frameHeld || frameUntil(decided) !== null ? 'lost' : frameWithoutDownload(decided);
}

/** Until when the frame can be fetched, ms since 1970; null if there is no frame to fetch. */
export function frameUntil({ bestFrame, media }: DetectOutcome): number | null {
  if (bestFrame !== null) return bestFrame.expiresAt;
  return media?.names.includes('bestFrame') === true ? media.until : null;
}

/** The picture after its download. */
export interface StoredFrame {
  /** Location in the sink's notation. @example '/frames/v893….jpg' or 'cos:ap-singapore/faces-1250000000/v893….jpg' */
  readonly path: string;
  /** 32 hex digits. */
  readonly md5: string;
  readonly bytes: number;
}

/** Outcome of `download`: the picture is stored, or its download was given up. */
export interface DownloadOutcome {
  readonly frame: FrameState;
  readonly stored: StoredFrame | null;
  /** Only of a session. */
  readonly media?: readonly StoredMedium[];
}

/** How Tencent rates the risk of an attack. */
export const RISK_LEVELS = ['Low', 'Mid', 'High'] as const;
export type RiskLevel = (typeof RISK_LEVELS)[number];

/** Outcome of `opinion`. It is kept after the end. */
export type OpinionOutcome =
  | {
      readonly level: RiskLevel;
      /** Tencent's names of the attacks that it suspects. @example ['SuspectedSynthesisImage'] */
      readonly attacks: readonly string[];
      readonly requestId: string | null;
    }
  /** There is no answer, and there will be none. `unclear`: Tencent cannot judge the picture. */
  | { readonly failed: { readonly code: string; readonly unclear: boolean } };

export function opinionStatus(outcome: OpinionOutcome): OpinionStatus {
  if ('failed' in outcome) return outcome.failed.unclear ? 'unclear' : 'failed';
  return outcome.level === 'High' ? 'suspected' : 'passed';
}

/**
 * Outcomes by stage; a stage that has not finished is absent. The outcome of `collect` is in `detect`, because both decide, and that of
 * `read` in `upload`, because both say what the files are.
 */
export interface StageOutcomes {
  start?: StartOutcome;
  upload?: UploadOutcome;
  md5?: Md5Outcome;
  detect?: DetectOutcome;
  download?: DownloadOutcome;
  opinion?: OpinionOutcome;
}
