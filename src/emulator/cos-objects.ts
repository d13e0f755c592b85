/** COS's operations on objects: PUT, copy, GET, HEAD, DELETE, and DELETE of many. */
import {
  answerEmpty,
  answerHead,
  answerXml,
  DELETE_MARKER_HEADERS,
  etagOf,
  validatorsOf,
  writtenHeaders,
} from './cos-answers.ts';
import { checkConditions, readConditions } from './cos-conditions.ts';
import {
  type BucketCall,
  checkLength,
  checkOverwrite,
  type ObjectCall,
  openCopySource,
  readBody,
  readContentMd5,
  readInfo,
} from './cos-context.ts';
import {
  CosFailure,
  invalidArgument,
  invalidDigest,
  invalidRange,
  malformedXml,
  noSuchKey,
  noSuchVersion,
  objectLocked,
  preconditionFailed,
} from './cos-error.ts';
import { isDeletionLocked, readLock } from './cos-locks.ts';
import { readHeader, readRange, readVersionId } from './cos-request.ts';
import { readDeleteList } from './cos-xml.ts';
import type { Answer } from './exchange.ts';
import type { ObjectInfo, StoredObject, Version } from './object-store.ts';
import type { Bucket } from './settings.ts';
import { element } from './xml.ts';

/** Answer headers that a signed link may override with `response-<name>`. */
const OVERRIDABLE_HEADERS = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
];
const MAX_DELETED = 1_000;

export async function putObject(call: ObjectCall): Promise<Answer> {
  const { request, bucket, key, stores } = call;
  checkLength(request);
  checkOverwrite(call);
  const lock = readLock(call);
  const checkMd5 = readContentMd5(request);
  const stored = await stores.objects.put({
    bucket: bucket.name,
    key,
    content: request,
    ...readInfo(call),
    ...lock,
    accept: (received) => {
      checkMd5(received);
      checkOverwrite(call);
    },
  });
  return { ...answerEmpty(200, writtenHeaders(stored, bucket)), facts: { code: 'OK', bytes: stored.sizeBytes } };
}

export async function copyObject(call: ObjectCall): Promise<Answer> {
  const { request, bucket, key, stores } = call;
  request.resume();
  const isReplaced = readDirective(call) === 'Replaced';
  checkOverwrite(call);
  const { stored: source, content } = await openCopySource(call);
  const info: ObjectInfo = isReplaced
    ? readInfo(call)
    : { contentType: source.contentType, ...(source.headers === undefined ? {} : { headers: source.headers }) };
  const copied = await stores.objects.put({
    bucket: bucket.name,
    key,
    content,
    ...info,
    ...readLock(call),
    accept: () => checkOverwrite(call),
  });
  const xml = `<CopyObjectResult>${[
    element('ETag', etagOf(copied, bucket)),
    element('CRC64', copied.crc64),
    element('LastModified', new Date(copied.at).toISOString()),
  ].join('')}</CopyObjectResult>`;
  return { ...answerXml(xml, writtenHeaders(copied, bucket)), facts: { code: 'OK', bytes: copied.sizeBytes } };
}

function readDirective({ request }: ObjectCall): string {
  const directive = readHeader(request.headers, 'x-cos-metadata-directive') ?? 'Copy';
  if (directive !== 'Copy' && directive !== 'Replaced')
    throw new CosFailure(invalidArgument('x-cos-metadata-directive must be Copy or Replaced.'));
  return directive;
}

export async function readObject(call: ObjectCall): Promise<Answer> {
  const { request, query, bucket } = call;
  request.resume();
  const stored = findStored(call);
  const conditions = readConditions((name) => readHeader(request.headers, name));
  const outcome = checkConditions(conditions, { etag: etagOf(stored, bucket), at: stored.at });
  if (outcome === 'failed') throw new CosFailure(preconditionFailed());
  if (outcome === 'not-modified')
    return { status: 304, headers: validatorsOf(stored, bucket), facts: { code: 'NotModified' } };
  const head = answerHead(stored, bucket);
  const overrides = OVERRIDABLE_HEADERS.map((name) => [name, query.get(`response-${name}`)] as const);
  const headers = {
    ...head.headers,
    ...Object.fromEntries(overrides.filter((pair): pair is [string, string] => pair[1] !== null)),
  };
  return request.method === 'HEAD' ? { ...head, headers } : getContent(call, stored, headers);
}

function findStored({ query, bucket, key, stores }: ObjectCall): StoredObject {
  const versionId = readVersionId(query);
  const version = stores.objects.find(bucket.name, key, versionId);
  if (version === undefined) throw new CosFailure(versionId === undefined ? noSuchKey() : noSuchVersion());
  if (version.kind === 'marker') throw new CosFailure({ ...noSuchKey(), headers: DELETE_MARKER_HEADERS });
  return version;
}

async function getContent(
  { request, bucket, stores }: ObjectCall,
  stored: StoredObject,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  const ifRange = readHeader(request.headers, 'if-range');
  const isRangeValid = ifRange === undefined || ifRange === etagOf(stored, bucket);
  const range = readRange(isRangeValid ? request.headers.range : undefined, stored.sizeBytes);
  if (range.kind === 'unsatisfiable') throw new CosFailure(invalidRange());
  const body = await stores.objects.stream(stored, range.kind === 'part' ? range : undefined);
  if (body === null) throw new CosFailure(noSuchKey());
  if (range.kind === 'whole') return { status: 200, headers, body, facts: { code: 'OK', bytes: stored.sizeBytes } };
  const bytes = range.last - range.first + 1;
  const rangeHeaders = {
    'content-length': String(bytes),
    'content-range': `bytes ${range.first}-${range.last}/${stored.sizeBytes}`,
  };
  return { status: 206, headers: { ...headers, ...rangeHeaders }, body, facts: { code: 'OK', bytes } };
}

export async function deleteObject({ request, query, bucket, key, stores }: ObjectCall): Promise<Answer> {
  request.resume();
  const versionId = readVersionId(query);
  if (isDeletionLocked(stores, bucket, { key, versionId })) throw new CosFailure(objectLocked());
  const affected = await stores.objects.remove(bucket.name, key, versionId);
  if (bucket.versioning === undefined) return answerEmpty(204);
  const affectedId = affected?.versionId ?? versionId;
  return answerEmpty(204, {
    ...(affected?.kind === 'marker' ? DELETE_MARKER_HEADERS : {}),
    ...(affectedId === undefined ? {} : { 'x-cos-version-id': affectedId }),
  });
}

/** Deletes up to 1,000 objects. An object that does not exist counts as deleted. */
export async function deleteObjects({ request, bucket, stores }: BucketCall): Promise<Answer> {
  if (request.headers['content-md5'] === undefined) throw new CosFailure(invalidDigest());
  const list = readDeleteList((await readBody(request)).toString());
  if (list === null || list.items.length > MAX_DELETED) throw new CosFailure(malformedXml());
  const deleted: string[] = [];
  for (const { key, versionId } of list.items) {
    if (isDeletionLocked(stores, bucket, { key, versionId })) {
      const { code, message } = objectLocked();
      const fields = [element('Key', key), element('Code', code), element('Message', message)];
      deleted.push(`<Error>${fields.join('')}</Error>`);
      continue;
    }
    const affected = await stores.objects.remove(bucket.name, key, versionId);
    deleted.push(deletedXml(key, versionId, affected, bucket));
  }
  const objects = list.items.map(({ key }) => `${bucket.name}/${key}`);
  const answer = answerXml(
    `<DeleteResult>${deleted.filter((each) => !list.isQuiet || each.startsWith('<Error>')).join('')}</DeleteResult>`,
  );
  return { ...answer, facts: { code: 'OK', objects } };
}

function deletedXml(key: string, asked: string | undefined, affected: Version | null, bucket: Bucket): string {
  const marker =
    affected?.kind === 'marker' && bucket.versioning !== undefined
      ? element('DeleteMarker', 'true') + element('DeleteMarkerVersionId', affected.versionId)
      : '';
  const version = asked === undefined ? '' : element('VersionId', asked);
  return `<Deleted>${element('Key', key)}${marker}${version}</Deleted>`;
}
