/**
 * Finishes an erasure on demand: deletes the data outside the record (objects with all versions, the frame, the job). Each part
 * is confirmed in the receipt as soon as it is deleted, so a second try continues with the next part. At the end, the tombstone
 * says only that the verification was erased.
 */
import type { Queue } from 'bullmq';
import type { Logger } from 'pino';
import { localFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import type { Confirmation, EvidenceErasure, StoredReceipt } from '../domain/operations/erasure.ts';
import { tenantFolder } from '../domain/operations/tenants.ts';
import type { EvidenceBuckets, LockedObject } from '../domain/ports.ts';
import { evidenceName, placeText } from '../domain/verification/evidence.ts';
import { mediumTarget } from '../domain/verification/media.ts';
import type { Region } from '../domain/verification/regions.ts';
import type { Edges } from '../pipeline/stages/index.ts';
import { readClock } from '../redis/clock.ts';
import type { Deployment } from '../redis/deployment.ts';
import { clearPendingErasure, noteErasure, readPendingErasure, readReceipt, writeReceipt } from '../redis/erasures.ts';
import { dropEvidence, postponeEvidence } from '../redis/evidence.ts';
import type { VerifyJob } from '../redis/job-options.ts';
import type { Tombstone } from '../redis/tombstone.ts';

export interface ErasureTools {
  readonly deployment: Deployment;
  readonly objectFolder: string;
  /** Folder in the own buckets for files that came over HTTP. Null: they are not staged there. */
  readonly stagingFolder: string | null;
  readonly queues: ReadonlyMap<Region, Queue<VerifyJob>>;
  readonly edges: Pick<Edges, 'bucket' | 'sink'>;
  readonly evidence: EvidenceBuckets;
  readonly log: Logger;
}

/** May be repeated. @throws Failure if something could not be deleted, or its deletion could not be confirmed. */
export async function finishErasure(id: string, tools: ErasureTools, signal: AbortSignal): Promise<{ complete: true }> {
  const { deployment, log } = tools;
  const tombstone = await readPendingErasure(deployment, id);
  let receipt = await readReceipt(deployment, id);
  const confirm = async (confirmed: Partial<StoredReceipt>) => {
    receipt = { ...(receipt as StoredReceipt), ...confirmed };
    await writeReceipt(deployment, receipt);
  };
  if (tombstone === null && receipt?.complete === true && receipt.completeAt === undefined)
    await confirm({ completeAt: await readClock(deployment) });
  if (tombstone === null || receipt === null) return { complete: true };
  if (receipt.objects === null) {
    const { tenant } = receipt;
    const place = { id, region: tombstone.region, ...(tenant === undefined ? {} : { tenant }) };
    await confirm({ objects: await deleteObjects(place, tools, signal) });
  }
  if (receipt.frame === null)
    await confirm({ frame: await deleteFrame({ id, tenant: receipt.tenant ?? null }, tombstone, tools, signal) });
  if (receipt.job === null) await confirm({ job: await removeJob(id, tombstone, tools) });
  if (receipt.evidence === null) await confirm({ evidence: await deleteEvidence(tombstone, tools, signal) });
  await confirm({ complete: true });
  await clearPendingErasure(deployment, id);
  const completeAt = await readClock(deployment);
  await noteErasure(deployment, completeAt);
  await confirm({ completeAt }); // only now is nothing personal left, not even in the tombstone
  log.info({ id, event: 'erased' }, 'erased on demand, and confirmed');
  return { complete: true };
}

/** Deletes the objects in the company's own bucket, with all versions. */
export async function deleteObjects(
  { id, region, tenant }: { readonly id: string; readonly region: Region; readonly tenant?: string },
  { edges, objectFolder, stagingFolder }: Pick<ErasureTools, 'edges' | 'objectFolder' | 'stagingFolder'>,
  signal: AbortSignal,
) {
  const bucket = edges.bucket(region);
  let versions = 0;
  for (const folder of [objectFolder, ...(stagingFolder === null ? [] : [stagingFolder])])
    versions += (await bucket.removeAll(`${tenantFolder(folder, tenant ?? null)}/${id}/`, signal)).versions;
  return { ...confirmedBy('COS'), versions };
}

async function deleteFrame(
  { id, tenant }: { readonly id: string; readonly tenant: string | null },
  { stored, target, media, storedMedia }: Tombstone,
  { edges: { sink } }: ErasureTools,
  signal: AbortSignal,
): Promise<StoredReceipt['frame']> {
  // If a worker was storing the frame while the record was removed, the frame is at its intended path.
  const path = stored?.path ?? (target === null ? null : sink.pathFor({ id, tenant, target }));
  const beside =
    target === null ? [] : media.map((name) => sink.pathFor({ id, tenant, target: mediumTarget(id, target, name) }));
  const paths = new Set([path, ...beside, ...storedMedia.map((medium) => medium.path)].flatMap((each) => each ?? []));
  const [first] = paths; // a session may have stored media and no frame
  if (first === undefined) return 'none';
  for (const each of paths) {
    await sink.remove({ path: each }, id, signal);
    await sink.removeParts({ path: each });
  }
  return confirmedBy(first.startsWith('cos:') ? 'COS' : 'file system');
}

/** Deletes what is not locked any more. Retention deletes the rest when its lock has ended. */
async function deleteEvidence(
  { evidence }: Tombstone,
  { deployment, evidence: buckets }: ErasureTools,
  signal: AbortSignal,
): Promise<EvidenceErasure> {
  const place = evidence?.place ?? null;
  if (place === null) return 'none';
  const bucket = buckets.of(place.region, place.bucket);
  const now = await readClock(deployment);
  const { versions, locked } = await bucket.removeUnlocked(place.folder, now, signal);
  if (locked.length === 0) {
    // A worker that was stopped in the middle of a copy may still finish it: retention looks again when its lock would end.
    if (evidence?.state !== 'pending') await dropEvidence(deployment, placeText(place));
    return { ...confirmedBy('COS'), versions };
  }
  const lastEnd = Math.max(...locked.map(({ until }) => until));
  await postponeEvidence(deployment, placeText(place), lastEnd);
  return { lockedUntil: new Date(lastEnd).toISOString(), objects: namesOf(locked) };
}

/** @returns each name once. */
function namesOf(objects: readonly LockedObject[]): string[] {
  return [...new Set(objects.map(({ key }) => evidenceName(key) ?? 'another object'))];
}

async function removeJob(id: string, { region }: Tombstone, { queues }: ErasureTools): Promise<Confirmation> {
  const queue = queues.get(region);
  await queue?.remove(id);
  if ((await queue?.getJob(id)) !== undefined) {
    throw localFailure(CODES.LEASE_LOST, 'a worker still holds the job: it is removed when the worker lets go');
  }
  return confirmedBy('Redis');
}

export function confirmedBy<By extends Confirmation['by']>(by: By): Confirmation & { by: By } {
  return { confirmedAt: new Date().toISOString(), by };
}
