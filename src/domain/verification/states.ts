/**
 * The three independent facts about a verification: its progress (state), the result of the check (decision) and the state of its
 * picture (frame). A person who fails the check is a *completed* verification; `failed` means that there is no answer.
 */

export const STATES = ['queued', 'active', 'delayed', 'held', 'completed', 'failed', 'cancelled'] as const;
/** Progress of a verification; docs/states.md explains each state. */
export type State = (typeof STATES)[number];

export const DECISIONS = ['match', 'no_match', 'not_live', 'recapture'] as const;
/** Result of the check: the person matches, is another person, is not live, or must record again. */
export type Decision = (typeof DECISIONS)[number];

/**
 * `deleted`: the frame was stored; later its retention ended, or the caller acknowledged the frame. `unknown_shape`: in the
 * vendor's answer, the fields that lead to the frame do not have the documented shape.
 */
export const FRAME_STATES = ['none', 'pending', 'stored', 'lost', 'unknown_shape', 'deleted'] as const;
export type FrameState = (typeof FRAME_STATES)[number];

/** What a caller should do with a verification. A caller's code needs no other field to decide. */
export const NEXT_STEPS = ['accept', 'refuse', 'recapture', 'wait', 'investigate'] as const;
export type NextStep = (typeof NEXT_STEPS)[number];

export const STAGES = ['upload', 'md5', 'detect', 'download'] as const;
/** Stages in their order. */
export type StageName = (typeof STAGES)[number];

/** Whether the state is final. */
export function isTerminal(state: State): boolean {
  return state === 'completed' || state === 'failed' || state === 'cancelled';
}

/**
 * What the caller should do now. A decision counts as soon as it is recorded, even while the frame is still downloading. A
 * cancelled verification is never accepted, whatever the vendor answered.
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
