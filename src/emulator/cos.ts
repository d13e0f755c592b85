/**
 * COS as far as verifications need it: objects and their versions (PUT, copy, GET with Range, HEAD, DELETE) and buckets
 * (HEAD, PUT, lists of objects and of versions, GET and PUT of their ACL, versioning and lifecycle), private unless they
 * are set otherwise, on the default domain of their region, with COS's own signatures and XML errors.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { aclOf, BUCKET_SETTINGS, invalidAcl, isAcl, readSetting, writeSetting } from './bucket-settings.ts';
import {
  DELETED,
  etagOf,
  failed,
  headOf,
  madeVersion,
  noSuchBucket,
  noSuchKey,
  noSuchVersion,
  notDone,
  plain,
} from './cos-answers.ts';
import { type CosError, cosProblem, decoded, type SignedRequest } from './cos-signature.ts';
import type { Answer, Exchange } from './exchange.ts';
import { objectsXml, versionsXml } from './listing.ts';
import type { Objects, StoredObject } from './objects.ts';
import type { Bucket, Credentials } from './settings.ts';
import type { Arrival } from './stops.ts';

/** Other things that an object or a bucket has. A PUT of one taken for a PUT of the object would overwrite it. */
const SUB_RESOURCE =
  /^(?:acl|append|cors|delete|encryption|legal-hold|lifecycle|object-lock|partNumber|policy|referer|replication|restore|retention|select|tagging|uploadId|uploads|versionId|versioning|versions|website)$/;
/** What a signed link may set in the answer. */
const OVERRIDES = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
];

export const COS_HOST = /^([a-z0-9-]+-\d+)\.cos\.([a-z0-9-]+)\.myqcloud\.com$/;

export interface CosOptions {
  readonly objects: Objects;
  readonly buckets: Bucket[];
  readonly credentials: readonly Credentials[];
  /** The vendor's clock. */
  now(): number;
}

interface Asked {
  readonly bucket: string;
  readonly region: string;
  /** Without the leading slash; empty for the bucket itself. Null where it is no percent encoding. */
  readonly key: string | null;
  readonly query: URLSearchParams;
}

type AskedObject = Asked & { readonly key: string };

/** Something of COS's that is said as an error. */
class CosFault extends Error {
  readonly answer: CosError;

  constructor(answer: CosError) {
    super(answer.message);
    this.answer = answer;
  }
}

export class Cos {
  readonly #options: CosOptions;

  constructor(options: CosOptions) {
    this.#options = options;
  }

  exchange(request: IncomingMessage, response: ServerResponse, url: URL, arrival: Arrival): Exchange {
    const [, bucket = '', region = ''] = COS_HOST.exec(url.hostname) ?? [];
    const asked: Asked = { bucket, region, key: decoded(url.pathname)?.slice(1) ?? null, query: url.searchParams };
    const subject = asked.key === '' ? bucket : `${bucket}/${asked.key ?? '?'}`;
    const call = { service: 'cos', action: actionOf(request, asked), region, objects: [subject] } as const;
    return {
      request,
      response,
      call,
      arrival,
      perform: () => this.#perform(request, asked),
      refuse: (fault) =>
        failed(request.method, resourceOf(asked), {
          status: (fault.kind === 'error' ? fault.status : undefined) ?? 503,
          code: fault.code,
          message: fault.code,
        }),
    };
  }

  /** As FaceID's downloader: a plain GET of a link from the public network. @returns null where it is refused. */
  readByLink(link: string): StoredObject | null {
    const url = URL.canParse(link) ? new URL(link) : null;
    const host = COS_HOST.exec(url?.hostname ?? '');
    if (url === null || host === null) return null;
    const [, bucket = '', region = ''] = host;
    const path = decoded(url.pathname);
    if (path === null) return null;
    const known = this.#options.buckets.some((each) => each.name === bucket && each.region === region);
    const request = { method: 'GET', path, query: url.searchParams, headers: { host: url.host } };
    if (!known || this.#problem(request, bucket, path.slice(1)) !== null) return null;
    return this.#options.objects.get(bucket, path.slice(1), versionIdOf(url.searchParams)) ?? null;
  }

  async #perform(request: IncomingMessage, asked: Asked): Promise<Answer> {
    try {
      const { key } = asked;
      if (key === null)
        throw new CosFault({ status: 400, code: 'InvalidURI', message: 'The path is no percent encoding.' });
      const signed = {
        method: request.method ?? 'GET',
        path: `/${key}`,
        query: asked.query,
        headers: request.headers,
      };
      const problem = this.#problem(signed, asked.bucket, key);
      if (problem !== null) throw new CosFault(problem);
      const setting = settingOf(asked);
      if (setting !== null) return await this.#setting(request, asked, setting);
      for (const name of asked.query.keys()) {
        if (SUB_RESOURCE.test(name) && !isOfVersions(name, asked, request.method)) throw new CosFault(notDone());
      }
      return await (key === '' ? this.#bucket(request, asked) : this.#object(request, { ...asked, key }));
    } catch (error) {
      request.resume();
      if (error instanceof CosFault) return failed(request.method, resourceOf(asked), error.answer);
      throw error;
    }
  }

  /** Objects of a public bucket are read, and where it says so written, by whoever comes without a signature. */
  #problem(request: SignedRequest, bucketName: string, key: string): CosError | null {
    const bucket = this.#options.buckets.find(({ name }) => name === bucketName);
    const acl = bucket === undefined ? 'private' : aclOf(bucket);
    const reads = request.method === 'GET' || request.method === 'HEAD';
    const open = reads ? acl !== 'private' : acl === 'public-read-write';
    const plain = [...request.query.keys()].every((name) => !SUB_RESOURCE.test(name));
    if (open && key !== '' && plain && isUnsigned(request)) return null;
    return cosProblem(request, this.#options.credentials, this.#options.now());
  }

  async #setting(request: IncomingMessage, asked: Asked, name: string): Promise<Answer> {
    const bucket = this.#options.buckets.find((each) => each.name === asked.bucket && each.region === asked.region);
    if (bucket === undefined) throw new CosFault(noSuchBucket());
    if (request.method === 'GET') {
      const answer = readSetting(bucket, name);
      if ('code' in answer) throw new CosFault(answer);
      const headers = { 'content-type': 'application/xml', 'x-cos-request-id': randomUUID(), ...answer.headers };
      return { status: 200, headers, body: Buffer.from(answer.xml), facts: { code: 'OK' } };
    }
    if (request.method !== 'PUT') throw new CosFault(notDone());
    const header = (field: string) => request.headers[field]?.toString();
    const body = Buffer.concat(await request.toArray());
    const given = { acl: header('x-cos-acl'), contentMd5: header('content-md5'), body };
    const problem = writeSetting(bucket, name, given);
    if (problem !== null) throw new CosFault(problem);
    return plain(200);
  }

  async #bucket(request: IncomingMessage, asked: Asked): Promise<Answer> {
    const { buckets } = this.#options;
    const known = buckets.find(({ name, region }) => name === asked.bucket && region === asked.region);
    request.resume();
    if (request.method === 'PUT') {
      if (buckets.some(({ name }) => name === asked.bucket)) {
        throw new CosFault({ status: 409, code: 'BucketAlreadyOwnedByYou', message: 'The bucket exists already.' });
      }
      const acl = request.headers['x-cos-acl']?.toString() ?? 'private';
      if (!isAcl(acl)) throw new CosFault(invalidAcl());
      buckets.push({ name: asked.bucket, region: asked.region, acl });
      return plain(200);
    }
    if (known === undefined) throw new CosFault(noSuchBucket());
    if (request.method === 'HEAD') return plain(200, { 'x-cos-bucket-region': asked.region });
    if (request.method === 'GET' && !asked.query.has('delimiter')) return this.#list(asked.query, known);
    throw new CosFault(notDone());
  }

  #list(query: URLSearchParams, bucket: Bucket): Answer {
    const { name } = bucket;
    const histories = this.#options.objects.histories().filter(([latest]) => latest?.bucket === name);
    const listed = { name, histories, etagOf: (stored: StoredObject) => etagOf(stored, bucket) };
    const xml = query.has('versions')
      ? versionsXml(listed, query, bucket.versioning !== undefined)
      : objectsXml(listed, query);
    if (typeof xml !== 'string') throw new CosFault(xml);
    const headers = { 'content-type': 'application/xml', 'x-cos-request-id': randomUUID() };
    return { status: 200, headers, body: Buffer.from(xml), facts: { code: 'OK' } };
  }

  async #object(request: IncomingMessage, asked: AskedObject): Promise<Answer> {
    const bucket = this.#options.buckets.find(({ name, region }) => name === asked.bucket && region === asked.region);
    if (bucket === undefined) throw new CosFault(noSuchBucket());
    const { objects } = this.#options;
    if (request.method === 'PUT') return this.#put(request, asked, bucket);
    const versionId = versionIdOf(asked.query);
    if (request.method === 'DELETE') {
      const touched = await objects.remove(asked.bucket, asked.key, versionId);
      if (bucket.versioning === undefined) return plain(204);
      const id = touched?.versionId ?? versionId;
      const marker = touched?.kind === 'marker' ? DELETED : {};
      return plain(204, { ...marker, ...(id === undefined ? {} : { 'x-cos-version-id': id }) });
    }
    if (request.method !== 'HEAD' && request.method !== 'GET') throw new CosFault(notDone());
    const version = objects.find(asked.bucket, asked.key, versionId);
    if (version === undefined) throw new CosFault(versionId === undefined ? noSuchKey() : noSuchVersion());
    if (version.kind === 'marker') throw new CosFault({ ...noSuchKey(), headers: DELETED });
    return request.method === 'HEAD' ? headOf(version, bucket) : this.#get(request, asked, version, bucket);
  }

  async #put(request: IncomingMessage, asked: AskedObject, bucket: Bucket): Promise<Answer> {
    const { objects } = this.#options;
    const copyFrom = request.headers['x-cos-copy-source'];
    if (copyFrom !== undefined) return this.#copy(String(copyFrom), asked, bucket);
    const type = request.headers['content-type'] ?? 'application/octet-stream';
    const given = request.headers['content-md5'];
    const digest = given === undefined ? undefined : Buffer.from(String(given), 'base64').toString('hex');
    if (digest !== undefined && digest.length !== 32) {
      throw new CosFault({
        status: 400,
        code: 'InvalidDigest',
        message: 'The Content-MD5 you specified is not valid.',
      });
    }
    const stored = await objects.put(asked.bucket, asked.key, request, type, ({ md5 }) => {
      if (digest !== undefined && digest !== md5) {
        throw new CosFault({
          status: 400,
          code: 'BadDigest',
          message: 'The Content-MD5 you specified did not match what we received.',
        });
      }
    });
    const answer = plain(200, { etag: etagOf(stored, bucket), ...madeVersion(stored, bucket) });
    return { ...answer, facts: { ...answer.facts, bytes: stored.sizeBytes } };
  }

  /** With the metadata of the source, which is what COS does unless told otherwise. */
  async #copy(source: string, asked: AskedObject, bucket: Bucket): Promise<Answer> {
    const { objects } = this.#options;
    const from = URL.canParse(`https://${source}`) ? new URL(`https://${source}`) : null;
    const [, name = '', region = ''] = COS_HOST.exec(from?.hostname ?? '') ?? [];
    const known = this.#options.buckets.some((each) => each.name === name && each.region === region);
    const key = decoded(from?.pathname ?? '')?.slice(1);
    const versionId = versionIdOf(from?.searchParams ?? new URLSearchParams());
    const stored = known && key !== undefined ? objects.get(name, key, versionId) : undefined;
    const content = stored === undefined ? null : await objects.stream(stored);
    if (stored === undefined || content === null) throw new CosFault(noSuchKey());
    const copied = await objects.put(asked.bucket, asked.key, content, stored.contentType);
    const body = `<CopyObjectResult><ETag>${etagOf(copied, bucket)}</ETag><LastModified>${new Date(copied.at).toISOString()}</LastModified></CopyObjectResult>`;
    return {
      status: 200,
      headers: { 'content-type': 'application/xml', etag: etagOf(copied, bucket), ...madeVersion(copied, bucket) },
      body: Buffer.from(body),
      facts: { code: 'OK', bytes: copied.sizeBytes },
    };
  }

  async #get(request: IncomingMessage, asked: AskedObject, stored: StoredObject, bucket: Bucket): Promise<Answer> {
    const range = rangeOf(request.headers.range, stored.sizeBytes);
    if (range !== null && range.first > range.last)
      throw new CosFault({ status: 416, code: 'InvalidRange', message: 'The requested range cannot be satisfied.' });
    const body = await this.#options.objects.stream(stored, range ?? undefined);
    if (body === null) throw new CosFault(noSuchKey());
    const overrides = OVERRIDES.map((name) => [name, asked.query.get(`response-${name}`)] as const);
    const headers = {
      ...headOf(stored, bucket).headers,
      ...Object.fromEntries(overrides.filter((pair): pair is [string, string] => pair[1] !== null)),
    };
    if (range === null) return { status: 200, headers, body, facts: { code: 'OK', bytes: stored.sizeBytes } };
    const bytes = range.last - range.first + 1;
    const part = {
      'content-length': String(bytes),
      'content-range': `bytes ${range.first}-${range.last}/${stored.sizeBytes}`,
    };
    return { status: 206, headers: { ...headers, ...part }, body, facts: { code: 'OK', bytes } };
  }
}

/** @returns first and last byte, the first behind the last where nothing is there; null where no one range is asked for. */
function rangeOf(header: string | undefined, sizeBytes: number): { first: number; last: number } | null {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (from === '' && to === '') return null;
  if (from === '') return { first: Math.max(sizeBytes - Number(to), 0), last: sizeBytes - 1 };
  return { first: Number(from), last: to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1) };
}

/** Which setting of the bucket is meant; null where none is. */
function settingOf({ key, query }: Asked): string | null {
  return key === '' ? ([...query.keys()].find((name) => Object.hasOwn(BUCKET_SETTINGS, name)) ?? null) : null;
}

function resourceOf({ bucket, region, key }: Asked): string {
  return `${bucket}.cos.${region}.myqcloud.com/${key ?? ''}`;
}

/** Requests of versions that are done: lists of a bucket's, and one of an object's. */
function isOfVersions(name: string, { key }: Asked, method: string | undefined): boolean {
  if (name === 'versions') return key === '' && method === 'GET';
  return name === 'versionId' && key !== '' && method !== 'PUT';
}

function versionIdOf(query: URLSearchParams): string | undefined {
  return query.get('versionId') ?? undefined;
}

function isUnsigned({ headers, query }: SignedRequest): boolean {
  return headers.authorization === undefined && !query.has('q-sign-algorithm');
}

function actionOf(request: IncomingMessage, asked: Asked): string {
  const { key } = asked;
  const verb =
    { PUT: 'Put', GET: 'Get', HEAD: 'Head', DELETE: 'Delete' }[request.method ?? ''] ?? String(request.method);
  if (key === '' && asked.query.has('versions')) return `${verb}BucketObjectVersions`;
  if (key === '') return `${verb}Bucket${BUCKET_SETTINGS[settingOf(asked) ?? ''] ?? ''}`;
  return request.headers['x-cos-copy-source'] === undefined ? `${verb}Object` : 'CopyObject';
}
