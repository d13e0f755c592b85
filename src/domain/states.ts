/**
 * Three separate things: where a verification stands (state), what was found out about the person (decision), and what
 * became of the picture (frame). A person who fails the check is a *completed* verification; `failed` means that no
 * answer could be had.
 */

export const STATES = ['queued', 'active', 'delayed', 'held', 'completed', 'failed', 'cancelled'] as const;
export type State = (typeof STATES)[number];

export const DECISIONS = ['match', 'no_match', 'not_live', 'recapture'] as const;
export type Decision = (typeof DECISIONS)[number];

/** `deleted`: it was stored, and its time is up or its caller has it. */
export const FRAME_STATES = ['none', 'pending', 'stored', 'lost', 'deleted'] as const;
export type FrameState = (typeof FRAME_STATES)[number];

/** The one word that a caller's code branches on. */
export const NEXT_STEPS = ['accept', 'refuse', 'recapture', 'wait', 'investigate'] as const;
export type NextStep = (typeof NEXT_STEPS)[number];

export const STAGES = ['upload', 'md5', 'detect', 'download'] as const;
export type StageName = (typeof STAGES)[number];

export function isTerminal(state: State): boolean {
  return state === 'completed' || state === 'failed' || state === 'cancelled';
}

/**
 * What the caller does now. A decision counts from the moment it is committed, even while the frame is still on its way;
 * a cancelled verification is never accepted, whatever the vendor answered.
 */
export function nextStep(state: State, decision: Decision | null): NextStep {
  if (state === 'failed' || state === 'cancelled' || state === 'held') return 'investigate';
  switch (decision) {
    case 'match':
      return 'accept';
    case 'no_match':
    case 'not_live':
      return 'refuse';
    case 'recapture':
      return 'recapture';
    case null:
      return 'wait';
  }
}
