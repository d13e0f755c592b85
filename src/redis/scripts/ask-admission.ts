import type { Lane } from '../../domain/verification/request.ts';
import type { Deployment } from '../deployment.ts';
import { type AttemptRef, gateKeys } from './attempt-ref.ts';
import { runScript } from './run.ts';

export interface Admission {
  /** How many verifications may be admitted at a time, that is, may be between the start of `upload` and the end of `detect`. */
  readonly capacity: number;
  /** How long an admission lasts without renewal. */
  readonly holdMs: number;
}

/** @returns `waitMs` before asking again (0 = admitted), and the epoch of the gate. */
export async function askAdmission(
  { redis, names }: Deployment,
  attempt: AttemptRef,
  lane: Lane,
  { capacity, holdMs }: Admission,
): Promise<{ waitMs: number; epoch: string }> {
  const { id } = attempt;
  const { gate, admitted, express, sharing } = gateKeys({ names }, attempt);
  const keys = { journal: names.journal(id), gate, admitted, express, sharing };
  const reply = await runScript(redis, 'ask-admission', keys, { id, lane, capacity, holdMs });
  const [waitMs, epoch] = reply as [number, string];
  return { waitMs, epoch };
}
