/**
 * COS as far as verifications need it: objects (PUT, copy, GET with Range, HEAD, DELETE) and buckets (HEAD, PUT), private,
 * on the default domain of their region, with COS's own signatures and XML errors.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type CosError, cosProblem } from './cos-signature.ts';
import type { Answer, Exchange } from './exchange.ts';
import type { Objects, StoredObject } from './objects.ts';
import type { Bucket, Credentials } from './settings.ts';

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
  /** Without the leading slash; empty for the bucket itself. */
  readonly key: string;
  readonly query: URLSearchParams;
}

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

  exchange(request: IncomingMessage, response: ServerResponse, url: URL): Exchange {
    const [, bucket = '', region = ''] = COS_HOST.exec(url.hostname) ?? [];
    const asked: Asked = { bucket, region, key: decodeURIComponent(url.pathname).slice(1), query: url.searchParams };
    const subject = asked.key === '' ? bucket : `${bucket}/${asked.key}`;
    const call = { service: 'cos', action: actionOf(request, asked.key), region, objects: [subject] } as const;
    return {
      request,
      response,
      call,
      perform: () => this.#perform(request, asked),
      refuse: (fault) =>
        failed(request, asked, {
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
    const path = decodeURIComponent(url.pathname);
    const known = this.#options.buckets.some((each) => each.name === bucket && each.region === region);
    const request = { method: 'GET', path, query: url.searchParams, headers: { host: url.host } };
    if (!known || cosProblem(request, this.#options.credentials, this.#options.now()) !== null) return null;
    return this.#options.objects.get(bucket, path.slice(1)) ?? null;
  }

  async #perform(request: IncomingMessage, asked: Asked): Promise<Answer> {
    try {
      const signed = {
        method: request.method ?? 'GET',
        path: `/${asked.key}`,
        query: asked.query,
        headers: request.headers,
      };
      const problem = cosProblem(signed, this.#options.credentials, this.#options.now());
      if (problem !== null) throw new CosFault(problem);
      return await (asked.key === '' ? this.#bucket(request, asked) : this.#object(request, asked));
    } catch (error) {
      request.resume();
      if (error instanceof CosFault) return failed(request, asked, error.answer);
      throw error;
    }
  }

  async #bucket(request: IncomingMessage, asked: Asked): Promise<Answer> {
    const { buckets } = this.#options;
    const known = buckets.find(({ name, region }) => name === asked.bucket && region === asked.region);
    request.resume();
    if (request.method === 'PUT') {
      if (buckets.some(({ name }) => name === asked.bucket)) {
        throw new CosFault({ status: 409, code: 'BucketAlreadyOwnedByYou', message: 'The bucket exists already.' });
      }
      buckets.push({ name: asked.bucket, region: asked.region });
      return plain(200);
    }
    if (known === undefined) throw new CosFault(noSuchBucket());
    if (request.method === 'HEAD') return plain(200, { 'x-cos-bucket-region': asked.region });
    throw new CosFault({ status: 405, code: 'MethodNotAllowed', message: 'The specified method is not allowed.' });
  }

  async #object(request: IncomingMessage, asked: Asked): Promise<Answer> {
    const bucket = this.#options.buckets.find(({ name, region }) => name === asked.bucket && region === asked.region);
    if (bucket === undefined) throw new CosFault(noSuchBucket());
    const { objects } = this.#options;
    if (request.method === 'PUT') return this.#put(request, asked, bucket);
    if (request.method === 'DELETE') {
      await objects.remove(asked.bucket, asked.key);
      return plain(204);
    }
    const stored = objects.get(asked.bucket, asked.key);
    if (stored === undefined)
      throw new CosFault({ status: 404, code: 'NoSuchKey', message: 'The specified key does not exist.' });
    if (request.method === 'HEAD') return headOf(stored, bucket);
    if (request.method === 'GET') return this.#get(request, stored, bucket);
    throw new CosFault({ status: 405, code: 'MethodNotAllowed', message: 'The specified method is not allowed.' });
  }

  async #put(request: IncomingMessage, asked: Asked, bucket: Bucket): Promise<Answer> {
    const { objects } = this.#options;
    const type = request.headers['content-type'] ?? 'application/octet-stream';
    const copyFrom = request.headers['x-cos-copy-source'];
    if (copyFrom !== undefined) return this.#copy(String(copyFrom), asked, bucket, type);
    const digest = request.headers['content-md5'];
    if (digest !== undefined && Buffer.from(String(digest), 'base64').length !== 16) {
      throw new CosFault({
        status: 400,
        code: 'InvalidDigest',
        message: 'The Content-MD5 you specified is not valid.',
      });
    }
    const stored = await objects.put(asked.bucket, asked.key, request, type, ({ sizeBytes, md5 }) => {
      const announced = request.headers['content-length'];
      if (announced !== undefined && Number(announced) !== sizeBytes) {
        throw new CosFault({
          status: 400,
          code: 'EntitySizeNotMatch',
          message: 'The body is not as long as announced.',
        });
      }
      if (digest !== undefined && Buffer.from(md5, 'hex').toString('base64') !== digest) {
        throw new CosFault({
          status: 400,
          code: 'BadDigest',
          message: 'The Content-MD5 you specified did not match what we received.',
        });
      }
    });
    const answer = plain(200, { etag: etagOf(stored, bucket) });
    return { ...answer, facts: { ...answer.facts, bytes: stored.sizeBytes } };
  }

  async #copy(source: string, asked: Asked, bucket: Bucket, type: string): Promise<Answer> {
    const from = URL.canParse(`https://${source}`) ? new URL(`https://${source}`) : null;
    const [, name = '', region = ''] = COS_HOST.exec(from?.hostname ?? '') ?? [];
    const known = this.#options.buckets.some((each) => each.name === name && each.region === region);
    const stored =
      known && from !== null ? this.#options.objects.get(name, decodeURIComponent(from.pathname).slice(1)) : undefined;
    if (stored === undefined)
      throw new CosFault({ status: 404, code: 'NoSuchKey', message: 'The copy source does not exist.' });
    const copied = await this.#options.objects.put(asked.bucket, asked.key, this.#options.objects.stream(stored), type);
    const body = `<CopyObjectResult><ETag>${etagOf(copied, bucket)}</ETag><LastModified>${new Date(copied.at).toISOString()}</LastModified></CopyObjectResult>`;
    return {
      status: 200,
      headers: { 'content-type': 'application/xml', etag: etagOf(copied, bucket) },
      body: Buffer.from(body),
      facts: { code: 'OK', bytes: copied.sizeBytes },
    };
  }

  #get(request: IncomingMessage, stored: StoredObject, bucket: Bucket): Answer {
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const head = headOf(stored, bucket);
    if (range === null)
      return { ...head, body: this.#options.objects.stream(stored), facts: { code: 'OK', bytes: stored.sizeBytes } };
    const first = Number(range[1]);
    const last = Math.min(range[2] === '' ? stored.sizeBytes - 1 : Number(range[2]), stored.sizeBytes - 1);
    if (first > last)
      throw new CosFault({ status: 416, code: 'InvalidRange', message: 'The requested range cannot be satisfied.' });
    return {
      status: 206,
      headers: {
        ...head.headers,
        'content-length': String(last - first + 1),
        'content-range': `bytes ${first}-${last}/${stored.sizeBytes}`,
      },
      body: this.#options.objects.stream(stored, { first, last }),
      facts: { code: 'OK', bytes: last - first + 1 },
    };
  }
}

function actionOf(request: IncomingMessage, key: string): string {
  const verb =
    { PUT: 'Put', GET: 'Get', HEAD: 'Head', DELETE: 'Delete' }[request.method ?? ''] ?? String(request.method);
  if (key === '') return `${verb}Bucket`;
  return request.headers['x-cos-copy-source'] === undefined ? `${verb}Object` : 'CopyObject';
}

function etagOf(stored: StoredObject, bucket: Bucket): string {
  return bucket.opaqueEtag === true ? `"${createHash('sha1').update(stored.file).digest('hex')}"` : `"${stored.md5}"`;
}

function headOf(stored: StoredObject, bucket: Bucket): Answer {
  const headers = {
    'content-type': stored.contentType,
    'content-length': String(stored.sizeBytes),
    etag: etagOf(stored, bucket),
    'last-modified': new Date(stored.at).toUTCString(),
    'accept-ranges': 'bytes',
    'x-cos-request-id': randomUUID(),
  };
  return { status: 200, headers, facts: { code: 'OK' } };
}

function plain(status: number, headers: Record<string, string> = {}): Answer {
  return { status, headers: { 'x-cos-request-id': randomUUID(), ...headers }, facts: { code: 'OK' } };
}

function noSuchBucket(): CosError {
  return { status: 404, code: 'NoSuchBucket', message: 'The specified bucket does not exist.' };
}

function failed(request: IncomingMessage, asked: Asked, { status, code, message }: CosError): Answer {
  const requestId = randomUUID();
  const resource = `${asked.bucket}.cos.${asked.region}.myqcloud.com/${asked.key}`;
  const fields = { Code: code, Message: message, Resource: resource, RequestId: requestId, TraceId: randomUUID() };
  const inner = Object.entries(fields).map(([name, text]) => `\t<${name}>${escapeXml(text)}</${name}>\n`);
  const body = Buffer.from(`<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n${inner.join('')}</Error>\n`);
  const headers = { 'content-type': 'application/xml', 'x-cos-request-id': requestId };
  return { status, headers, ...(request.method === 'HEAD' ? {} : { body }), facts: { code, requestId } };
}

function escapeXml(text: string): string {
  return text.replace(/[<>&]/g, (char) => ({ '<': '&lt;', '>': '&gt;' })[char] ?? '&amp;');
}
