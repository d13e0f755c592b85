import { CODES } from '../../domain/errors/index.ts';
import type { ActionName } from '../../domain/verification/actions.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { Deployment } from '../deployment.ts';
import { type FollowUps, followUpsText } from '../outbox.ts';
import { type Reason, withLastWait } from '../record.ts';
import { runWithEntry } from './run-with-entry.ts';
import { type KeptSources, keepArgs } from './settle.ts';

/** @returns whether this call ended the verification. */
export async function expireOverdue(
  deployment: Deployment,
  { id, region, action, reason = null }: { id: string; region: Region; action: ActionName; reason?: Reason | null },
  { followUps, expiryMs, keep }: { followUps: FollowUps | null; expiryMs: number; keep?: KeptSources | null },
): Promise<boolean> {
  const { names } = deployment;
  const { live, ended, outbox, held, channel } = names;
  const { admitted, express } = names.gate(region, action);
  const reply = await runWithEntry(
    { deployment, id, entry: { at: Date.now(), event: 'ended', code: CODES.DEADLINE_EXCEEDED } },
    'expire-overdue',
    {
      journal: names.journal(id),
      lock: names.job(region, id).lock,
      history: names.history(id),
      ...{ live, ended, outbox, held, admitted, express },
      kept: names.kept(id),
    },
    {
      id,
      channel,
      outboxEntry: followUpsText(followUps),
      expiryMs,
      reason: JSON.stringify(withLastWait({ code: CODES.DEADLINE_EXCEEDED, class: 'caller' }, reason)),
      ...keepArgs(keep),
    },
  );
  return reply === 'expired';
}
