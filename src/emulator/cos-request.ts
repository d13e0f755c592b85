/** Reads a COS request: the bucket and object that it addresses, its headers, and its byte range. */
import type { IncomingHttpHeaders } from 'node:http';
import type { ByteRange } from './content-files.ts';
import { type CosHost, hostOf, readCosHost } from './cos-hosts.ts';
import { percentDecode } from './cos-signature.ts';

interface BucketName {
  readonly bucket: string;
  readonly region: string;
}

/** The list of all buckets, or of the buckets of one region. */
export interface ServiceTarget {
  readonly kind: 'service';
  readonly region?: string;
}
export type BucketTarget = BucketName & { readonly kind: 'bucket' };
export type ObjectTarget = BucketName & { readonly kind: 'object'; readonly key: string };
/** A request that COS refuses because of its host or path alone. */
export type RefusedTarget =
  | { readonly kind: 'accelerated'; readonly host: string }
  | { readonly kind: 'malformed'; readonly host: string };
export type CosTarget = ServiceTarget | BucketTarget | ObjectTarget | RefusedTarget;

/** @param rawPath the path as it was sent, because keys may have parts such as `..`, which a parsed URL resolves. */
export function readTarget(hostname: string, rawPath: string): CosTarget {
  const host = readCosHost(hostname);
  const path = percentDecode(rawPath);
  if (host === null || path === null) return { kind: 'malformed', host: hostname };
  if (host.kind === 'accelerated') return { kind: 'accelerated', host: hostname };
  return resolveTarget(host, path.slice(1));
}

function resolveTarget(host: Exclude<CosHost, { kind: 'accelerated' }>, path: string): CosTarget {
  if (host.kind === 'service') return path === '' ? { kind: 'service' } : { kind: 'malformed', host: 'service' };
  const { region } = host;
  if (host.kind === 'bucket') return bucketOrObject(host.bucket, region, path);
  if (path === '') return { kind: 'service', region };
  const [bucket = ''] = path.split('/', 1);
  return bucketOrObject(bucket, region, path.slice(bucket.length + 1));
}

function bucketOrObject(bucket: string, region: string, key: string): CosTarget {
  return key === '' ? { kind: 'bucket', bucket, region } : { kind: 'object', bucket, region, key };
}

/** The path of a request line or of a URL, undecoded. */
export function rawPathOf(url: string): string {
  const [, path = ''] = /^(?:https?:\/\/[^/?#]*)?([^?#]*)/i.exec(url) ?? [];
  return path === '' ? '/' : path;
}

/** `bucket` or `bucket/key`, for the call log. */
export function describeTarget(target: CosTarget): string[] {
  switch (target.kind) {
    case 'bucket':
      return [target.bucket];
    case 'object':
      return [`${target.bucket}/${target.key}`];
    case 'malformed':
    case 'accelerated':
      return [`${target.host}/?`];
    case 'service':
      return [];
  }
}

/** Host and path, as COS's errors name them. */
export function resourceOf(target: CosTarget): string {
  if (target.kind === 'service') return 'service.cos.myqcloud.com/';
  if (target.kind === 'object') return `${hostOf(target)}/${target.key}`;
  return target.kind === 'bucket' ? `${hostOf(target)}/` : `${target.host}/`;
}

export function readVersionId(query: URLSearchParams): string | undefined {
  return query.get('versionId') ?? undefined;
}

/** Reads a header as one string. */
export function readHeader(headers: IncomingHttpHeaders, name: string): string | undefined {
  return headers[name]?.toString();
}

export type RequestedRange =
  | { readonly kind: 'whole' }
  | (ByteRange & { readonly kind: 'part' })
  | { readonly kind: 'unsatisfiable' };

/** Reads a Range header. Anything but a single byte range selects the whole object. */
export function readRange(header: string | undefined, sizeBytes: number): RequestedRange {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (from === '' && to === '') return { kind: 'whole' };
  const end = sizeBytes - 1;
  const [first, last] =
    from === ''
      ? [Math.max(sizeBytes - Number(to), 0), end]
      : [Number(from), to === '' ? end : Math.min(Number(to), end)];
  return first > last ? { kind: 'unsatisfiable' } : { kind: 'part', first, last };
}
