import { randomUUID } from 'node:crypto';
import type { ResultCall } from '../../domain/verification/flows.ts';
import type { HistoryEntry } from '../../domain/verification/history.ts';
import type { Deployment } from '../deployment.ts';
import type { Reason } from '../record.ts';
import { type AttemptRef, fencedKeys, gateKeys, type WriteAnswer } from './attempt-ref.ts';
import { runWithEntry } from './run-with-entry.ts';

export interface Parking {
  readonly generation: number;
  /** The call that asks for the result. */
  readonly call: ResultCall;
  readonly delayMs: number;
  /** Redis's time when the attempt began, ms since 1970. If the caller has reported the end since then, `soonMs` applies. */
  readonly askedFrom: number;
  readonly soonMs: number;
  /** Whether this attempt failed. */
  readonly countAttempt: boolean;
  /** Null: it only waits for the person. */
  readonly reason: Reason | null;
  readonly entry: HistoryEntry | null;
}

/** Sets a session aside, without a job, until its result is asked for again. */
export async function parkSession(deployment: Deployment, attempt: AttemptRef, parking: Parking): Promise<WriteAnswer> {
  const { names } = deployment;
  const { id, region, token, ats } = attempt;
  const { admitted, gate } = gateKeys(deployment, attempt);
  const { due, ripe } = names.waits(region, parking.call);
  const reply = await runWithEntry(
    { deployment, id, entry: parking.entry },
    'park-session',
    { ...fencedKeys(deployment, attempt), admitted, gate, due, ripe },
    {
      token,
      ats,
      generation: parking.generation,
      id,
      operationId: randomUUID(),
      delayMs: Math.ceil(Math.max(0, parking.delayMs)),
      soonMs: parking.soonMs,
      askedFrom: parking.askedFrom,
      countAttempt: parking.countAttempt ? 1 : 0,
      reason: parking.reason === null ? '' : JSON.stringify(parking.reason),
    },
  );
  return reply as WriteAnswer;
}
