/** An operator's choices for a held verification. No choice can produce a match: only the vendor's answer decides that. */
import type { Region } from '../verification/regions.ts';
import type { State } from '../verification/states.ts';

/**
 * `retry`: continue at the current stage. `rewind`: start again from upload, under fresh keys. `recapture`: decide that the
 * person must record again. `fail`: end without an answer. `accept-late`: accept the vendor's answer, although it came too late
 * to be used automatically.
 */
export const HELD_CHOICES = ['retry', 'rewind', 'recapture', 'fail', 'accept-late'] as const;
export type HeldChoice = (typeof HELD_CHOICES)[number];

/** Selects held verifications. */
export interface HeldFilter {
  /** Code or class of the reason. @default all */
  readonly reason?: string | undefined;
  /** @default all */
  readonly region?: Region | undefined;
  /** Only verifications that have been held for at least this many ms. @default 0 */
  readonly olderThanMs?: number | undefined;
  /** How many to return, at most 1,000. The verification whose hold ends first comes first. @default 50 */
  readonly limit?: number | undefined;
}

/** An operator's decision. */
export interface HeldDecision {
  /** Operator who decides; stored in the history. */
  readonly by: string;
  /** Reason for the decision; stored in the history. */
  readonly why: string;
  /**
   * Allows another paid call although an earlier call was paid or may have been paid.
   *
   * @default false
   */
  readonly payAgain?: boolean;
}

/** The result of an operator's decision. */
export interface HeldDecisionResult {
  /**
   * `pay_again`: the operator must first agree to another paid call. `nothing_late`: there is no late answer to accept.
   * Nothing changes unless the status is `ok`.
   */
  readonly status: 'ok' | 'missing' | 'not_held' | 'pay_again' | 'nothing_late';
  /** State after the decision; null if the verification does not exist. */
  readonly state: State | null;
}
