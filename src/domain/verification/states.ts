/**
 * The three independent facts about a verification: its progress (state), the result of the check (decision) and the state of its
 * picture (frame). A person who fails the check is a *completed* verification; `failed` means that there is no answer.
 */

export const STATES = ['queued', 'active', 'delayed', 'held', 'completed', 'failed', 'cancelled'] as const;
/** Progress of a verification; docs/states.md explains each state. */
export type State = (typeof STATES)[number];

export const DECISIONS = [
  'match',
  'no_match',
  'not_live',
  'recapture',
  'live',
  'not_started',
  'abandoned',
  'expired',
  'retry_limit',
] as const;
/**
 * Result of the check: the person matches, is another person, is not live, or must record again. Only sessions have the others:
 * the person is live (nothing was compared), never began, left before the end, or used up all tries; or Tencent no longer has the
 * result.
 */
export type Decision = (typeof DECISIONS)[number];

const OF_SESSIONS: ReadonlySet<Decision> = new Set(['live', 'not_started', 'abandoned', 'expired', 'retry_limit']);

/** The decisions to list with their counts: those of sessions only if there are any. */
export function listedDecisions(counts: Readonly<Record<Decision, number>>): Decision[] {
  return DECISIONS.filter((each) => !OF_SESSIONS.has(each) || counts[each] > 0);
}

/**
 * `deleted`: the frame was stored; later its retention ended, or the caller acknowledged the frame. `unknown_shape`: in the
 * vendor's answer, the fields that lead to the frame do not have the documented shape.
 */
export const FRAME_STATES = ['none', 'pending', 'stored', 'lost', 'unknown_shape', 'deleted'] as const;
export type FrameState = (typeof FRAME_STATES)[number];

/** What a caller should do with a verification. A caller's code needs no other field to decide. */
export const NEXT_STEPS = ['accept', 'refuse', 'recapture', 'wait', 'investigate'] as const;
export type NextStep = (typeof NEXT_STEPS)[number];

export const STAGES = ['upload', 'read', 'md5', 'detect', 'start', 'await', 'collect', 'download', 'opinion'] as const;
/** A stage of any plan. The stages of an action, in their order, are in its row of the table (`actions.ts`). */
export type StageName = (typeof STAGES)[number];

/** Whether the state is final. */
export function isTerminal(state: State): boolean {
  return state === 'completed' || state === 'failed' || state === 'cancelled';
}

/**
 * What became of the second opinion that a request asked for. `pending`: it is not known yet. `not_needed`: there is nothing to
 * accept, so nobody was asked. `passed`: Tencent rates the risk of an attack low or medium. `suspected`: it rates the risk high.
 * `unclear`: it cannot judge the picture. `failed`: there is no answer, and there will be none.
 */
export const OPINION_STATUSES = ['pending', 'not_needed', 'passed', 'suspected', 'unclear', 'failed'] as const;
export type OpinionStatus = (typeof OPINION_STATUSES)[number];

/** Whether the caller may accept the person, if no second opinion is against it. */
export function isAccepted(decision: Decision | null): boolean {
  return decision === 'match' || decision === 'live';
}

/**
 * What the caller should do now. A decision counts as soon as it is recorded, even while the frame is still downloading. A
 * cancelled verification is never accepted, whatever the vendor answered. A second opinion can only turn `accept` into something
 * else.
 * @param opinion null: none was asked for
 */
export function nextStep(state: State, decision: Decision | null, opinion: OpinionStatus | null = null): NextStep {
  if (state === 'failed' || state === 'cancelled' || state === 'held') return 'investigate';
  if (isAccepted(decision)) return afterOpinion(opinion);
  switch (decision) {
    case 'no_match':
    case 'not_live':
    case 'retry_limit':
      return 'refuse';
    case 'recapture':
    case 'not_started':
    case 'abandoned':
    case 'expired':
      return 'recapture';
    default:
      return 'wait';
  }
}

function afterOpinion(opinion: OpinionStatus | null): NextStep {
  switch (opinion) {
    case null:
    case 'passed':
      return 'accept';
    case 'pending':
      return 'wait';
    case 'suspected':
      return 'refuse';
    case 'unclear':
      return 'recapture';
    case 'failed':
    case 'not_needed':
      return 'investigate';
  }
}
