/** Takes a verification out of Redis, by its script: on demand (with a receipt and a follow-up), or by age (with neither). */

import type { ErasureReceipt } from '../domain/erasure.ts';
import type { RedisClient } from './connection.ts';
import type { Names } from './names.ts';
import { KEYS_KEPT_MS } from './options.ts';
import type { FollowUps } from './outbox.ts';
import type { JournalRecord } from './record.ts';
import { run } from './scripts.ts';

export type Wanted =
  | { readonly receipt: ErasureReceipt; readonly followUps: FollowUps }
  /** Only where it ended before this, ms since 1970. */
  | { readonly endedBefore: number };

export interface Taken {
  readonly status: 'erased' | 'gone' | 'missing' | 'legal hold' | 'later';
  /** Somebody works on it now, and will notice. */
  readonly inUse: boolean;
}

export async function takeOut(
  redis: RedisClient,
  names: Names,
  { id, region, action, subject, tenant }: Pick<JournalRecord, 'id' | 'region' | 'action' | 'subject' | 'tenant'>,
  wanted: Wanted,
): Promise<Taken> {
  const gate = names.gate(region, action);
  const journal = names.journal(id);
  const keys = [
    journal,
    names.job(region, id).lock,
    names.history(id),
    names.live,
    names.ended,
    names.outbox,
    names.held,
    gate.admitted,
    gate.express,
    names.frames,
    subject === null ? journal : names.subject(subject),
    names.receipt(id),
    tenant === null ? journal : names.tenant(tenant),
  ];
  const [receipt, followUps, before] =
    'receipt' in wanted
      ? [JSON.stringify(wanted.receipt), JSON.stringify(wanted.followUps), 0]
      : ['', '', wanted.endedBefore];
  const args = [id, names.channel, KEYS_KEPT_MS, receipt, followUps, before];
  const [status, inUse] = (await run(redis, 'erase', keys, args)) as [Taken['status'], number];
  return { status, inUse: inUse === 1 };
}
