/** A verification as its caller sees it: what `get`, `wait`, the CLI and the demo's table show. No link and no source is in it. */
import type { ActionName, Region } from './actions.ts';
import type { LegalHold } from './erasure.ts';
import type { HistoryEntry } from './history.ts';
import type { StoredFrame } from './outcomes.ts';
import type { Decision, FrameState, NextStep, StageName, State } from './states.ts';
import type { Consent, Lane, Mode, UploadWay } from './verification.ts';

export interface VerificationView {
  readonly id: string;
  /** The caller's own key. */
  readonly key: string;
  /** Whose it is, where several share a deployment; null: the deployment's own. */
  readonly tenant: string | null;
  readonly mode: Mode;
  readonly action: ActionName;
  readonly region: Region;
  readonly upload: UploadWay;
  readonly lane: Lane;
  readonly state: State;
  /** What to do now. */
  readonly next: NextStep;
  readonly decision: Decision | null;
  /** 0–100, as the vendor gave it. */
  readonly similarity: number | null;
  readonly similarityThreshold: number;
  /** Why it waits, or why it ended without an answer. */
  readonly reason: ViewReason | null;
  readonly frame: FrameState;
  readonly bestFrame: StoredFrame | null;
  /** Calls that the vendor bills; and those of which nobody knows. */
  readonly paidCalls: number;
  readonly possiblyPaidCalls: number;
  readonly requestIds: readonly string[];
  readonly stage: StageName;
  readonly stages: readonly { readonly name: StageName; readonly attempts: number; readonly ms: number }[];
  /** ISO 8601. */
  readonly createdAt: string;
  readonly deadline: string;
  readonly decidedAt: string | null;
  /** `vendor`, or the person who accepted a late answer or asked for a recapture. */
  readonly decidedBy: string | null;
  /** When a held one fails, if nobody decides. */
  readonly heldUntil: string | null;
  /** The vendor answered too late for the answer to count by itself; a person may accept it while it is held. */
  readonly lateAnswer: boolean;
  readonly endedAt: string | null;
  /** Name of the endpoint that is told of it. */
  readonly webhook: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  /** Keyed hash of the subject that was given. */
  readonly subject: string | null;
  readonly purpose: string | null;
  readonly consent: Consent | null;
  /** Why it must not be erased, and since when. */
  readonly legalHold: LegalHold | null;
  readonly history: readonly HistoryEntry[];
}

/** As whoever asks over HTTP sees it too: without where its frame lies. */
export type VerificationAnswer = Omit<VerificationView, 'bestFrame' | 'history'> & {
  readonly bestFrame: Omit<StoredFrame, 'path'> | null;
};
export type AnswerWithHistory = VerificationAnswer & Pick<VerificationView, 'history'>;

export interface ViewReason {
  readonly code: string;
  readonly class: string;
  readonly title: string;
  readonly advice: string;
  readonly stage?: StageName;
  /** Field of the input that is at fault. */
  readonly field?: string;
  readonly requestId?: string;
  /** When the package was answered before, ISO 8601; of REUSED_LIVE_DATA. */
  readonly answeredAt?: string;
}
