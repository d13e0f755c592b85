/**
 * What an erasure on demand has still to do outside Redis: objects with all their versions, the frame, the job. Each is
 * confirmed in the receipt as it is done, so that a second try goes on from there; then the tombstone keeps nothing but that
 * the verification was erased.
 */
import type { Queue } from 'bullmq';
import type { Logger } from 'pino';
import type { Region } from '../domain/actions.ts';
import type { Confirmation, ErasureReceipt } from '../domain/erasure.ts';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { RedisClient } from '../queue/connection.ts';
import type { Names } from '../queue/names.ts';
import { KEYS_KEPT_MS, type VerifyJob } from '../queue/options.ts';
import { readTombstone, type Tombstone } from '../queue/record.ts';
import type { Sealer } from '../queue/seal.ts';
import type { Edges } from '../stages/index.ts';

export interface ForgetTools {
  readonly redis: RedisClient;
  readonly names: Names;
  readonly sealer: Sealer;
  readonly objectFolder: string;
  readonly queues: ReadonlyMap<Region, Queue<VerifyJob>>;
  readonly edges: Pick<Edges, 'bucket' | 'sink'>;
  readonly log: Logger;
}

/** @throws Failure where something could not be deleted or confirmed: to be tried again. */
export async function forget(id: string, tools: ForgetTools, signal: AbortSignal): Promise<{ complete: boolean }> {
  const { redis, names, sealer, log } = tools;
  const tombstone = readTombstone(id, await redis.hgetall(names.journal(id)), sealer);
  const text = await redis.get(names.receipt(id));
  if (tombstone === null || text === null) return { complete: true };
  let receipt = JSON.parse(text) as ErasureReceipt;
  const confirm = async (more: Partial<ErasureReceipt>) => {
    receipt = { ...receipt, ...more };
    await redis.set(names.receipt(id), JSON.stringify(receipt), 'PX', KEYS_KEPT_MS);
  };
  if (receipt.objects === null) await confirm({ objects: await removeObjects(id, tombstone.region, tools, signal) });
  if (receipt.frame === null) await confirm({ frame: await frame(id, tombstone, tools, signal) });
  if (receipt.job === null) await confirm({ job: await job(id, tombstone, tools) });
  await confirm({ complete: true });
  await redis.hdel(names.journal(id), 'rq', 'stored', 'src', 'pending');
  log.info({ id, event: 'forgotten' }, 'erased on demand, and confirmed');
  return { complete: true };
}

/** In the own bucket, with all versions. */
export async function removeObjects(
  id: string,
  region: Region,
  { edges, objectFolder }: Pick<ForgetTools, 'edges' | 'objectFolder'>,
  signal: AbortSignal,
) {
  const { versions } = await edges.bucket(region).removeAll(`${objectFolder}/${id}/`, signal);
  return { ...now('COS'), versions };
}

async function frame(
  id: string,
  { stored, target }: Tombstone,
  { edges: { sink } }: ForgetTools,
  signal: AbortSignal,
): Promise<ErasureReceipt['frame']> {
  // One that was on its way when the record was taken out is where it was to go.
  const path = stored?.path ?? (target === null ? null : sink.pathFor(id, target));
  if (path === null) return 'none';
  await sink.remove({ path }, signal);
  await sink.removeParts({ path });
  return now(path.startsWith('cos:') ? 'COS' : 'file system');
}

async function job(id: string, { region }: Tombstone, { queues }: ForgetTools): Promise<Confirmation> {
  const queue = queues.get(region);
  await queue?.remove(id);
  if ((await queue?.getJob(id)) !== undefined) {
    const facts = { service: 'bestframe', channel: 'local', code: CODES.LEASE_LOST, sent: 'no' } as const;
    throw new Failure(facts, 'the job is still in the hands of a worker: it is removed when it has let go');
  }
  return now('Redis');
}

function now<By extends Confirmation['by']>(by: By): Confirmation & { by: By } {
  return { confirmedAt: new Date().toISOString(), by };
}
