/** Receipts of erasures, and the tombstones that record what must still be deleted outside Redis. */
import type { StoredReceipt } from '../domain/operations/erasure.ts';
import type { Deployment } from './deployment.ts';
import { TOMBSTONE_TTL_MS } from './job-options.ts';
import { readTombstone, type Tombstone } from './tombstone.ts';

/** @returns null if nothing was erased under this id, or its receipt has expired. */
export async function readReceipt({ redis, names }: Deployment, id: string): Promise<StoredReceipt | null> {
  const text = await redis.get(names.receipt(id));
  return text === null ? null : (JSON.parse(text) as StoredReceipt);
}

export async function writeReceipt({ redis, names }: Deployment, receipt: StoredReceipt): Promise<void> {
  const { evidence = null } = receipt;
  const lockedUntil = evidence === null || evidence === 'none' ? undefined : evidence.lockedUntil;
  const lockLeftMs = lockedUntil === undefined ? 0 : Date.parse(lockedUntil) - Date.now();
  const ttlMs = TOMBSTONE_TTL_MS + Math.max(0, lockLeftMs); // it must report the deletion of evidence after its lock
  await redis.set(names.receipt(receipt.id), JSON.stringify(receipt), 'PX', ttlMs);
}

/** @returns what must still be deleted, or null if nothing is left. @throws Failure SEAL_KEY_MISSING */
export async function readPendingErasure({ redis, names, sealer }: Deployment, id: string): Promise<Tombstone | null> {
  return readTombstone(id, await redis.hgetall(names.journal(id)), sealer);
}

/** Redis's time of the last erasure on demand that is complete, ms since 1970; 0 if there was none. */
export async function lastErasure({ redis, names }: Deployment): Promise<number> {
  return Number((await redis.hget(names.aof, 'erased')) ?? 0);
}

/** Notes the time at which an erasure was complete, so that a rewrite of the append-only file can follow. */
export async function noteErasure({ redis, names }: Deployment, at: number): Promise<void> {
  await redis.hset(names.aof, 'erased', at);
}

/** Call this when everything is deleted. The tombstone then records only that the verification was erased. */
export async function clearPendingErasure({ redis, names }: Deployment, id: string): Promise<void> {
  await redis.hdel(names.journal(id), 'rq', 'stored', 'src', 'ev', 'pending');
}
