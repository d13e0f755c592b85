/** Identifies one attempt at a verification: the values that the fence checks, and the Redis keys that its scripts share. */
import { type ActionName, type GatedAction, OPINION_CALL, type PaidCall } from '../../domain/verification/actions.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { Deployment } from '../deployment.ts';
import type { GateKeys } from '../names.ts';
import type { CallCounts } from '../record.ts';

/** Proves that an attempt owns its job. */
export interface Fence {
  /** BullMQ's lock token. */
  readonly token: string;
  /** BullMQ's count of started attempts, read when this attempt began. */
  readonly ats: number;
}

export interface AttemptRef extends Fence {
  readonly id: string;
  readonly region: Region;
  readonly action: ActionName;
  /** The call whose gate the attempt passes: for a session with a token, the result call. Default: the action. */
  readonly call?: GatedAction;
}

/**
 * The answer of a fenced write. `lost`: another attempt owns the job. `cancel`: the caller has cancelled the verification. The
 * attempt must then end it, whether or not the write took place.
 */
export type WriteAnswer = 'ok' | 'lost' | 'ended' | 'cancel';

/** The keys of the gate that the attempt passes. */
export function gateKeys(
  { names }: Pick<Deployment, 'names'>,
  { region, action, call = action }: Pick<AttemptRef, 'region' | 'action' | 'call'>,
): GateKeys {
  return names.gate(region, call);
}

/** The same attempt, when it passes the gate of the second opinion. */
export function opinionOf(attempt: AttemptRef): AttemptRef {
  return { ...attempt, call: OPINION_CALL };
}

export function countsOf(call: PaidCall): CallCounts {
  return call === OPINION_CALL ? 'o:' : '';
}

export function fencedKeys({ names }: Deployment, { id, region }: AttemptRef) {
  const { job, lock } = names.job(region, id);
  return { journal: names.journal(id), lock, job, history: names.history(id) };
}
