/** Cancels a verification. */
import { followUpsOf, runsOf } from '../../redis/outbox.ts';
import { readJournal } from '../../redis/read-records.ts';
import { cancel } from '../../redis/scripts/cancel.ts';
import { countEnd } from '../../redis/series.ts';
import type { Cancelled } from '../contract.ts';
import type { Store } from './store.ts';

export async function cancelOne(store: Store, id: string): Promise<Cancelled> {
  const view = await store.view(id);
  if (view === null) return { status: 'missing', state: null };
  const { deployment, expiryMs } = store;
  const record = await store.command(readJournal(deployment, id));
  if (record === null) return { status: 'missing', state: null };
  const end = { followUps: followUpsOf(record, 'outside'), seen: runsOf(record), expiryMs };
  const { status, state } = await store.command(cancel(deployment, view, end));
  if (status === 'stale') return cancelOne(store, id); // a run began after the record was read
  // An ended verification needs no job. If a worker has just taken the job, the job remains and ends without effect.
  if (status === 'cancelled') {
    await store.command(store.queue(view.region).remove(id));
    await store.command(countEnd(deployment, 'cancelled'));
  }
  return { status, state };
}
