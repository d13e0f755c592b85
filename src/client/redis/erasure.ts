/**
 * Erasure on demand, legal holds, and acknowledged frames. Redis is cleared in one step; the erase worker deletes the rest,
 * and the receipt says when each deletion was confirmed.
 */
import {
  describeUnconfirmed,
  type EraseRequest,
  type EraseResult,
  type ErasureReceipt,
  presentReceipt,
  type StoredReceipt,
} from '../../domain/operations/erasure.ts';
import type { LegalHold } from '../../domain/verification/legal-hold.ts';
import { keptFiles } from '../../domain/verification/media.ts';
import { MAX_UPLOAD_AGE_MS } from '../../domain/verification/policy.ts';
import type { VerificationView } from '../../domain/verification/view.ts';
import { readAofState } from '../../redis/append-only-file.ts';
import { readReceipt } from '../../redis/erasures.ts';
import { endedBefore, expireFrameNow, subjectIds } from '../../redis/indexes.ts';
import { notification } from '../../redis/notify-queue.ts';
import { erasureField, Outbox } from '../../redis/outbox.ts';
import { readJournal } from '../../redis/read-records.ts';
import { eraseRecord } from '../../redis/scripts/erase-record.ts';
import { setLegalHold } from '../../redis/scripts/set-legal-hold.ts';
import type { Acknowledged } from '../contract.ts';
import type { Store } from './store.ts';

/** Within this time, a worker that runs the verification notices the erasure, because it renews its lease every few seconds. */
const IN_USE_MS = 15_000;

export async function eraseOne(store: Store, id: string, { by, why }: EraseRequest): Promise<EraseResult> {
  const view = await store.view(id);
  if (view === null) {
    const receipt = await receiptOf(store, id);
    return receipt === null ? { status: 'missing' } : { status: 'gone', receipt };
  }
  const { region, mode, upload, tenant } = view;
  const at = new Date().toISOString();
  const underWay = upload === 'own-bucket' && Date.parse(view.endedAt ?? at) > Date.now() - MAX_UPLOAD_AGE_MS;
  const receipt: StoredReceipt = {
    id,
    ...(tenant === null ? {} : { tenant }),
    mode,
    requestedAt: at,
    by,
    why,
    record: { confirmedAt: at, by: 'Redis' },
    job: null,
    objects: upload === 'own-bucket' ? null : 'not_ours',
    frame: null,
    evidence: null,
    complete: false,
    notConfirmed: describeUnconfirmed({ upload, uploadMayRun: underWay }),
  };
  const secondPass = underWay ? ({ secondPass: 'required' } as const) : {};
  const forget = { id, region, ...(tenant === null ? {} : { tenant }), delayMs: IN_USE_MS, ...secondPass };
  const notice = notification(view, 'erased');
  const followUps = { forget, ...notice };
  const erasure = await store.command(eraseRecord(store.deployment, view, { receipt, followUps }));
  switch (erasure.status) {
    case 'erased': {
      const outbox = new Outbox(store.deployment, store.eraseQueue(), store.notifyQueue());
      const delayMs = erasure.inUse ? IN_USE_MS : 0;
      await store.command(outbox.deliver(erasureField(id), { forget: { ...forget, delayMs }, ...notice }));
      return { status: 'erased', receipt: await withAof(store, receipt) };
    }
    case 'legal_hold':
      return { status: 'legal_hold', hold: (await store.view(id))?.legalHold ?? null };
    case 'gone':
      return { status: 'gone', receipt: await receiptOf(store, id) };
    default:
      return { status: 'missing' };
  }
}

/** @returns null if no verification with this id was erased, or if its receipt has expired. */
export async function receiptOf(store: Store, id: string): Promise<ErasureReceipt | null> {
  await store.ready();
  const receipt = await store.command(readReceipt(store.deployment, id));
  return receipt !== null && store.owns(receipt.tenant ?? null) ? withAof(store, receipt) : null;
}

async function withAof(store: Store, receipt: StoredReceipt): Promise<ErasureReceipt> {
  return presentReceipt(receipt, await store.command(readAofState(store.deployment, receipt.completeAt)));
}

/** Sets or lifts a legal hold. @param hold null lifts the current hold. */
export async function changeLegalHold(
  store: Store,
  id: string,
  hold: LegalHold | null,
  { by, why }: EraseRequest,
): Promise<'ok' | 'missing'> {
  const view = await store.view(id);
  if (view === null) return 'missing';
  const event = hold === null ? 'legal_hold_lifted' : 'legal_hold_set';
  const change = { hold, entry: { at: Date.now(), event, by, why } as const, expiryMs: store.expiryMs };
  return store.command(setLegalHold(store.deployment, view, change));
}

/** Records that the caller has its copy of the frame. Retention then deletes the frame within seconds. */
export async function acknowledge(store: Store, id: string): Promise<Acknowledged> {
  if ((await store.view(id)) === null) return 'missing';
  const record = await store.command(readJournal(store.deployment, id));
  const kept = record === null ? [] : keptFiles(record);
  if (!kept.some(({ path }) => !path.startsWith('cos:'))) return 'not_kept';
  await store.command(expireFrameNow(store.deployment, id));
  return 'ok';
}

/** Every record about one subject, oldest first. */
export async function viewsOfSubject(store: Store, hash: string): Promise<VerificationView[]> {
  await store.ready();
  const ids = await store.command(subjectIds(store.deployment, hash));
  return present(store, ids);
}

/** Verifications that ended before a time, oldest first. */
export async function viewsEndedBefore(store: Store, before: number, limit: number): Promise<VerificationView[]> {
  await store.ready();
  return present(store, await store.command(endedBefore(store.deployment, before, { limit })));
}

async function present(store: Store, ids: readonly string[]): Promise<VerificationView[]> {
  return (await store.views(ids)).flatMap((view) => view ?? []);
}
