/**
 * Checks one of the company's own buckets by the pipeline's own steps: puts an object of a few bytes under the object folder,
 * reads it by a signed link without other credentials, requests it without a signature, and deletes it. The object is deleted
 * even if a check in between fails.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { BucketSettings, CheckedBucket, LifecycleRule } from '../../adapters/storage/index.ts';
import { Failure } from '../../domain/errors/failure.ts';
import type { LinkIo } from '../../domain/ports.ts';
import { serves } from '../../domain/verification/actions.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { BucketFolders } from './bucket-folders.ts';
import { type Check, type Finding, failed } from './run-checks.ts';

export interface BucketCheckOptions {
  readonly region: Region;
  readonly objects: CheckedBucket;
  readonly settings: BucketSettings;
  readonly links: LinkIo;
  readonly folders: BucketFolders;
}

const LINK_MS = 60_000;
const CLEANUP_MS = 5_000;
const CONTENT = Buffer.from('bestframe doctor: may be deleted\n');
const MD5 = createHash('md5').update(CONTENT).digest('hex');
const RUN_INIT = 'Run `bestframe bucket init`';
const PERMIT_VERSIONS = 'Grant it: an erasure is confirmed only when the bucket lists no version of the pictures.';

export function bucketChecks(options: BucketCheckOptions): Check[] {
  const { region, objects, settings, links, folders } = options;
  const base = `bucket.${region}`;
  const folder = `${folders.objects}/doctor/${randomUUID()}/`;
  const key = `${folder}object`;
  const needsBucket = [base];
  return [
    { name: base, needs: ['credentials'], run: (signal) => checkLocation(settings, signal) },
    { name: `${base}.put`, needs: needsBucket, run: (signal) => checkPut(objects, links, key, signal) },
    { name: `${base}.get`, needs: [`${base}.put`], run: (signal) => checkGet(objects, links, key, signal) },
    {
      name: `${base}.private`,
      needs: needsBucket,
      after: [`${base}.put`], // The object must exist: a request for a missing object would be refused even in a public bucket.
      run: (signal) => checkPrivate(settings, key, signal),
    },
    {
      name: `${base}.delete`,
      needs: [`${base}.put`],
      after: [`${base}.get`, `${base}.private`],
      run: (signal) => checkDelete(objects, key, signal),
    },
    {
      name: `${base}.versions`,
      needs: needsBucket,
      after: [`${base}.delete`],
      run: (signal) => checkVersions(objects, folder, signal),
    },
    { name: `${base}.versioning`, needs: needsBucket, run: (signal) => checkVersioning(settings, signal) },
    {
      name: `${base}.lifecycle`,
      needs: needsBucket,
      run: (signal) => checkLifecycle(settings, folders.objects, signal),
    },
    ...stagingChecks(options),
  ];
}

function stagingChecks({ region, settings, folders: { staged } }: BucketCheckOptions): Check[] {
  if (staged === null) return [];
  const base = `bucket.${region}`;
  return [{ name: `${base}.staging`, needs: [base], run: (signal) => checkStagingRule(settings, staged, signal) }];
}

/** The check for a region in which no bucket of the company is configured. */
export function noBucketCheck(region: Region): Check {
  const found = serves(region, 'CreateUploadUrl')
    ? 'no own bucket: only the upload way create-upload-url works here'
    : 'no own bucket, and none is needed: sessions are all that Tencent offers here';
  return { name: `bucket.${region}`, run: async () => ({ status: 'ok', found }) };
}

async function checkLocation(settings: BucketSettings, signal: AbortSignal): Promise<Finding> {
  const { region } = settings;
  let actual: Region | null;
  try {
    actual = await settings.locate(signal);
  } catch (error) {
    if (!isDenied(error)) throw error;
    const advice =
      'Grant name/cos:HeadBucket to these credentials, or correct the name: the bucket may belong to somebody else.';
    return { ...failed(error, 'the credentials may not access it'), advice };
  }
  if (actual === region) return { status: 'ok', found: `exists in ${region}` };
  if (actual === null) {
    const advice = `Correct its name in BESTFRAME_BUCKETS, or create it with \`bestframe bucket init --region ${region}\`.`;
    return { status: 'fail', found: 'does not exist in any region of the FaceID API', advice };
  }
  const advice = `Write ${actual}= before it in BESTFRAME_BUCKETS, or use a bucket in ${region}: FaceID refuses links to other regions.`;
  return { status: 'fail', found: `lies in ${actual}, not in ${region}`, advice };
}

async function checkPut(objects: CheckedBucket, links: LinkIo, key: string, signal: AbortSignal): Promise<Finding> {
  const head = { sizeBytes: CONTENT.byteLength, md5: MD5, contentType: 'text/plain' };
  try {
    await links.put(await objects.signPut(key, LINK_MS), content, head, signal);
    return { status: 'ok', found: 'an object can be put under the object folder' };
  } catch (error) {
    // If the PUT got no answer, the object may exist nevertheless, so delete it.
    const refused = error instanceof Failure && error.sent === 'answered';
    if (!refused) await objects.remove(key, AbortSignal.timeout(CLEANUP_MS)).catch(() => undefined);
    return denied(error, 'name/cos:PutObject');
  }
}

async function checkGet(objects: CheckedBucket, links: LinkIo, key: string, signal: AbortSignal): Promise<Finding> {
  try {
    const place = { bucket: objects.name, region: objects.region, key };
    const { md5 } = await links.hash(await objects.signGet(place, LINK_MS), signal);
    if (md5 === MD5) return { status: 'ok', found: 'a signed link reads the object, as FaceID will' };
    const advice = 'Look for a proxy that changes contents, or for another program that writes to this folder.';
    return { status: 'fail', found: 'a signed link returns other content than was put', advice };
  } catch (error) {
    return denied(error, 'name/cos:GetObject');
  }
}

async function checkPrivate(settings: BucketSettings, key: string, signal: AbortSignal): Promise<Finding> {
  const status = await settings.anonymousStatus(key, signal);
  const advice = `${RUN_INIT}, or set the ACL to private: anyone who guesses an object name could see a face.`;
  if (status !== 403) {
    return { status: 'fail', found: `a request without a signature gets status ${status}, not 403`, advice };
  }
  try {
    if (await settings.isPublic(signal)) return { status: 'fail', found: 'the ACL allows public access', advice };
    return { status: 'ok', found: 'requests without a signature are refused, and the ACL is private' };
  } catch (error) {
    if (!isDenied(error)) throw error;
    return {
      status: 'ok',
      found: 'requests without a signature are refused (the ACL was not checked: no permission name/cos:GetBucketACL)',
    };
  }
}

async function checkDelete(objects: CheckedBucket, key: string, signal: AbortSignal): Promise<Finding> {
  try {
    await objects.remove(key, signal);
    return { status: 'ok', found: 'the object was deleted' };
  } catch (error) {
    const finding = denied(error, 'name/cos:DeleteObject and name/cos:HeadObject');
    const left = `Then delete ${key}, an object of ${CONTENT.byteLength} bytes that may still exist.`;
    return { ...finding, advice: `${finding.advice ?? ''} ${left}`.trim() };
  }
}

/** Lists versions as an erasure does, and deletes the remaining versions of the checked object. */
async function checkVersions(objects: CheckedBucket, folder: string, signal: AbortSignal): Promise<Finding> {
  try {
    const { versions } = await objects.removeAll(folder, signal);
    if (versions === 0) return { status: 'ok', found: 'versions can be listed, and the object left none' };
    return { status: 'ok', found: `versions can be listed; the object left ${versions}, which were deleted` };
  } catch (error) {
    if (!isDenied(error)) throw error;
    return { ...failed(error), status: 'warn', advice: PERMIT_VERSIONS };
  }
}

async function checkVersioning(settings: BucketSettings, signal: AbortSignal): Promise<Finding> {
  try {
    const versioning = await settings.versioning(signal);
    if (versioning === 'never') return { status: 'ok', found: 'off' };
    if (versioning === 'on') {
      const advice = `${RUN_INIT}, or suspend versioning: a deleted object leaves an old version with the face in it.`;
      return { status: 'fail', found: 'on', advice };
    }
    const advice = 'Versions from the time when it was on still exist: delete them yourself.';
    return { status: 'ok', found: 'suspended', advice };
  } catch (error) {
    return notVisible(error, 'name/cos:GetBucketVersioning');
  }
}

async function checkLifecycle(settings: BucketSettings, objectFolder: string, signal: AbortSignal): Promise<Finding> {
  try {
    const days = daysUntilDeleted(await settings.rules(signal), objectFolder);
    if (days === null) {
      const advice = `${RUN_INIT}: it adds a one-day rule, which clears what an outage leaves behind.`;
      return { status: 'warn', found: 'no rule deletes objects in the object folder', advice };
    }
    const found = `a rule deletes objects in the object folder after ${days} ${days === 1 ? 'day' : 'days'}`;
    if (days <= 1) return { status: 'ok', found };
    return { status: 'warn', found, advice: 'Shorten it to one day: faces must not stay longer than they are needed.' };
  } catch (error) {
    return notVisible(error, 'name/cos:GetBucketLifecycle');
  }
}

async function checkStagingRule(
  settings: BucketSettings,
  { folder, days: needed }: { readonly folder: string; readonly days: number },
  signal: AbortSignal,
): Promise<Finding> {
  try {
    const days = daysUntilDeleted(await settings.rules(signal), folder);
    if (days === null) {
      const advice = `${RUN_INIT}: it adds a rule of ${needed} days, which clears what an outage leaves behind.`;
      return { status: 'warn', found: 'no rule deletes files that came over HTTP', advice };
    }
    const found = `a rule deletes files that came over HTTP after ${days} ${days === 1 ? 'day' : 'days'}`;
    if (days >= needed) return { status: 'ok', found };
    return {
      status: 'fail',
      found,
      advice: `Lengthen it to ${needed} days: a verification may need its files so long.`,
    };
  } catch (error) {
    return notVisible(error, 'name/cos:GetBucketLifecycle');
  }
}

/** The shortest lifetime that a rule sets for the whole folder; null if no rule covers it. */
export function daysUntilDeleted(rules: readonly LifecycleRule[], objectFolder: string): number | null {
  const days = rules.flatMap((rule) =>
    rule.enabled && rule.days !== null && rule.prefix !== null && `${objectFolder}/`.startsWith(rule.prefix)
      ? [rule.days]
      : [],
  );
  return days.length === 0 ? null : Math.min(...days);
}

async function* content(): AsyncGenerator<Uint8Array> {
  yield CONTENT;
}

function isDenied(error: unknown): boolean {
  return error instanceof Failure && error.httpStatus === 403;
}

function denied(error: unknown, permission: string): Finding {
  const finding = failed(error);
  return isDenied(error)
    ? { ...finding, advice: `Grant ${permission} on the object folder to these credentials.` }
    : finding;
}

/** Workers do not need this permission, so its absence is a warning and not a failure. */
function notVisible(error: unknown, permission: string): Finding {
  if (!isDenied(error)) return failed(error);
  const advice = `Grant ${permission}, or check it with other credentials.`;
  return { status: 'warn', found: `not checked: the credentials lack ${permission}`, advice };
}
