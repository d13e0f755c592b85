import { CODES } from '../../domain/errors/index.ts';
import type { ActionName } from '../../domain/verification/actions.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { State } from '../../domain/verification/states.ts';
import type { Deployment } from '../deployment.ts';
import { type FollowUps, followUpsText } from '../outbox.ts';
import { runWithEntry } from './run-with-entry.ts';

export interface CancelAnswer {
  /** `stale`: not ended, because a run began after the record was read. Read the record and cancel again. */
  readonly status: 'stale' | 'cancelled' | 'cancelling' | 'ended' | 'missing';
  readonly state: State | null;
}

/** @param end `followUps` are derived from a record that was read before. `seen` are the runs in that record, see `runsOf`. */
export async function cancel(
  deployment: Deployment,
  { id, region, action }: { id: string; region: Region; action: ActionName },
  { followUps, seen, expiryMs }: { followUps: FollowUps | null; seen: string; expiryMs: number },
): Promise<CancelAnswer> {
  const { names } = deployment;
  const { live, ended, outbox, held, channel } = names;
  const { admitted, express } = names.gate(region, action);
  const reply = await runWithEntry(
    { deployment, id, entry: { at: Date.now(), event: 'cancel' } },
    'cancel',
    {
      journal: names.journal(id),
      lock: names.job(region, id).lock,
      history: names.history(id),
      ...{ live, ended, outbox, admitted, express, held },
    },
    {
      id,
      channel,
      outboxEntry: followUpsText(followUps),
      seen,
      expiryMs,
      reason: JSON.stringify({ code: CODES.CANCELLED, class: 'caller' }),
    },
  );
  const [status, state] = reply as [CancelAnswer['status'], State | ''];
  return { status, state: state === '' ? null : state };
}
