/**
 * Deletes the objects that a verification has in the company's own bucket. Their keys are computed from id and generation, so an
 * upload is found even if its journal entry was never written. May be repeated.
 */
import { tenantFolder } from '../domain/operations/tenants.ts';
import { objectNames } from '../domain/verification/actions.ts';
import { objectKey } from '../domain/verification/identity.ts';
import type { EraseJob } from '../redis/erase-queue.ts';
import type { ErasureTools } from './finish-erasure.ts';

/** @throws Failure if a deletion is not confirmed. */
export async function deleteGenerations(
  { id, region, action, generations, tenant }: EraseJob,
  { edges, log, ...tools }: Pick<ErasureTools, 'edges' | 'objectFolder' | 'log'>,
  signal: AbortSignal,
): Promise<{ deleted: number }> {
  const objectFolder = tenantFolder(tools.objectFolder, tenant ?? null);
  const keys = Array.from({ length: generations }, (_, generation) =>
    objectNames(action).map((name) => objectKey(objectFolder, id, generation, name)),
  ).flat();
  const bucket = edges.bucket(region);
  await Promise.all(keys.map((key) => bucket.remove(key, signal)));
  log.info({ id, event: 'objects_deleted', objects: keys.length }, 'objects deleted');
  return { deleted: keys.length };
}
