/** What the operations of COS share: the account's buckets and objects, and the request in progress. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { Accept, ByteRange } from './content-files.ts';
import { etagOf } from './cos-answers.ts';
import { checkConditions, readConditions } from './cos-conditions.ts';
import {
  badDigest,
  CosFailure,
  invalidArgument,
  invalidDigest,
  noSuchBucket,
  noSuchKey,
  objectLocked,
  preconditionFailed,
} from './cos-error.ts';
import { BUCKET_HOST } from './cos-hosts.ts';
import { rawPathOf, readHeader, readRange, readTarget, readVersionId } from './cos-request.ts';
import type { Answer } from './exchange.ts';
import { mediaTypeOf } from './media-types.ts';
import type { MultipartStore } from './multipart-store.ts';
import type { ObjectInfo, ObjectStore, StoredObject } from './object-store.ts';
import type { Bucket } from './settings.ts';

export interface CosStores {
  readonly objects: ObjectStore;
  readonly uploads: MultipartStore;
  /** The existing buckets. PutBucket adds to this list, DeleteBucket removes from it. */
  readonly buckets: Bucket[];
  /** The account that may create buckets. */
  readonly appId: string;
  /** The vendor's clock, ms since 1970. */
  now(): number;
}

/** A request to a bucket that exists. */
export interface BucketCall {
  readonly request: IncomingMessage;
  readonly query: URLSearchParams;
  readonly bucket: Bucket;
  readonly stores: CosStores;
}

export interface ObjectCall extends BucketCall {
  readonly key: string;
}

export type Operation<Call> = (call: Call) => Promise<Answer> | Answer;

export interface Source {
  readonly stored: StoredObject;
  readonly content: Readable;
}

const MIN_KEY_BYTES = 1;
const MAX_KEY_BYTES = 850;
/** Content headers that are stored with an object, besides Content-Type. */
const STORED_HEADERS = ['cache-control', 'content-disposition', 'content-encoding', 'content-language', 'expires'];

export function findBucket({ buckets }: CosStores, name: string, region: string): Bucket | undefined {
  return buckets.find((each) => each.name === name && each.region === region);
}

/** @throws CosFailure unless COS would store an object under this key. */
export function checkKey(key: string): void {
  const bytes = Buffer.byteLength(key);
  if (bytes > MAX_KEY_BYTES || bytes < MIN_KEY_BYTES)
    throw new CosFailure({ status: 400, code: 'KeyTooLong', message: `A key has 1 to ${MAX_KEY_BYTES} bytes.` });
  if (/^[/\\]/.test(key) || key === '.' || key === './')
    throw new CosFailure({
      status: 400,
      code: 'InvalidURI',
      message: 'A key must not begin with / or \\, or be only a dot.',
    });
}

/** Reads the request headers that are stored with the object's content. */
export function readInfo({ request: { headers }, key }: ObjectCall): ObjectInfo {
  const stored = Object.entries(headers).filter(
    ([name, value]) => (STORED_HEADERS.includes(name) || name.startsWith('x-cos-meta-')) && value !== '',
  );
  return {
    // SDKs may send an empty Content-Type, to keep proxies from adding one.
    contentType: headers['content-type'] || mediaTypeOf(key),
    headers: Object.fromEntries(stored.map(([name, value]) => [name, String(value)])),
  };
}

/** @returns a check of the received content against Content-MD5. @throws CosFailure if the header is malformed. */
export function readContentMd5({ headers }: IncomingMessage): Accept {
  const expected = readHeader(headers, 'content-md5');
  if (expected === undefined) return () => undefined;
  const bytes = Buffer.from(expected, 'base64');
  if (bytes.length !== 16 || bytes.toString('base64') !== expected) throw new CosFailure(invalidDigest());
  return ({ md5 }) => {
    if (bytes.toString('hex') !== md5) throw new CosFailure(badDigest());
  };
}

/** Reads a whole small body, such as an XML document, and checks its Content-MD5. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const accept = readContentMd5(request);
  const body = Buffer.concat(await request.toArray());
  accept({ sizeBytes: body.length, md5: createHash('md5').update(body).digest('hex') });
  return body;
}

/** A locked object cannot be replaced. A bucket with versions replaces nothing. */
function isLockedAgainst({ bucket, key, stores }: ObjectCall): boolean {
  const lockedUntil = stores.objects.get(bucket.name, key)?.lockedUntil ?? 0;
  return bucket.versioning === undefined && lockedUntil > stores.now();
}

/** `x-cos-forbid-overwrite` has no effect in a bucket with versioning. @throws CosFailure if the object exists, or is locked. */
export function checkOverwrite(call: ObjectCall): void {
  const { request, bucket, key, stores } = call;
  const exists = stores.objects.get(bucket.name, key) !== undefined;
  if (exists && isLockedAgainst(call)) throw new CosFailure(objectLocked());
  if (readHeader(request.headers, 'x-cos-forbid-overwrite') !== 'true' || bucket.versioning !== undefined) return;
  if (exists) throw new CosFailure({ status: 409, code: 'FileAlreadyExists', message: 'The object exists already.' });
}

/** @throws CosFailure if the request does not say where its body ends. */
export function checkLength({ headers }: IncomingMessage): void {
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined)
    throw new CosFailure({ status: 411, code: 'MissingContentLength', message: 'Content-Length is missing.' });
}

/** Opens the object that `x-cos-copy-source` names. @throws CosFailure if there is none, or a condition is not met. */
export async function openCopySource({ request: { headers }, stores }: ObjectCall): Promise<Source> {
  const text = readHeader(headers, 'x-cos-copy-source') ?? '';
  const url = `https://${text.replace(/^\/+/, '')}`;
  const hostname = URL.canParse(url) ? new URL(url).hostname : '';
  const target = readTarget(hostname, rawPathOf(url));
  if (!BUCKET_HOST.test(hostname) || target.kind !== 'object') {
    const message = 'x-cos-copy-source must be <bucket>-<appid>.cos.<region>.myqcloud.com/<key>, percent-encoded.';
    throw new CosFailure(invalidArgument(message));
  }
  const bucket = findBucket(stores, target.bucket, target.region);
  if (bucket === undefined) throw new CosFailure(noSuchBucket());
  const stored = stores.objects.get(bucket.name, target.key, readVersionId(new URL(url).searchParams));
  if (stored === undefined) throw new CosFailure(noSuchKey());
  const conditions = readConditions((name) => readHeader(headers, `x-cos-copy-source-${name}`));
  if (checkConditions(conditions, { etag: etagOf(stored, bucket), at: stored.at }) !== 'met')
    throw new CosFailure(preconditionFailed());
  const content = await stores.objects.stream(stored, readSourceRange(headers['x-cos-copy-source-range'], stored));
  if (content === null) throw new CosFailure(noSuchKey());
  return { stored, content };
}

function readSourceRange(header: string | string[] | undefined, { sizeBytes }: StoredObject): ByteRange | undefined {
  if (header === undefined || header === '') return undefined;
  const range = readRange(String(header), sizeBytes);
  if (range.kind !== 'part')
    throw new CosFailure(invalidArgument('x-cos-copy-source-range is no range of the source.'));
  return range;
}
