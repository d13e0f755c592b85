/**
 * Object lock: a bucket's configuration, and the locks of its objects. A lock can be made longer, and never shorter; until it ends,
 * the object can be neither deleted nor replaced.
 *
 * Source: Tencent's pages on object lock (COS, product 436: pages 40133, 40134, 58038, 58039, 58301 and 40136).
 */
import { answerEmpty, answerXml } from './cos-answers.ts';
import { type BucketCall, type CosStores, type ObjectCall, readBody } from './cos-context.ts';
import {
  CosFailure,
  invalidArgument,
  lockNeedsVersions,
  malformedXml,
  noSuchKey,
  noSuchVersion,
  objectLocked,
} from './cos-error.ts';
import { readHeader, readVersionId } from './cos-request.ts';
import { COMPLIANCE, readLockDate, readObjectLock, readRetention } from './cos-xml.ts';
import type { Answer } from './exchange.ts';
import type { ObjectInfo, StoredObject } from './object-store.ts';
import type { Bucket } from './settings.ts';

const DAY_MS = 86_400_000;

export function getObjectLock({ request, bucket: { objectLock } }: BucketCall): Answer {
  request.resume();
  if (objectLock === undefined) throw new CosFailure(noObjectLock());
  const { days } = objectLock;
  const rule =
    days === null
      ? ''
      : `<Rule><DefaultRetention><Mode>${COMPLIANCE}</Mode><Days>${days}</Days></DefaultRetention></Rule>`;
  return answerXml(
    `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>${rule}</ObjectLockConfiguration>`,
  );
}

export async function putObjectLock({ request, bucket }: BucketCall): Promise<Answer> {
  const objectLock = readObjectLock((await readBody(request)).toString());
  if (objectLock === null) throw new CosFailure(malformedXml());
  if (bucket.versioning === 'Suspended') throw new CosFailure(lockNeedsVersions());
  bucket.objectLock = objectLock;
  return answerEmpty(200);
}

export function getRetention(call: ObjectCall): Answer {
  call.request.resume();
  const { lockedUntil } = findStored(call);
  if (lockedUntil === undefined) throw new CosFailure(noRetention());
  const date = new Date(lockedUntil).toISOString();
  return answerXml(`<Retention><Mode>${COMPLIANCE}</Mode><RetainUntilDate>${date}</RetainUntilDate></Retention>`);
}

export async function putRetention(call: ObjectCall): Promise<Answer> {
  const { request, bucket, stores } = call;
  const until = readRetention((await readBody(request)).toString());
  if (until === null) throw new CosFailure(malformedXml());
  if (bucket.objectLock === undefined) throw new CosFailure(noObjectLock());
  const stored = findStored(call);
  const { lockedUntil = 0 } = stored;
  if (lockedUntil > stores.now() && until < lockedUntil) throw new CosFailure(objectLocked());
  checkFuture(until, stores);
  stores.objects.lock(stored, until);
  return answerEmpty(200);
}

/** The lock of an object that is written now: from its headers, or from the bucket's configuration. */
export function readLock({ request: { headers }, bucket, stores }: ObjectCall): Pick<ObjectInfo, 'lockedUntil'> {
  const mode = readHeader(headers, 'x-cos-object-lock-mode');
  const date = readHeader(headers, 'x-cos-object-lock-retain-until-date');
  if (mode === undefined && date === undefined) {
    const days = bucket.objectLock?.days ?? null;
    return days === null ? {} : { lockedUntil: stores.now() + days * DAY_MS };
  }
  if (bucket.objectLock === undefined) throw new CosFailure(noObjectLock());
  const until = readLockDate(date ?? '');
  if (mode !== COMPLIANCE || until === null)
    throw new CosFailure(
      invalidArgument('The lock needs the mode COMPLIANCE and a date such as 2022-12-10T08:34:48.000Z.'),
    );
  checkFuture(until, stores);
  return { lockedUntil: until };
}

/** In a bucket with versions, a deletion that names no version only adds a delete marker. */
export function isDeletionLocked(
  { objects, now }: CosStores,
  { name, versioning }: Bucket,
  { key, versionId }: { readonly key: string; readonly versionId: string | undefined },
): boolean {
  if (versioning !== undefined && versionId === undefined) return false;
  return (objects.get(name, key, versionId)?.lockedUntil ?? 0) > now();
}

function findStored({ query, bucket, key, stores }: ObjectCall): StoredObject {
  const versionId = readVersionId(query);
  const stored = stores.objects.get(bucket.name, key, versionId);
  if (stored === undefined) throw new CosFailure(versionId === undefined ? noSuchKey() : noSuchVersion());
  return stored;
}

function checkFuture(until: number, { now }: CosStores): void {
  if (until <= now()) throw new CosFailure(invalidArgument('The date of a lock must be in the future.'));
}

function noObjectLock() {
  return { status: 404, code: 'ObjectLockConfigurationNotFoundError', message: 'The bucket has no object lock.' };
}

function noRetention() {
  return { status: 404, code: 'NoSuchObjectLockConfiguration', message: 'The object has no lock.' };
}
