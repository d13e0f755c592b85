/**
 * One own bucket, as the pipeline uses it: an object of a few bytes is put under the object folder, read by a signed link
 * without other credentials, asked for by a stranger, and deleted. Whatever fails in between, it is deleted.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Region } from '../domain/actions.ts';
import { Failure } from '../domain/failure.ts';
import type { LinkIo } from '../domain/ports.ts';
import type { BucketSettings, CheckedBucket, LifecycleRule } from '../storage/index.ts';
import { type Check, type Finding, failed } from './check.ts';

export interface BucketOptions {
  readonly region: Region;
  readonly objects: CheckedBucket;
  readonly settings: BucketSettings;
  readonly links: LinkIo;
  readonly objectFolder: string;
}

const LINK_MS = 60_000;
const REMOVE_MS = 5_000;
const CONTENT = Buffer.from('bestframe doctor: may be deleted\n');
const MD5 = createHash('md5').update(CONTENT).digest('hex');
const INIT = 'Run `bestframe bucket init`';
const ERASURE = 'Permit it: an erasure is confirmed only when the bucket lists no version of the pictures.';

export function bucketChecks(options: BucketOptions): Check[] {
  const { region, objects, settings, links, objectFolder } = options;
  const base = `bucket.${region}`;
  const folder = `${objectFolder}/doctor/${randomUUID()}/`;
  const key = `${folder}object`;
  const here = [base];
  return [
    { name: base, needs: ['credentials'], run: (signal) => placeFinding(settings, signal) },
    { name: `${base}.put`, needs: here, run: (signal) => putFinding(objects, links, key, signal) },
    { name: `${base}.get`, needs: [`${base}.put`], run: (signal) => getFinding(objects, links, key, signal) },
    {
      name: `${base}.private`,
      needs: here,
      after: [`${base}.put`], // strangers are to be refused something that is there
      run: (signal) => privateFinding(settings, key, signal),
    },
    {
      name: `${base}.delete`,
      needs: [`${base}.put`],
      after: [`${base}.get`, `${base}.private`],
      run: (signal) => deleteFinding(objects, key, signal),
    },
    {
      name: `${base}.versions`,
      needs: here,
      after: [`${base}.delete`],
      run: (signal) => versionsFinding(objects, folder, signal),
    },
    { name: `${base}.versioning`, needs: here, run: (signal) => versioningFinding(settings, signal) },
    { name: `${base}.lifecycle`, needs: here, run: (signal) => lifecycleFinding(settings, objectFolder, signal) },
  ];
}

/** For a region without one. */
export function noBucketCheck(region: Region): Check {
  const found = 'no own bucket: upload way create-upload-url alone works here';
  return { name: `bucket.${region}`, run: async () => ({ status: 'ok', found }) };
}

async function placeFinding(settings: BucketSettings, signal: AbortSignal): Promise<Finding> {
  const { region } = settings;
  let where: Region | null;
  try {
    where = await settings.locate(signal);
  } catch (error) {
    if (!isDenied(error)) throw error;
    const advice = 'Permit name/cos:HeadBucket to these keys, or correct the name: it may be somebody else’s bucket.';
    return { ...failed(error, 'the keys may not look at it'), advice };
  }
  if (where === region) return { status: 'ok', found: `it is there, in ${region}` };
  if (where === null) {
    const advice = `Correct its name in BESTFRAME_BUCKETS, or run \`bestframe bucket init --region ${region}\` to make it.`;
    return { status: 'fail', found: 'there is no such bucket in any region of the API', advice };
  }
  const advice = `Write ${where}= before it in BESTFRAME_BUCKETS, or use one in ${region}: links of other regions are refused.`;
  return { status: 'fail', found: `it lies in ${where}, not in ${region}`, advice };
}

async function putFinding(objects: CheckedBucket, links: LinkIo, key: string, signal: AbortSignal): Promise<Finding> {
  const head = { sizeBytes: CONTENT.byteLength, md5: MD5, contentType: 'text/plain' };
  try {
    await links.put(await objects.signPut(key, LINK_MS), content, head, signal);
    return { status: 'ok', found: 'an object was put under the object folder' };
  } catch (error) {
    // It may be there, though nobody said so.
    const refused = error instanceof Failure && error.sent === 'answered';
    if (!refused) await objects.remove(key, AbortSignal.timeout(REMOVE_MS)).catch(() => undefined);
    return denied(error, 'name/cos:PutObject');
  }
}

async function getFinding(objects: CheckedBucket, links: LinkIo, key: string, signal: AbortSignal): Promise<Finding> {
  try {
    const place = { bucket: objects.name, region: objects.region, key };
    const { md5 } = await links.hash(await objects.signGet(place, LINK_MS), signal);
    if (md5 === MD5) return { status: 'ok', found: 'it can be read by a signed link, as FaceID will' };
    const advice = 'See what stands between: a proxy that changes contents, or somebody who writes here.';
    return { status: 'fail', found: 'what a signed link yields is not what was put', advice };
  } catch (error) {
    return denied(error, 'name/cos:GetObject');
  }
}

async function privateFinding(settings: BucketSettings, key: string, signal: AbortSignal): Promise<Finding> {
  const status = await settings.statusForStrangers(key, signal);
  const advice = `${INIT}, or set its ACL to private: whoever guesses a name could see a face.`;
  if (status !== 403) {
    return { status: 'fail', found: `without a signature it answers with status ${status}, not 403`, advice };
  }
  try {
    if (await settings.isPublic(signal)) return { status: 'fail', found: 'its ACL lets everybody in', advice };
    return { status: 'ok', found: 'strangers are refused, and its ACL lets nobody else in' };
  } catch (error) {
    if (!isDenied(error)) throw error;
    return { status: 'ok', found: 'strangers are refused (the keys may not read its ACL: name/cos:GetBucketACL)' };
  }
}

async function deleteFinding(objects: CheckedBucket, key: string, signal: AbortSignal): Promise<Finding> {
  try {
    await objects.remove(key, signal);
    return { status: 'ok', found: 'it was deleted, and is gone' };
  } catch (error) {
    const finding = denied(error, 'name/cos:DeleteObject and name/cos:HeadObject');
    const left = `Then delete ${key}, an object of ${CONTENT.byteLength} bytes that may still be there.`;
    return { ...finding, advice: `${finding.advice ?? ''} ${left}`.trim() };
  }
}

/** As an erasure does it: whatever is left of the object is deleted, too. */
async function versionsFinding(objects: CheckedBucket, folder: string, signal: AbortSignal): Promise<Finding> {
  try {
    const { versions } = await objects.removeAll(folder, signal);
    if (versions === 0) return { status: 'ok', found: 'they can be listed, and the object has left none' };
    return { status: 'ok', found: `they can be listed; the object had left ${versions}, which were deleted` };
  } catch (error) {
    if (!isDenied(error)) throw error;
    return { ...failed(error), status: 'warn', advice: ERASURE };
  }
}

async function versioningFinding(settings: BucketSettings, signal: AbortSignal): Promise<Finding> {
  try {
    const versioning = await settings.versioning(signal);
    if (versioning === 'never') return { status: 'ok', found: 'off' };
    if (versioning === 'on') {
      const advice = `${INIT}, or suspend it: deleting leaves an old version, and the face in it.`;
      return { status: 'fail', found: 'on', advice };
    }
    const advice = 'Versions made while it was on are still there: delete them by hand if there are any.';
    return { status: 'ok', found: 'suspended', advice };
  } catch (error) {
    return unseen(error, 'name/cos:GetBucketVersioning');
  }
}

async function lifecycleFinding(settings: BucketSettings, objectFolder: string, signal: AbortSignal): Promise<Finding> {
  try {
    const days = daysUntilDeleted(await settings.rules(signal), objectFolder);
    if (days === null) {
      const advice = `${INIT}: it adds a rule of one day, a net for what an outage leaves behind.`;
      return { status: 'warn', found: 'no rule deletes what lies under the object folder', advice };
    }
    const found = `a rule deletes what lies under the object folder after ${days} ${days === 1 ? 'day' : 'days'}`;
    if (days <= 1) return { status: 'ok', found };
    return { status: 'warn', found, advice: 'Let it be one day: faces should not stay longer than they are needed.' };
  } catch (error) {
    return unseen(error, 'name/cos:GetBucketLifecycle');
  }
}

/** By the rule that comes first; null where none covers the whole folder. */
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
    ? { ...finding, advice: `Permit ${permission} under the object folder to these keys.` }
    : finding;
}

/** Workers do well without such a permission: that it is missing is no fault of the set-up. */
function unseen(error: unknown, permission: string): Finding {
  if (!isDenied(error)) return failed(error);
  const advice = `Permit ${permission}, or look at it with other keys.`;
  return { status: 'warn', found: `it could not be looked at: the keys lack ${permission}`, advice };
}
