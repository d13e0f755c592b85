import type { ResultCall } from '../../domain/verification/flows.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { State } from '../../domain/verification/states.ts';
import type { Deployment } from '../deployment.ts';
import { runWithEntry } from './run-with-entry.ts';

export interface FinishedAnswer {
  /**
   * `waiting`: its result is asked for now. `running`: a worker is asking, or asks soon. `early`: it has no token yet.
   * `no_session`: it is a verification.
   */
  readonly status: 'waiting' | 'running' | 'early' | 'decided' | 'ended' | 'no_session' | 'missing';
  readonly state: State | null;
}

/** Notes that the person of a session has finished. */
export async function reportFinished(
  deployment: Deployment,
  { id, region, call }: { id: string; region: Region; call: ResultCall },
): Promise<FinishedAnswer> {
  const { names } = deployment;
  const { due, ripe } = names.waits(region, call);
  const keys = { journal: names.journal(id), due, ripe, history: names.history(id) };
  const entry = { at: Date.now(), event: 'told' } as const;
  const reply = await runWithEntry(
    { deployment, id, entry, isAppended: (answer) => ['waiting', 'running'].includes((answer as string[])[0] ?? '') },
    'report-finished',
    keys,
    { id },
  );
  const [status, state] = reply as [FinishedAnswer['status'], State | ''];
  return { status, state: state === '' ? null : state };
}
