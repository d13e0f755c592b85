/** What is to be copied as evidence, and the index of the copies by the end of their locks. */
import type { EvidencePlace, EvidenceRecord } from '../domain/verification/evidence.ts';
import type { DetectOutcome, UploadOutcome } from '../domain/verification/outcomes.ts';
import type { Order } from '../domain/verification/request.ts';
import type { Deployment } from './deployment.ts';
import { readJournal } from './read-records.ts';
import type { JournalRecord } from './record.ts';

type Indexes = Pick<Deployment, 'redis' | 'names'>;

/** A verification whose evidence is not copied yet. */
export interface ToCopy {
  readonly record: JournalRecord;
  readonly evidence: EvidenceRecord & { readonly place: EvidencePlace };
  readonly order: Order;
  readonly detect: DetectOutcome;
  /** Null for a session. */
  readonly upload: UploadOutcome | null;
}

/** @returns null if nothing is to be copied, or not any more. @throws Failure SEAL_KEY_MISSING */
export async function readToCopy(deployment: Deployment, id: string): Promise<ToCopy | null> {
  const { redis, names, sealer } = deployment;
  const kept = await redis.hgetall(names.toCopy(id));
  const record = kept.src === undefined ? null : await readJournal(deployment, id);
  const { place = null } = record?.evidence ?? {};
  if (record?.evidence == null || place === null) return null;
  const open = <T>(field: string): T | null => {
    const value = kept[field];
    return value === undefined ? null : (JSON.parse(sealer.open(id, field, value)) as T);
  };
  const sources = open<Pick<Order, 'resources' | 'frame' | 'liveness' | 'session'>>('src');
  const detect = open<DetectOutcome>('s:detect');
  if (sources === null || detect === null) return null;
  const { action, region, upload } = record;
  return {
    record,
    evidence: { ...record.evidence, place },
    order: { action, region, upload, ...sources },
    detect,
    upload: open<UploadOutcome>('s:upload'),
  };
}

/** Whether the evidence of a verification is still to be copied. */
export async function isToCopy({ redis, names }: Indexes, id: string): Promise<boolean> {
  return (await redis.exists(names.toCopy(id))) === 1;
}

/** Ids of verifications whose evidence was to be copied by `now`, and is not. */
export function overdueCopies({ redis, names }: Indexes, now: number, limit: number): Promise<string[]> {
  return redis.zrangebyscore(names.copies, '-inf', now, 'LIMIT', 0, limit);
}

export async function dropCopy({ redis, names }: Indexes, id: string): Promise<void> {
  await redis.zrem(names.copies, id);
}

/** Places whose locks have ended at `now`, as far as the index knows. */
export async function evidenceDue({ redis, names }: Indexes, now: number, limit: number): Promise<string[]> {
  return redis.zrangebyscore(names.evidence, '-inf', now, 'LIMIT', 0, limit);
}

/** Sets when the evidence at a place is looked at again, ms since 1970. */
export async function postponeEvidence({ redis, names }: Indexes, place: string, until: number): Promise<void> {
  await redis.zadd(names.evidence, 'XX', until, place);
}

/** Call this when all objects at a place are deleted. */
export async function dropEvidence({ redis, names }: Indexes, place: string): Promise<void> {
  await redis.zrem(names.evidence, place);
}

/** From then on, the record says nothing about evidence. */
export async function forgetEvidence({ redis, names }: Indexes, id: string): Promise<void> {
  await redis.hdel(names.journal(id), 'ev');
}

/** How many verifications wait for copies, and by when the first of them is given up (ms since 1970; null: none waits). */
export async function countCopies({ redis, names }: Indexes): Promise<{ waiting: number; firstUntil: number | null }> {
  const [waiting, first] = await Promise.all([
    redis.zcard(names.copies),
    redis.zrange(names.copies, '0', '0', 'WITHSCORES'),
  ]);
  return { waiting, firstUntil: first[1] === undefined ? null : Number(first[1]) };
}
