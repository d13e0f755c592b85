/** Verifications that wait for an operator, and the operator's decision. */
import type { HeldChoice, HeldDecision, HeldDecisionResult, HeldFilter } from '../../domain/operations/held.ts';
import type { Region } from '../../domain/verification/regions.ts';
import { DEFAULT_DEADLINE_MS } from '../../domain/verification/request.ts';
import { isTerminal } from '../../domain/verification/states.ts';
import type { VerificationView } from '../../domain/verification/view.ts';
import { heldIds } from '../../redis/indexes.ts';
import { notification } from '../../redis/notify-queue.ts';
import { followUpsOf, runsOf } from '../../redis/outbox.ts';
import { readJournal } from '../../redis/read-records.ts';
import { resolveHeld } from '../../redis/scripts/resolve-held.ts';
import { countEnd } from '../../redis/series.ts';
import { MAX_LISTED } from '../contract.ts';
import type { Store } from './store.ts';

export async function heldViews(store: Store, filter: HeldFilter): Promise<VerificationView[]> {
  await store.ready();
  const views: VerificationView[] = [];
  // Each tenant sees its own, however many others there are, so the whole list is read page by page.
  for (let offset = 0; views.length < MAX_LISTED; offset += MAX_LISTED) {
    const ids = await store.command(heldIds(store.deployment, { offset, limit: MAX_LISTED }));
    if (ids.length === 0) break;
    views.push(...(await store.views(ids)).flatMap((view) => view ?? []));
  }
  const now = Date.now();
  const { reason, region, olderThanMs = 0, limit = 50 } = filter;
  return views
    .filter((view) => view.state === 'held')
    .filter((view) => reason === undefined || view.reason?.code === reason || view.reason?.class === reason)
    .filter((view) => region === undefined || view.region === region)
    .filter((view) => now - heldSince(view) >= olderThanMs)
    .slice(0, Math.min(limit, MAX_LISTED));
}

export async function resolve(
  store: Store,
  id: string,
  choice: HeldChoice,
  decide: HeldDecision,
): Promise<HeldDecisionResult> {
  const view = await store.view(id);
  if (view === null) return { status: 'missing', state: null };
  const { by, why, payAgain = false } = decide;
  const { deployment, expiryMs } = store;
  const ends = choice === 'fail' || choice === 'recapture';
  const record = await store.command(readJournal(deployment, id));
  if (record === null) return { status: 'missing', state: null };
  const resolution = resolveHeld(deployment, id, {
    choice,
    by,
    entry: { at: Date.now(), event: 'resolved', code: choice, by, why },
    payAgain,
    leastMs: DEFAULT_DEADLINE_MS[view.lane],
    expiryMs,
    followUps: ends ? followUpsOf(record, 'outside') : null,
    seen: runsOf(record),
    notify: notification(record, 'decided').notify,
  });
  const { status, state } = await store.command(resolution);
  if (status === 'stale') return resolve(store, id, choice, decide); // a run began since the record was read
  const resolved = { status, state };
  if (resolved.status === 'ok') await wakeJob(store, view.region, id, resolved);
  if (resolved.status === 'ok' && ends)
    await store.command(countEnd(deployment, choice === 'fail' ? 'failed' : choice));
  return resolved;
}

/**
 * Called when a verification is no longer held. If the verification has ended, removes the job; otherwise lets the job run now.
 * Without this call, the job would sleep until the hold's original end, or until the sweeper finds the job.
 */
async function wakeJob(store: Store, region: Region, id: string, { state }: HeldDecisionResult): Promise<void> {
  const queue = store.queue(region);
  if (state !== null && isTerminal(state)) {
    await store.command(queue.remove(id));
    return;
  }
  const job = await store.command(queue.getJob(id));
  if (job !== undefined && (await store.command(job.isDelayed()))) await store.command(job.promote());
}

function heldSince({ history }: VerificationView): number {
  return history.findLast(({ event }) => event === 'held')?.at ?? 0;
}
