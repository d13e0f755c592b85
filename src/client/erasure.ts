/**
 * Erasing on demand, legal holds, and the caller's word that it has the frame. What is in Redis goes in one step; what is
 * elsewhere goes by the erase worker, and the receipt says when it was confirmed.
 */
import {
  type Erased,
  type EraseRequest,
  type ErasureReceipt,
  type LegalHold,
  notConfirmed,
} from '../domain/erasure.ts';
import { STRAY_MS } from '../domain/policy.ts';
import type { VerificationView } from '../domain/view.ts';
import { takeOut } from '../queue/erase.ts';
import { notification } from '../queue/notify-queue.ts';
import { Outbox } from '../queue/outbox.ts';
import { writeEntry } from '../queue/record.ts';
import type { Store } from './store.ts';

/** Whoever works on it has noticed by then: renewals go by seconds. */
const IN_USE_MS = 15_000;

export async function eraseOne(store: Store, id: string, { by, why }: EraseRequest): Promise<Erased> {
  const view = await store.view(id);
  if (view === null) {
    const receipt = await readReceipt(store, id);
    return receipt === null ? { status: 'missing' } : { status: 'gone', receipt };
  }
  const { region, mode, upload, tenant } = view;
  const at = new Date().toISOString();
  const underWay = upload === 'own-bucket' && Date.parse(view.endedAt ?? at) > Date.now() - STRAY_MS;
  const receipt: ErasureReceipt = {
    id,
    ...(tenant === null ? {} : { tenant }),
    mode,
    requestedAt: at,
    by,
    why,
    record: { confirmedAt: at, by: 'Redis' },
    job: null,
    objects: upload === 'own-bucket' ? null : 'not ours',
    frame: null,
    complete: false,
    notConfirmed: notConfirmed(upload, underWay),
  };
  const strays = underWay ? ({ strays: 'due' } as const) : {};
  const forget = { id, region, delayMs: IN_USE_MS, ...strays };
  const told = notification(view, 'erased');
  const followUps = { forget, ...told };
  const taken = await store.command(takeOut(store.redis, store.names, view, { receipt, followUps }));
  switch (taken.status) {
    case 'erased': {
      const outbox = new Outbox(store.redis, store.names, store.eraseQueue(), store.notifyQueue());
      const delayMs = taken.inUse ? IN_USE_MS : 0;
      await store.command(outbox.deliver(id, { forget: { ...forget, delayMs }, ...told }));
      return { status: 'erased', receipt };
    }
    case 'legal hold':
      return { status: 'legal hold', hold: (await store.view(id))?.legalHold ?? null };
    case 'gone':
      return { status: 'gone', receipt: await readReceipt(store, id) };
    default:
      return { status: 'missing' };
  }
}

/** @returns null where nothing was erased under this id (or its receipt has expired). */
export async function readReceipt(store: Store, id: string): Promise<ErasureReceipt | null> {
  await store.ready();
  const text = await store.command(store.redis.get(store.names.receipt(id)));
  if (text === null) return null;
  const receipt = JSON.parse(text) as ErasureReceipt;
  return store.owns(receipt.tenant ?? null) ? receipt : null;
}

/** @param hold null lifts it. */
export async function setLegalHold(
  store: Store,
  id: string,
  hold: LegalHold | null,
  { by, why }: EraseRequest,
): Promise<'ok' | 'missing'> {
  const view = await store.view(id);
  if (view === null) return 'missing';
  const { names, sealer } = store;
  const event = hold === null ? 'legal hold lifted' : 'legal hold';
  const entry = writeEntry(sealer, id, { at: Date.now(), event, by, why });
  const index = view.subject === null ? names.journal(id) : names.subject(view.subject);
  const keys = [names.journal(id), names.history(id), index];
  const legal = hold === null ? '' : sealer.seal(id, 'legal', JSON.stringify(hold));
  return (await store.script('law', keys, [legal, entry, store.expiryMs])) as 'ok' | 'missing';
}

/**
 * The caller has its frame: it is deleted at the next round (seconds), not when its time is up.
 * @returns `not kept` where there is none, or where it was delivered to a bucket that the caller named.
 */
export async function acknowledge(store: Store, id: string): Promise<'ok' | 'not kept' | 'missing'> {
  const view = await store.view(id);
  if (view === null) return 'missing';
  if (view.frame !== 'stored' || view.bestFrame === null || view.bestFrame.path.startsWith('cos:')) return 'not kept';
  await store.command(store.redis.zadd(store.names.frames, Date.now(), id));
  return 'ok';
}

/** All about one subject that are still there, oldest first. */
export async function viewsOfSubject(store: Store, hash: string): Promise<VerificationView[]> {
  await store.ready();
  const ids = await store.command(store.redis.zrange(store.names.subject(hash), '0', '-1'));
  return present(store, ids);
}

/** Ended before a moment, oldest first. */
export async function viewsEndedBefore(store: Store, before: number, limit: number): Promise<VerificationView[]> {
  await store.ready();
  const range = store.redis.zrangebyscore(store.names.ended, '-inf', before, 'LIMIT', 0, limit);
  return present(store, await store.command(range));
}

async function present(store: Store, ids: readonly string[]): Promise<VerificationView[]> {
  return (await store.views(ids)).flatMap((view) => view ?? []);
}
