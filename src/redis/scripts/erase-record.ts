import type { StoredReceipt } from '../../domain/operations/erasure.ts';
import type { Deployment } from '../deployment.ts';
import { TOMBSTONE_TTL_MS } from '../job-options.ts';
import { erasureField, type FollowUps, followUpsText } from '../outbox.ts';
import type { JournalRecord } from '../record.ts';
import { runScript } from './run.ts';

export type EraseScope =
  /** Erasure on demand: the follow-ups delete the data outside Redis, and the receipt reports these deletions. */
  | { readonly receipt: StoredReceipt; readonly followUps: FollowUps }
  /** Erasure by age: the verification is erased only if it ended before this time, ms since 1970. */
  | { readonly endedBefore: number };

/** `too_early`: the verification has not ended, or not before `endedBefore`. */
export type EraseAnswer =
  | {
      readonly status: 'erased';
      /** Whether a worker is running the verification, or copying its evidence. The worker notices the erasure within seconds. */
      readonly inUse: boolean;
    }
  | { readonly status: 'gone' | 'missing' | 'legal_hold' | 'too_early' };

export async function eraseRecord(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  { id, region, action, subject, tenant }: Pick<JournalRecord, 'id' | 'region' | 'action' | 'subject' | 'tenant'>,
  scope: EraseScope,
): Promise<EraseAnswer> {
  const { live, ended, outbox, held, frames, channel } = names;
  const { admitted, express } = names.gate(region, action);
  const journal = names.journal(id);
  const onDemand = 'receipt' in scope ? scope : null;
  const reply = await runScript(
    redis,
    'erase-record',
    {
      journal,
      lock: names.job(region, id).lock,
      history: names.history(id),
      ...{ live, ended, outbox, held, admitted, express, frames },
      subjectIndex: subject === null ? journal : names.subject(subject),
      receipt: names.receipt(id),
      tenantIndex: tenant === null ? journal : names.tenant(tenant),
      kept: names.kept(id),
      toCopy: names.toCopy(id),
      copies: names.copies,
    },
    {
      id,
      channel,
      tombstoneTtlMs: TOMBSTONE_TTL_MS,
      receipt: onDemand === null ? '' : JSON.stringify(onDemand.receipt),
      outboxField: erasureField(id),
      outboxEntry: onDemand === null ? '' : followUpsText(onDemand.followUps),
      endedBefore: 'endedBefore' in scope ? scope.endedBefore : 0,
    },
  );
  const [status, inUse] = reply as [EraseAnswer['status'], number];
  return status === 'erased' ? { status, inUse: inUse === 1 } : { status };
}
