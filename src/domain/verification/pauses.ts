/**
 * Why a verification waits although its own work could go on: verifications share gates, breakers and rate limits, and one of
 * these blocks the verification. All functions are pure.
 */
import { CODES, classify } from '../errors/index.ts';

/**
 * `operator`: an operator paused or closed the gate. `budget`: the budget for paid calls is spent. `account`: the gate is closed
 * because of trouble with the account. `breaker`: a dependency of the verification is down. `rate`: the vendor's rate limit is used up.
 */
export const PAUSES = ['operator', 'budget', 'account', 'breaker', 'rate'] as const;
export type PausedBy = (typeof PAUSES)[number];

/** The gate of a verification's region and action. Times are ms since 1970. */
export interface GateFacts {
  /** Whether an operator has paused the gate. */
  readonly paused: boolean;
  /** Why the gate is closed; null while it is open. */
  readonly closedFor: string | null;
  readonly nextProbe: number | null;
  /** The earliest free slot of the rate limit. */
  readonly nextSlot: number;
}

/** The gate and the breakers that a waiting verification shares with others, as they are at `now`. */
export interface Surroundings {
  readonly gate: GateFacts;
  /** Dependencies whose breaker is open. */
  readonly down: readonly string[];
  readonly now: number;
}

export interface Waiting {
  /** Dependencies of the remaining stages. */
  readonly needs: readonly string[];
  /** Code in the journal that explains the wait; null if there is none. */
  readonly code: string | null;
  /** When the verification continues, according to its journal, ms since 1970; null if unknown. */
  readonly until: number | null;
}

export interface Pause {
  readonly by: PausedBy;
  /** Null if other verifications have used up the rate limit: this cause has no code. */
  readonly code: string | null;
  /** Only with `breaker`: the dependency that is down. */
  readonly dependency?: string;
  /** When it is worth trying again, ms since 1970; null if nobody knows. */
  readonly until: number | null;
}

/** Waiting up to this long for a slot is normal. A longer wait means that other verifications have used up the rate limit. */
const RATE_USED_UP_MS = 1_000;

/** @returns null if nothing shared blocks the verification: then it waits for its own retry, or is about to run. */
export function pauseOf({ needs, code, until }: Waiting, { gate, down, now }: Surroundings): Pause | null {
  const { closedFor } = gate;
  if (gate.paused) return { by: 'operator', code: CODES.PAUSED_BY_OPERATOR, until: null };
  if (closedFor === CODES.CLOSED_BY_OPERATOR)
    return { by: 'operator', code: closedFor, until: later(gate.nextProbe, now) };
  if (closedFor === CODES.BUDGET_SPENT) return { by: 'budget', code: closedFor, until: later(gate.nextProbe, now) };
  if (closedFor !== null) return { by: 'account', code: closedFor, until: later(gate.nextProbe, now) };
  const dependency = needs.find((each) => down.includes(each));
  if (dependency !== undefined)
    return { by: 'breaker', code: CODES.DEPENDENCY_DOWN, dependency, until: later(until, now) };
  if (code !== null && isThrottled(code) && later(until, now) !== null) return { by: 'rate', code, until };
  if (gate.nextSlot - now > RATE_USED_UP_MS) return { by: 'rate', code: null, until: gate.nextSlot };
  return null;
}

/** Whether the vendor throttled a call. Bestframe's own codes of class `throttled` concern one verification or one host. */
function isThrottled(code: string): boolean {
  return !(code in CODES) && classify({ service: 'faceid', channel: 'error', code }).class === 'throttled';
}

function later(time: number | null, now: number): number | null {
  return time !== null && time > now ? time : null;
}
