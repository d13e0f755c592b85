import type { Deployment } from '../deployment.ts';
import { type AttemptRef, gateKeys } from './attempt-ref.ts';
import { runScript } from './run.ts';

/** `cancel`: the lease is renewed, but the caller has cancelled the verification. */
export type Renewal = 'ok' | 'lost' | 'cancel';

export async function renewLease({ redis, names }: Deployment, attempt: AttemptRef, leaseMs: number): Promise<Renewal> {
  const { id, region, token, ats } = attempt;
  const { admitted } = gateKeys({ names }, attempt);
  const keys = { ...names.job(region, id), journal: names.journal(id), admitted };
  return (await runScript(redis, 'renew-lease', keys, { token, ats, leaseMs, id })) as Renewal;
}
