/**
 * Which operation a COS request asks for.
 *
 * What must hold: if the emulator does not understand a part of a request, it refuses the request with an error that names this
 * part. It never ignores the part and performs some other operation. Otherwise `PUT /?logging` would create a bucket.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { CosFailure, headerNotEmulated, notEmulated } from './cos-error.ts';
import type { CosTarget } from './cos-request.ts';

interface OperationSpec {
  /** The name in COS's documentation, for the call log. */
  readonly name: string;
  /** Query parameters that the operation understands, besides those that select the operation. */
  readonly parameters?: readonly string[];
  /** Request headers of COS that the operation understands, besides the common ones. `x-cos-meta-` stands for all metadata. */
  readonly headers?: readonly string[];
}

const LIST = ['prefix', 'delimiter', 'encoding-type'];
const STORE = ['x-cos-meta-', 'x-cos-forbid-overwrite', 'x-cos-storage-class', 'x-cos-acl'];
const LOCK = ['x-cos-object-lock-mode', 'x-cos-object-lock-retain-until-date'];
const CONDITIONS = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'];
const COPY = [
  'x-cos-copy-source',
  'x-cos-copy-source-if-match',
  'x-cos-copy-source-if-none-match',
  'x-cos-copy-source-if-modified-since',
  'x-cos-copy-source-if-unmodified-since',
];

/** The operations, by method, kind of target, and the parameters that select the operation. `copy`: with `x-cos-copy-source`. */
export const OPERATIONS = {
  'GET service': { name: 'GetService', parameters: ['region', 'max-keys', 'marker', 'range', 'create-time'] },

  'GET bucket': { name: 'GetBucket', parameters: [...LIST, 'marker', 'max-keys'] },
  'GET bucket versions': {
    name: 'GetBucketObjectVersions',
    parameters: [...LIST, 'key-marker', 'version-id-marker', 'max-keys'],
  },
  'GET bucket uploads': {
    name: 'ListMultipartUploads',
    parameters: [...LIST, 'key-marker', 'upload-id-marker', 'max-uploads'],
  },
  'GET bucket location': { name: 'GetBucketLocation' },
  'HEAD bucket': { name: 'HeadBucket' },
  'PUT bucket': { name: 'PutBucket', headers: ['x-cos-acl'] },
  'DELETE bucket': { name: 'DeleteBucket' },
  'POST bucket delete': { name: 'DeleteMultipleObjects' },
  'GET bucket acl': { name: 'GetBucketACL' },
  'PUT bucket acl': { name: 'PutBucketACL', headers: ['x-cos-acl'] },
  'GET bucket versioning': { name: 'GetBucketVersioning' },
  'PUT bucket versioning': { name: 'PutBucketVersioning' },
  'GET bucket lifecycle': { name: 'GetBucketLifecycle' },
  'PUT bucket lifecycle': { name: 'PutBucketLifecycle' },
  'DELETE bucket lifecycle': { name: 'DeleteBucketLifecycle' },
  'GET bucket object-lock': { name: 'GetBucketObjectLockConfiguration' },
  'PUT bucket object-lock': { name: 'PutBucketObjectLockConfiguration' },

  'GET object': { name: 'GetObject', parameters: ['versionId'], headers: CONDITIONS },
  'HEAD object': { name: 'HeadObject', parameters: ['versionId'], headers: CONDITIONS },
  'PUT object': { name: 'PutObject', headers: [...STORE, ...LOCK] },
  'PUT object copy': { name: 'CopyObject', headers: [...STORE, ...COPY, 'x-cos-metadata-directive'] },
  'DELETE object': { name: 'DeleteObject', parameters: ['versionId'] },
  'GET object retention': { name: 'GetObjectRetention', parameters: ['versionId'] },
  'PUT object retention': { name: 'PutObjectRetention', parameters: ['versionId'] },

  'POST object uploads': { name: 'InitiateMultipartUpload', headers: STORE },
  'PUT object partNumber&uploadId': { name: 'UploadPart' },
  'PUT object partNumber&uploadId copy': { name: 'UploadPartCopy', headers: [...COPY, 'x-cos-copy-source-range'] },
  'GET object uploadId': { name: 'ListParts', parameters: ['max-parts', 'part-number-marker', 'encoding-type'] },
  'POST object uploadId': { name: 'CompleteMultipartUpload', headers: ['x-cos-forbid-overwrite'] },
  'DELETE object uploadId': { name: 'AbortMultipartUpload' },
} as const satisfies Readonly<Record<string, OperationSpec>>;

export type OperationKey = keyof typeof OPERATIONS;

/** The query parameters that select an operation. */
const ADDRESSES: readonly string[] = [
  'acl',
  'delete',
  'lifecycle',
  'location',
  'object-lock',
  'partNumber',
  'retention',
  'uploadId',
  'uploads',
  'versioning',
  'versions',
];
/**
 * An unknown parameter without a value always selects an operation that is not emulated. These parameters do so even with a
 * value.
 */
const OTHER_SUB_RESOURCE =
  /^(?:accelerate|append|ci-process|cors|domain|domaincertificate|encryption|intelligenttiering|intelligent-tiering|inventory|legal-hold|list-type|logging|notification|origin|policy|position|publicAccessBlock|quota|referer|replication|restore|select|select-type|symlink|tagging|versionId|website|worm)$/;
/** Parameters that every operation understands: signatures, session tokens, and headers to set in the answer. */
const COMMON_PARAMETER = /^(?:q-[a-z-]+|sign|x-cos-security-token|x-cos-traffic-limit|response-[a-z-]+)$/;

/** Headers that change what a request means, unless its operation understands them. COS ignores headers that it does not know. */
const MEANINGFUL_HEADER =
  /^(?:if-.*|pic-operations|x-cos-(?:acl|append.*|bucket-.*|callback.*|content-sha1|copy-source.*|forbid-overwrite|grant-.*|meta-.+|metadata-directive|object-.*|restore.*|retention.*|return-.*|server-side-encryption.*|storage-class|symlink.*|tagging.*|website.*))$/;
/** Values that are accepted because they ask for what the emulator does anyway. */
const HARMLESS_VALUES: Readonly<Record<string, readonly string[]>> = {
  'x-cos-storage-class': ['STANDARD'],
  'x-cos-acl': ['default'],
};

export interface CosQuestion {
  readonly method: string | undefined;
  readonly target: CosTarget;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

/** The operation's name for the call log. A refused request has a name too. */
export function operationName(question: CosQuestion): string {
  const key = operationKey(question);
  return strangeParameter(question, key) ?? (isOperation(key) ? OPERATIONS[key].name : key);
}

/** @throws CosFailure that names the operation, parameter or header, if the emulator does not support it. */
export function readOperation(question: CosQuestion): OperationKey {
  const key = operationKey(question);
  const strange = strangeParameter(question, key);
  if (strange !== undefined) throw new CosFailure(notEmulated(strange));
  if (!isOperation(key)) throw new CosFailure(notEmulated(key));
  const header = Object.keys(question.headers).find((name) => !isHeaderUnderstood(name, question, OPERATIONS[key]));
  if (header !== undefined) throw new CosFailure(headerNotEmulated(header));
  return key;
}

/** Finds a parameter that selects an operation that is not emulated. @returns method and parameter, such as `PUT ?logging` */
function strangeParameter({ method, query }: CosQuestion, key: string): string | undefined {
  const spec: OperationSpec | undefined = isOperation(key) ? OPERATIONS[key] : undefined;
  const strange = [...query].find(([name, value]) => !isUnderstood(name, value, spec?.parameters ?? []));
  return strange === undefined ? undefined : `${method} ?${strange[0]}`;
}

export function hasSubResource(query: URLSearchParams): boolean {
  return [...query].some(([name, value]) => ADDRESSES.includes(name) || !isUnderstood(name, value, []));
}

function operationKey({ method = '', target, query, headers }: CosQuestion): string {
  const kind = target.kind === 'service' || target.kind === 'bucket' ? target.kind : 'object';
  const address = ADDRESSES.filter((name) => query.has(name)).join('&');
  const isCopy = method === 'PUT' && kind === 'object' && headers['x-cos-copy-source'] !== undefined;
  return [method, kind, address, isCopy ? 'copy' : ''].filter((word) => word !== '').join(' ');
}

function isOperation(key: string): key is OperationKey {
  return Object.hasOwn(OPERATIONS, key);
}

/**
 * If a parameter has a value and COS does not know the parameter, COS ignores it. Such a parameter therefore counts as
 * understood.
 */
function isUnderstood(name: string, value: string, parameters: readonly string[]): boolean {
  if (ADDRESSES.includes(name) || COMMON_PARAMETER.test(name) || parameters.includes(name)) return true;
  return value !== '' && !OTHER_SUB_RESOURCE.test(name);
}

function isHeaderUnderstood(name: string, { headers, target }: CosQuestion, spec: OperationSpec): boolean {
  if (!MEANINGFUL_HEADER.test(name)) return true;
  const understood = spec.headers ?? [];
  if (name.startsWith('x-cos-meta-')) return understood.includes('x-cos-meta-');
  if (name === 'if-range') return understood.includes('if-match');
  if (!understood.includes(name)) return false;
  const harmless = target.kind === 'object' ? HARMLESS_VALUES[name] : undefined;
  return harmless === undefined || harmless.includes(String(headers[name]));
}
