/** What a person can decide about a verification that was set aside. No choice makes a match: that is the vendor's to say. */
import type { Region } from './actions.ts';
import type { State } from './states.ts';

/**
 * `retry`: on from where it was. `rewind`: again from upload, under fresh keys. `recapture`: ask the person for a new
 * capture. `fail`: no answer. `accept-late`: the vendor's answer that came too late to count by itself.
 */
export const HELD_CHOICES = ['retry', 'rewind', 'recapture', 'fail', 'accept-late'] as const;
export type HeldChoice = (typeof HELD_CHOICES)[number];

export interface HeldFilter {
  /** Code or class of the reason. */
  readonly reason?: string | undefined;
  readonly region?: Region | undefined;
  /** Held for at least this long. */
  readonly olderThanMs?: number | undefined;
  /** Default 50, at most 1,000; those whose holding ends first come first. */
  readonly limit?: number | undefined;
}

export interface Decide {
  /** Who decides, and why: in the history, and shown to whoever asks later. */
  readonly by: string;
  readonly why: string;
  /** A call that was or may have been paid is behind it, and may be made again. */
  readonly payAgain?: boolean;
}

export interface Decided {
  /** `pay again`: it must be said. `nothing late`: there is no late answer to accept. */
  readonly status: 'ok' | 'missing' | 'not held' | 'pay again' | 'nothing late';
  readonly state: State | null;
}
