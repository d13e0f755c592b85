/** A verification as its caller sees it: `get`, `wait`, the CLI and the dashboard show it. It contains no link and no source. */

import type { Audience, Retake } from '../errors/index.ts';
import type { ActionName } from './actions.ts';
import type { Cost } from './cost.ts';
import type { EvidenceView } from './evidence.ts';
import type { MediaName } from './flows.ts';
import type { HistoryEntry } from './history.ts';
import type { LegalHold } from './legal-hold.ts';
import type { Mode } from './mode.ts';
import type { RiskLevel, StoredFrame, StoredMedium } from './outcomes.ts';
import type { PausedBy } from './pauses.ts';
import type { Region } from './regions.ts';
import type { Consent, Lane, UploadWay } from './request.ts';
import type { Decision, FrameState, NextStep, OpinionStatus, StageName, State } from './states.ts';

/** What only a session has. The token is not here: only the call that starts the session returns it. */
export interface SessionView {
  /** When Tencent issued the token, ISO 8601. Null before that, and after the end. */
  readonly startedAt: string | null;
  /** The person must begin by then. */
  readonly startBy: string | null;
  /** Tencent keeps the result until then. */
  readonly resultUntil: string | null;
  /** When your backend last reported that the person has finished. */
  readonly toldAt: string | null;
  /** How many checks Tencent bills; null if its result does not say. */
  readonly chargeCount: number | null;
  /** Tries of the person that Tencent lists. */
  readonly tries: number;
  /** `1` (secure) to `4` (high risk); null if Tencent gave none. */
  readonly deviceRisk: string | null;
  /** Tencent's reasons for a failed liveness check, e.g. `03`: photo replay. */
  readonly livenessTags: readonly string[];
  /** What is to be moved from Tencent; empty after the end. */
  readonly wanted: readonly MediaName[];
  /** What was stored besides the frame; empty before the end. */
  readonly media: readonly MediumView[];
}

/** A medium of a session that is stored. */
export interface MediumView extends StoredMedium {
  /** Content type. @example 'video/mp4' */
  readonly type: string;
}

/** The second opinion of DetectAIFakeFaces about the frame. Its calls are not among the verification's own `paidCalls`. */
export interface OpinionView {
  readonly status: OpinionStatus;
  /** How Tencent rates the risk of an attack; null without an answer. */
  readonly level: RiskLevel | null;
  /** Tencent's names of the attacks that it suspects. @example ['SuspectedSynthesisImage'] */
  readonly attacks: readonly string[];
  /** Why there is no answer; null if there is one, or if it is not known yet. */
  readonly code: string | null;
  readonly requestId: string | null;
  readonly paidCalls: number;
  readonly possiblyPaidCalls: number;
  /** Null without prices. */
  readonly cost: Cost | null;
}

/** A verification with its history. */
export interface VerificationView {
  /** `v` and 25 base-36 digits. */
  readonly id: string;
  /** The caller's own key. */
  readonly key: string;
  /** Owner in a shared deployment; null for the deployment's own verifications. */
  readonly tenant: string | null;
  readonly mode: Mode;
  readonly action: ActionName;
  readonly region: Region;
  readonly upload: UploadWay;
  readonly lane: Lane;
  readonly state: State;
  /** What the caller should do now. */
  readonly next: NextStep;
  /** Null until the vendor has answered. */
  readonly decision: Decision | null;
  /** 0–100, as the vendor gave it. */
  readonly similarity: number | null;
  /** Lowest similarity of a match, 0–100. */
  readonly similarityThreshold: number;
  /** Why the verification waits, is held, or has no match. If there is a decision and it is not `match`, never null. */
  readonly reason: ViewReason | null;
  /** What to take again before a new verification. */
  readonly retake: Retake;
  /** What blocks the verification although its own work could go on; null if nothing does. */
  readonly pausedBy: PausedBy | null;
  /** ISO 8601: when the verification is tried again. Null if it is not waiting, or if only a person can end the wait. */
  readonly retryAfter: string | null;
  readonly frame: FrameState;
  /** Null unless `frame` is `stored`. */
  readonly bestFrame: StoredFrame | null;
  /** Calls that the vendor bills. */
  readonly paidCalls: number;
  /** Calls that the vendor may bill: no answer arrived, or the vendor does not document whether it bills the answer. */
  readonly possiblyPaidCalls: number;
  /** Cost of the paid and possibly paid calls, all at the price that applied to the last call; null without prices. */
  readonly cost: Cost | null;
  /** The vendor's RequestIds. */
  readonly requestIds: readonly string[];
  /** The stage that is running or comes next. After the end: the stage in which the verification ended. */
  readonly stage: StageName;
  /** Attempts and total duration in ms, by stage. */
  readonly stages: readonly { readonly name: StageName; readonly attempts: number; readonly ms: number }[];
  /** Only of a session; null for a verification. */
  readonly session: SessionView | null;
  /** Null if the request did not ask for one. */
  readonly secondOpinion: OpinionView | null;
  /** ISO 8601, as all times here. */
  readonly createdAt: string;
  readonly deadline: string;
  readonly decidedAt: string | null;
  /** `vendor`, or the operator who accepted a late answer or asked for a recapture. */
  readonly decidedBy: string | null;
  /** While held: the time at which the verification fails if no operator has decided. */
  readonly heldUntil: string | null;
  /** True if an answer came too late to be used automatically. An operator may accept the answer during the hold. */
  readonly lateAnswer: boolean;
  readonly endedAt: string | null;
  /** Copies of what the decision was based on, in a bucket with object lock. Null: there are none, or none any more. */
  readonly evidence: EvidenceView | null;
  /** How often an operator started the verification again after its end. */
  readonly retries: number;
  /** Name of the webhook endpoint that is notified. */
  readonly webhook: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  /** Keyed hash of the caller's subject. */
  readonly subject: string | null;
  readonly purpose: string | null;
  readonly consent: Consent | null;
  /** While set, nobody can erase the verification. */
  readonly legalHold: LegalHold | null;
  /** Id of the trace, 32 hex digits; null if the verification was enqueued without one. */
  readonly traceId: string | null;
  /** Oldest first, at most 40 entries. */
  readonly history: readonly HistoryEntry[];
}

/** A verification as the HTTP API returns it: without the locations of its frame and media. */
export type VerificationAnswer = Omit<VerificationView, 'bestFrame' | 'history' | 'session'> & {
  readonly bestFrame: Omit<StoredFrame, 'path'> | null;
  readonly session: (Omit<SessionView, 'media'> & { readonly media: readonly Omit<MediumView, 'path'>[] }) | null;
};
/** An answer together with its history. */
export type AnswerWithHistory = VerificationAnswer & Pick<VerificationView, 'history'>;

/** Why a verification waits, is held, or has no match. */
/** Why a verification waited. */
export interface WaitedFor {
  /** @example 'HTTP_5XX' */
  readonly code: string;
  readonly class: string;
  /** Only with DEPENDENCY_DOWN: the dependency that was down. */
  readonly dependency?: string;
}

export interface ViewReason {
  /** @example 'FailedOperation.ImageBlur' */
  readonly code: string;
  readonly class: string;
  /** What happened. */
  readonly title: string;
  /** What your backend should do. The text names no setting and no command of the deployment. */
  readonly advice: string;
  /** What to tell the person in front of the camera. Absent if there is nothing for them to do. */
  readonly personAdvice?: string;
  /** Who has to act. */
  readonly audience: Audience;
  readonly stage?: StageName;
  /** Field of the input that is wrong. @example 'resources.image.path' */
  readonly field?: string;
  readonly requestId?: string;
  /** Only with DEPENDENCY_DOWN: the dependency that is down. @example 'cos:put' */
  readonly dependency?: string;
  /** Only with DEADLINE_EXCEEDED, if the verification waited for something: the reason of its last wait. */
  readonly waitedFor?: WaitedFor;
  /** Only with the decision `no_match`: 0–100, as the vendor gave it. */
  readonly similarity?: number;
  /** Only with the decision `no_match`: lowest similarity of a match, 0–100. */
  readonly threshold?: number;
  /** Only with REUSED_LIVE_DATA: when the same LiveData was answered before, ISO 8601. */
  readonly answeredAt?: string;
}
