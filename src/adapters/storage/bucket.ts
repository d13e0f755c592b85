/**
 * The company's own bucket in one region. The COS SDK is used only to sign, because it does not use a configured CA, has no time
 * limit and retries requests that must not be retried. Bytes and deletions travel through the transport.
 *
 * Signed links use the default domain (the only one that FaceID is documented to accept), allow one method on one object, and
 * sign no header but `host`, so a PUT may carry Content-MD5.
 */

import { Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { Bucket } from '../../domain/ports.ts';
import { recodeFailure } from '../http/answer-failures.ts';
import { withQuickRetries } from '../http/quick-retries.ts';
import { type BucketAccess, type BucketRequest, readCosFailure, sendToBucket } from './cos-requests.ts';
import { readOwner } from './object-owner.ts';
import {
  type ListedVersion,
  listVersions,
  type ObjectVersion,
  removeOwnedVersions,
  removeVersions,
  type VersionStore,
} from './object-versions.ts';
import { signLink } from './sign-link.ts';

/** A bucket that can be checked when the process starts: does it exist in this region, and do the keys have access to it? */
export interface CheckedBucket extends Bucket {
  /** @throws Failure BUCKET_REGION if the region has no such bucket, NO_CREDENTIALS if the keys are refused. */
  check(signal: AbortSignal): Promise<void>;
  /** Lists every version and delete marker under a prefix, including objects that are deleted but have versions left. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<ListedVersion>;
}

/** Upper limit for one page of a version list. A key has at most 850 bytes; percent-encoding makes it longer. */
const MAX_LIST_BYTES = 2 * 1024 * 1024;

export function createBucket(bucket: BucketAccess): CheckedBucket {
  const { name, region, credentials } = bucket;
  const versions = versionStore(bucket);
  return {
    name,
    region,
    signPut: (key, ttlMs) => signLink(credentials, { method: 'PUT', place: { bucket: name, region, key }, ttlMs }),
    signGet: (place, ttlMs) => signLink(credentials, { method: 'GET', place, ttlMs }),

    remove(key, signal) {
      return withQuickRetries(async () => {
        await sendAboutObject(bucket, { method: 'DELETE', key }, signal);
        if ((await sendAboutObject(bucket, { method: 'HEAD', key }, signal)) === 404) return;
        const message = 'the object still exists after it was deleted: it will be deleted again';
        throw localFailure(CODES.HTTP_5XX, message, { service: 'cos', sent: 'answered' });
      }, signal);
    },

    async removeAll(prefix, signal) {
      // An empty prefix would delete the whole bucket, and `folder/id` would also delete `folder/id2`.
      if (!/^[^/].*\/$/s.test(prefix))
        throw new Error('a prefix to delete under must name a folder and end with a slash');
      return { versions: await removeVersions(versions, prefix, () => true, signal) };
    },

    async removeVersions(key, signal) {
      return { versions: await removeVersions(versions, key, (each) => each === key, signal) };
    },

    list: (prefix, signal) => listVersions(versions.list, prefix, signal),

    async ownerOf(key, signal) {
      const found = await headObject(bucket, key, undefined, signal);
      return found === null ? null : { owner: found.owner };
    },

    /** The current version is deleted by its key or its id first, because a version list may not show a recent object yet. */
    async removeOwned(key, owner, signal) {
      const current = await headObject(bucket, key, undefined, signal);
      if (current?.owner === owner) {
        if (current.versionId === null) await this.remove(key, signal);
        else await versions.remove({ key, versionId: current.versionId, isMarker: false }, signal);
      }
      const isOurs = async ({ versionId }: ObjectVersion) =>
        (await headObject(bucket, key, versionId, signal))?.owner === owner;
      await removeOwnedVersions(versions, key, isOurs, signal);
    },

    check(signal) {
      return withQuickRetries(async () => {
        const response = await sendToBucket(bucket, { method: 'HEAD' }, signal);
        if (response.status !== 200) throw explainCheck(await readCosFailure(response), region);
        await response.dump();
      }, signal);
    },
  };
}

export function versionStore(bucket: BucketAccess): VersionStore {
  return {
    list: (query, signal) =>
      withQuickRetries(async () => {
        const response = await sendToBucket(bucket, { method: 'GET', query }, signal);
        if (response.status === 200) return response.text(MAX_LIST_BYTES);
        throw nameMissingPermission(await readCosFailure(response), 'name/cos:GetBucketObjectVersions');
      }, signal),
    remove: ({ key, versionId }, signal) =>
      withQuickRetries(async () => {
        const query = versionId === '' ? {} : { query: { versionId } };
        try {
          await sendAboutObject(bucket, { method: 'DELETE', key, ...query }, signal);
        } catch (error) {
          throw error instanceof Failure ? nameMissingPermission(error, 'name/cos:DeleteObject') : error;
        }
      }, signal),
  };
}

interface FoundObject {
  readonly owner: string | null;
  /** Null if the bucket has no versions. */
  readonly versionId: string | null;
}

/** @param versionId undefined: the current version. @returns null if there is no such object or version. */
function headObject(
  bucket: BucketAccess,
  key: string,
  versionId: string | undefined,
  signal: AbortSignal,
): Promise<FoundObject | null> {
  return withQuickRetries(async () => {
    const query = versionId === undefined || versionId === '' ? {} : { query: { versionId } };
    const response = await sendToBucket(bucket, { method: 'HEAD', key, ...query }, signal);
    await response.dump();
    if (response.status === 404) return null;
    if (response.status !== 200) throw await readCosFailure(response);
    return { owner: readOwner(response), versionId: response.header('x-cos-version-id') };
  }, signal);
}

/** @returns the status; 404 if the object is missing. A missing bucket is a Failure: the object may lie in another region. */
async function sendAboutObject(bucket: BucketAccess, request: BucketRequest, signal: AbortSignal): Promise<number> {
  const response = await sendToBucket(bucket, request, signal);
  if (response.status < 300) await response.dump();
  else {
    const failure = await readCosFailure(response);
    if (response.status !== 404 || failure.code === 'NoSuchBucket') throw failure;
  }
  return response.status;
}

function nameMissingPermission(failure: Failure, permission: string): Failure {
  if (failure.code !== 'AccessDenied') return failure;
  const message = `the keys lack a permission that deleting all versions needs: permit ${permission} on this bucket`;
  return recodeFailure(failure, failure.code, message, { channel: failure.channel });
}

export function explainCheck(failure: Failure, region: string): Failure {
  if (failure.httpStatus === 404 || failure.httpStatus === 301) {
    const message = `there is no such bucket in ${region}: correct its name, or create one in this region`;
    return recodeFailure(failure, CODES.BUCKET_REGION, message);
  }
  if (failure.httpStatus === 403) {
    const message =
      'the bucket cannot be used with the configured keys: check the keys, their permissions and this machine’s clock';
    return recodeFailure(failure, CODES.NO_CREDENTIALS, message);
  }
  return failure;
}
