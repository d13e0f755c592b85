/** Lists multipart uploads, page by page in COS's XML: a bucket's uploads (`GET ?uploads`), and the parts of one upload. */
import { CosFailure, invalidArgument } from './cos-error.ts';
import { foldersXml, groupByFolder, isKeyAfter, ownerXml, readListQuery, STORAGE_CLASS } from './listing.ts';
import type { Part, Upload } from './multipart-store.ts';
import { documentXml, element } from './xml.ts';

/** @throws CosFailure if the query is invalid. */
export function listUploadsXml(bucketName: string, uploads: readonly Upload[], query: URLSearchParams): string {
  const listQuery = readListQuery(query, 'max-uploads');
  const { prefix, delimiter, maxKeys, encodingType, encodeKey } = listQuery;
  const keyMarker = query.get('key-marker') ?? '';
  const idMarker = query.get('upload-id-marker') ?? '';
  const matching = uploads.filter(({ key }) => key.startsWith(prefix)).sort(byKeyAndId);
  const entries = groupByFolder(matching, ({ key }) => key, listQuery);
  const remaining = entries.filter(
    ({ name, items: [upload] }) =>
      isKeyAfter(name, keyMarker) || (name === keyMarker && idMarker !== '' && (upload?.id ?? '') > idMarker),
  );
  const page = remaining.slice(0, maxKeys);
  const isTruncated = page.length > 0 && page.length < remaining.length;
  const last = page.at(-1);
  return documentXml('ListMultipartUploadsResult', [
    element('Bucket', bucketName),
    ...(encodingType === null ? [] : [element('EncodingType', encodingType)]),
    element('KeyMarker', encodeKey(keyMarker)),
    element('UploadIdMarker', idMarker),
    element('MaxUploads', String(maxKeys)),
    element('Prefix', encodeKey(prefix)),
    ...(delimiter === '' ? [] : [element('Delimiter', encodeKey(delimiter))]),
    element('IsTruncated', String(isTruncated)),
    ...(isTruncated
      ? [element('NextKeyMarker', encodeKey(last?.name ?? '')), element('NextUploadIdMarker', last?.items[0]?.id ?? '')]
      : []),
    ...page.flatMap(({ items }) => items.map((upload) => uploadXml(upload, encodeKey))),
    ...foldersXml(page, listQuery),
  ]);
}

function byKeyAndId(one: Upload, other: Upload): number {
  return Buffer.compare(Buffer.from(one.key), Buffer.from(other.key)) || (one.id < other.id ? -1 : 1);
}

function uploadXml({ id, bucket, key, at }: Upload, encodeKey: (key: string) => string): string {
  const fields = [
    element('Key', encodeKey(key)),
    element('UploadId', id),
    ownerXml(bucket, 'Initiator'),
    ownerXml(bucket),
    STORAGE_CLASS,
    element('Initiated', new Date(at).toISOString()),
  ];
  return `<Upload>${fields.join('')}</Upload>`;
}

/** @throws CosFailure if the query is invalid. */
export function listPartsXml(upload: Upload, query: URLSearchParams, etagOf: (part: Part) => string): string {
  const { maxKeys, encodingType, encodeKey } = readListQuery(query, 'max-parts');
  const marker = Number(query.get('part-number-marker') || '0');
  if (!Number.isInteger(marker)) throw new CosFailure(invalidArgument('part-number-marker is not valid.'));
  const remaining = upload.parts.filter(({ number }) => number > marker);
  const page = remaining.slice(0, maxKeys);
  const isTruncated = page.length > 0 && page.length < remaining.length;
  return documentXml('ListPartsResult', [
    element('Bucket', upload.bucket),
    ...(encodingType === null ? [] : [element('EncodingType', encodingType)]),
    element('Key', encodeKey(upload.key)),
    element('UploadId', upload.id),
    ownerXml(upload.bucket, 'Initiator'),
    ownerXml(upload.bucket),
    STORAGE_CLASS,
    element('PartNumberMarker', String(marker)),
    element('NextPartNumberMarker', String(page.at(-1)?.number ?? marker)),
    element('MaxParts', String(maxKeys)),
    element('IsTruncated', String(isTruncated)),
    ...page.map((part) => partXml(part, etagOf(part))),
  ]);
}

function partXml({ number, at, sizeBytes }: Part, etag: string): string {
  const fields = [
    element('PartNumber', String(number)),
    element('LastModified', new Date(at).toISOString()),
    element('ETag', etag),
    element('Size', String(sizeBytes)),
  ];
  return `<Part>${fields.join('')}</Part>`;
}
