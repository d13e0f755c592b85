/** COS's operations on buckets: create, delete, lists, settings, and the list of the account's buckets. */
import type { IncomingMessage } from 'node:http';
import { type BucketSetting, isAcl, readSetting, removeLifecycle, writeSetting } from './bucket-settings.ts';
import { answerEmpty, answerXml, etagOf } from './cos-answers.ts';
import { type BucketCall, type CosStores, type Operation, readBody } from './cos-context.ts';
import { accessDenied, CosFailure, invalidAcl, notEmulated } from './cos-error.ts';
import { type BucketTarget, readHeader } from './cos-request.ts';
import type { Answer } from './exchange.ts';
import { listObjectsXml, listVersionsXml } from './listing.ts';
import { listBucketsXml } from './listing-buckets.ts';
import { listUploadsXml } from './listing-uploads.ts';
import type { StoredObject } from './object-store.ts';
import { documentXml } from './xml.ts';

/**
 * A bucket's name without its APPID: lower-case letters, digits and hyphens. Neither the first nor the last character is a
 * hyphen.
 */
const BUCKET_NAME = /^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?$/;

export function getService(query: URLSearchParams, region: string | undefined, { buckets, appId }: CosStores): Answer {
  return answerXml(listBucketsXml({ buckets, appId, region }, query));
}

export async function createBucket(request: IncomingMessage, target: BucketTarget, stores: CosStores): Promise<Answer> {
  const { bucket: name, region } = target;
  if ((await readBody(request)).length > 0) throw new CosFailure(notEmulated('a bucket with a configuration'));
  const [, shortName = '', owner = ''] = /^(.*)-(\d+)$/.exec(name) ?? [];
  if (!BUCKET_NAME.test(shortName)) {
    const message = 'The bucket name is not valid: use lower case, digits and hyphens.';
    throw new CosFailure({ status: 400, code: 'InvalidBucketName', message });
  }
  if (owner !== stores.appId) throw new CosFailure(accessDenied(`The bucket's APPID is not yours, ${stores.appId}.`));
  if (stores.buckets.some((bucket) => bucket.name === name))
    throw new CosFailure({ status: 409, code: 'BucketAlreadyOwnedByYou', message: 'The bucket exists already.' });
  const acl = readHeader(request.headers, 'x-cos-acl') ?? 'private';
  if (!isAcl(acl)) throw new CosFailure(invalidAcl());
  stores.buckets.push({ name, region, acl, createdAt: Date.now() });
  return answerEmpty(200);
}

export function deleteBucket({ request, bucket, stores }: BucketCall): Answer {
  request.resume();
  const { buckets, objects, uploads } = stores;
  if (!objects.isEmpty(bucket.name) || uploads.list(bucket.name).length > 0) {
    const message = 'The bucket still has objects, versions or uploads in parts.';
    throw new CosFailure({ status: 409, code: 'BucketNotEmpty', message });
  }
  buckets.splice(buckets.indexOf(bucket), 1);
  return answerEmpty(204);
}

export function headBucket({ request, bucket }: BucketCall): Answer {
  request.resume();
  return answerEmpty(200, { 'x-cos-bucket-region': bucket.region });
}

export function getLocation({ request, bucket }: BucketCall): Answer {
  request.resume();
  return answerXml(documentXml('LocationConstraint', [bucket.region]));
}

export function listObjects(call: BucketCall): Answer {
  call.request.resume();
  return answerXml(listObjectsXml(contentOf(call), call.query));
}

export function listVersions(call: BucketCall): Answer {
  call.request.resume();
  const showVersionIds = call.bucket.versioning !== undefined;
  return answerXml(listVersionsXml({ ...contentOf(call), showVersionIds }, call.query));
}

export function listUploads({ request, bucket, query, stores }: BucketCall): Answer {
  request.resume();
  return answerXml(listUploadsXml(bucket.name, stores.uploads.list(bucket.name), query));
}

function contentOf({ bucket, stores }: BucketCall) {
  const histories = stores.objects.histories().filter(([latest]) => latest?.bucket === bucket.name);
  return { bucketName: bucket.name, histories, etagOf: (stored: StoredObject) => etagOf(stored, bucket) };
}

export function getSetting(setting: BucketSetting): Operation<BucketCall> {
  return ({ request, bucket }) => {
    request.resume();
    const { xml, headers } = readSetting(bucket, setting);
    return answerXml(xml, headers);
  };
}

export function putSetting(setting: BucketSetting): Operation<BucketCall> {
  return async ({ request, bucket }) => {
    const body = await readBody(request);
    writeSetting(bucket, setting, { acl: readHeader(request.headers, 'x-cos-acl'), body });
    return answerEmpty(200);
  };
}

export function deleteLifecycle({ request, bucket }: BucketCall): Answer {
  request.resume();
  removeLifecycle(bucket);
  return answerEmpty(204);
}
