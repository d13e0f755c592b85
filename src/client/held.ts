/** Verifications that were set aside for a person, and what a person decides. */
import type { Region } from '../domain/actions.ts';
import type { Decide, Decided, HeldChoice, HeldFilter } from '../domain/held.ts';
import { isTerminal, type State } from '../domain/states.ts';
import { DEFAULT_DEADLINE_MS } from '../domain/verification.ts';
import type { VerificationView } from '../domain/view.ts';
import { notification } from '../queue/notify-queue.ts';
import { entryOf, fieldOf, followUpsOf } from '../queue/outbox.ts';
import { readRecord, writeEntry } from '../queue/record.ts';
import type { Store } from './store.ts';

const MOST_LISTED = 1_000;

export async function heldViews(store: Store, filter: HeldFilter): Promise<VerificationView[]> {
  await store.ready();
  const ids = await store.command(store.redis.zrange(store.names.held, '0', String(MOST_LISTED - 1)));
  const views = await store.views(ids);
  const now = Date.now();
  const { reason, region, olderThanMs = 0, limit = 50 } = filter;
  return views
    .flatMap((view) => view ?? [])
    .filter((view) => view.state === 'held')
    .filter((view) => reason === undefined || view.reason?.code === reason || view.reason?.class === reason)
    .filter((view) => region === undefined || view.region === region)
    .filter((view) => now - heldSince(view) >= olderThanMs)
    .slice(0, Math.min(limit, MOST_LISTED));
}

export async function resolveHeld(store: Store, id: string, choice: HeldChoice, decide: Decide): Promise<Decided> {
  const view = await store.view(id);
  if (view === null) return { status: 'missing', state: null };
  const { region, lane } = view;
  const { names, sealer, expiryMs } = store;
  const { by, why, payAgain = false } = decide;
  const ends = choice === 'fail' || choice === 'recapture';
  const outbox = ends ? await followUpsAfter(store, id) : '';
  const { notify: decided } = notification(view, 'decided');
  const telling = decided === undefined ? ['', ''] : [fieldOf(decided), entryOf({ notify: decided })];
  const entry = writeEntry(sealer, id, { at: Date.now(), event: 'resolved', code: choice, by, why });
  const keys = [names.journal(id), names.history(id), names.live, names.ended, names.outbox, names.held];
  const least = DEFAULT_DEADLINE_MS[lane];
  const args = [id, names.channel, choice, entry, least, payAgain ? 1 : 0, expiryMs, outbox, by, ...telling];
  const [status, state] = (await store.script('resolve', keys, args)) as [Decided['status'], State | ''];
  if (status === 'ok') await wake(store, region, id, state !== '' && isTerminal(state));
  return { status, state: state === '' ? null : state };
}

/** What an end leaves to be done, as a script takes it; '' where that is nothing. */
export async function followUpsAfter(store: Store, id: string): Promise<string> {
  const record = readRecord(id, await store.command(store.redis.hgetall(store.names.journal(id))), store.sealer);
  const followUps = record === null ? null : followUpsOf(record, 0);
  return followUps === null ? '' : JSON.stringify(followUps);
}

/** A job that sleeps while its verification may go on; the sweeper would find it too. */
async function wake(store: Store, region: Region, id: string, ended: boolean): Promise<void> {
  const queue = store.queue(region);
  if (ended) {
    await store.command(queue.remove(id));
    return;
  }
  const job = await store.command(queue.getJob(id));
  if (job !== undefined && (await store.command(job.isDelayed()))) await store.command(job.promote());
}

function heldSince({ history }: VerificationView): number {
  return history.findLast(({ event }) => event === 'held')?.at ?? 0;
}
