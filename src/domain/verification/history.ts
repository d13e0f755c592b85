/**
 * The history of a verification: one entry per event, newest last, at most 40 entries. It contains codes, times, the vendor's
 * RequestIds and the parameters that the vendor received (`sent-parameters.ts`), because the vendor's support asks for them. It
 * contains no link, no path and nothing that the caller named.
 */
import type { Service } from '../errors/failure.ts';
import type { SentParameters } from './sent-parameters.ts';
import type { StageName } from './states.ts';

export type HistoryEvent =
  /** A stage finished, or the paid call was answered. */
  | 'done'
  /** An attempt failed and will be repeated. */
  | 'retry'
  /** An attempt failed and the verification goes back to upload. */
  | 'rewind'
  /** The paid call failed after it was sent or may have been sent. */
  | 'error'
  /** The paid call failed before it was sent. */
  | 'unsent'
  /** The outcome of the paid call was never recorded. */
  | 'unknown'
  /** The caller reported that the person of a session has finished. */
  | 'told'
  | 'cancel'
  | 'ended'
  /** An answer came too late: the verification already had an answer, was rewound, or had ended. */
  | 'late'
  | 'held'
  /** An operator decided about a held verification. */
  | 'resolved'
  /** The decision was recovered from the receipt next to a stored frame. */
  | 'adopted'
  /** An operator started the ended verification again. `code`: why the verification had ended. */
  | 'retried'
  | 'frame_deleted'
  | 'legal_hold_set'
  | 'legal_hold_lifted'
  /** Shown where entries of a sealed history were moved, repeated, replaced or removed in Redis. Never stored. */
  | 'altered';

/** One event of a verification. */
export interface HistoryEntry {
  /** ms since 1970, by the worker's clock. */
  readonly at: number;
  readonly event: HistoryEvent;
  readonly stage?: StageName;
  readonly code?: string;
  readonly requestId?: string;
  /** The service that returned the RequestId, for stages that call several services. */
  readonly service?: Service;
  /** True if the vendor bills the call; otherwise absent. */
  readonly billed?: boolean;
  /**
   * True if the vendor may bill the call, because there was no answer, or because the billing of the answer is not documented. Otherwise
   * absent.
   */
  readonly possiblyBilled?: boolean;
  /** What the call costs or may cost, e.g. '0.15 USD'; absent without a price. */
  readonly cost?: string;
  /** Duration of the attempt, whole ms. Present on entries that end an attempt, and absent on all others. */
  readonly ms?: number;
  /** Id of the paid call that the entry is about. The entries of an unknown outcome and of its late answer have the same id. */
  readonly call?: string;
  /** For an answer that does not have the documented shape: its field names and types, without values. */
  readonly shape?: string;
  /** The operator who acted. */
  readonly by?: string;
  /** The operator's reason. */
  readonly why?: string;
  /** The parameters of the paid call that follows this upload. */
  readonly sent?: SentParameters;
}
