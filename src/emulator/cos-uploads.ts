/** COS's multipart upload: begin, parts, copied parts, complete, abort, and the list of parts. */
import { createHash } from 'node:crypto';
import { answerEmpty, answerXml, etagOf, writtenHeaders } from './cos-answers.ts';
import {
  checkLength,
  checkOverwrite,
  type ObjectCall,
  openCopySource,
  readBody,
  readContentMd5,
  readInfo,
} from './cos-context.ts';
import { CosFailure, invalidArgument, malformedXml, noSuchUpload } from './cos-error.ts';
import { hostOf } from './cos-hosts.ts';
import { type NamedPart, readCompleteList } from './cos-xml.ts';
import type { Answer } from './exchange.ts';
import { listPartsXml } from './listing-uploads.ts';
import type { Part, Upload } from './multipart-store.ts';
import { documentXml, element } from './xml.ts';

const MAX_PART_NUMBER = 10_000;
/** Every part but the last must be at least this long. */
const MIN_PART_BYTES = 1024 * 1024;

export function beginUpload(call: ObjectCall): Answer {
  const { request, bucket, key, stores } = call;
  request.resume();
  checkOverwrite(call);
  const { id } = stores.uploads.begin(bucket.name, key, readInfo(call));
  const fields = [element('Bucket', bucket.name), element('Key', key), element('UploadId', id)];
  return answerXml(documentXml('InitiateMultipartUploadResult', fields));
}

export async function uploadPart(call: ObjectCall): Promise<Answer> {
  const { request } = call;
  checkLength(request);
  const upload = findUpload(call);
  const number = readPartNumber(call);
  const part = await call.stores.uploads.addPart(upload.id, number, request, readContentMd5(request));
  if (part === null) throw new CosFailure(noSuchUpload());
  const headers = { etag: etagOfPart(part), 'x-cos-hash-crc64ecma': part.crc64 };
  return { ...answerEmpty(200, headers), facts: { code: 'OK', bytes: part.sizeBytes } };
}

export async function copyPart(call: ObjectCall): Promise<Answer> {
  call.request.resume();
  const upload = findUpload(call);
  const number = readPartNumber(call);
  const { content } = await openCopySource(call);
  const part = await call.stores.uploads.addPart(upload.id, number, content);
  if (part === null) throw new CosFailure(noSuchUpload());
  const modified = element('LastModified', new Date(part.at).toISOString());
  const xml = documentXml('CopyPartResult', [element('ETag', etagOfPart(part)), modified]);
  const answer = answerXml(xml, { 'x-cos-hash-crc64ecma': part.crc64 });
  return { ...answer, facts: { code: 'OK', bytes: part.sizeBytes } };
}

export function listParts(call: ObjectCall): Answer {
  call.request.resume();
  return answerXml(listPartsXml(findUpload(call), call.query, etagOfPart));
}

export async function abortUpload(call: ObjectCall): Promise<Answer> {
  call.request.resume();
  const { uploads } = call.stores;
  const upload = findUpload(call);
  uploads.end(upload);
  await uploads.discard(upload);
  return answerEmpty(204);
}

export async function completeUpload(call: ObjectCall): Promise<Answer> {
  const { request, bucket, key, stores } = call;
  const body = await readBody(request);
  const upload = findUpload(call);
  checkOverwrite(call);
  const named = readCompleteList(body.toString());
  if (named === null) throw new CosFailure(malformedXml());
  const parts = selectParts(upload, named);
  if (!stores.uploads.end(upload)) throw new CosFailure(noSuchUpload());
  const digest = createHash('md5')
    .update(Buffer.from(parts.map(({ md5 }) => md5).join(''), 'hex'))
    .digest('hex');
  const stored = await stores.objects.put({
    bucket: bucket.name,
    key,
    content: stores.uploads.join(parts),
    ...upload.info,
    multipartEtag: `${digest}-${parts.length}`,
  });
  await stores.uploads.discard(upload);
  const xml = documentXml('CompleteMultipartUploadResult', [
    element('Location', `http://${hostOf({ bucket: bucket.name, region: bucket.region })}/${key}`),
    element('Bucket', bucket.name),
    element('Key', key),
    element('ETag', etagOf(stored, bucket)),
  ]);
  return { ...answerXml(xml, writtenHeaders(stored, bucket)), facts: { code: 'OK', bytes: stored.sizeBytes } };
}

function findUpload({ query, bucket, key, stores }: ObjectCall): Upload {
  const upload = stores.uploads.find(bucket.name, key, query.get('uploadId') ?? '');
  if (upload === undefined) throw new CosFailure(noSuchUpload());
  return upload;
}

function readPartNumber({ query }: ObjectCall): number {
  const text = query.get('partNumber') ?? '';
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > MAX_PART_NUMBER)
    throw new CosFailure(invalidArgument(`partNumber must be 1 to ${MAX_PART_NUMBER}.`));
  return number;
}

/** The parts that the caller names, in the caller's order. @throws CosFailure unless these parts can form an object. */
function selectParts(upload: Upload, named: readonly NamedPart[]): Part[] {
  if (named.some(({ number }, index) => index > 0 && number <= (named[index - 1]?.number ?? 0)))
    throw new CosFailure({ status: 400, code: 'InvalidPartOrder', message: 'Parts must be in ascending order.' });
  const parts = named.map(({ number, etag }) => {
    const part = upload.parts.find((each) => each.number === number);
    if (part === undefined || part.md5 !== etag.replaceAll('"', ''))
      throw new CosFailure({ status: 400, code: 'InvalidPart', message: `Part ${number} was not uploaded like this.` });
    return part;
  });
  if (parts.slice(0, -1).some(({ sizeBytes }) => sizeBytes < MIN_PART_BYTES))
    throw new CosFailure({ status: 400, code: 'EntityTooSmall', message: 'A part is smaller than 1 MB.' });
  return parts;
}

function etagOfPart({ md5 }: Part): string {
  return `"${md5}"`;
}
