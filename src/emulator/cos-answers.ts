/** COS's answers: object headers, XML documents and XML errors. */
import { createHash, randomUUID } from 'node:crypto';
import type { CosError } from './cos-error.ts';
import type { Answer } from './exchange.ts';
import type { StoredObject } from './object-store.ts';
import type { Bucket } from './settings.ts';
import { escapeXml } from './xml.ts';

/**
 * The header of two answers: of a DELETE that added or removed a delete marker, and of the 404 for an object that a marker hides.
 */
export const DELETE_MARKER_HEADERS = { 'x-cos-delete-marker': 'true' };

/** Names with unusual capitals. COS writes `x-cos-…` in lower case, and capitalises each word of all other names. */
const SPECIAL_NAMES: Readonly<Record<string, string>> = { etag: 'ETag' };

export function etagOf(stored: StoredObject, bucket: Bucket): string {
  if (bucket.opaqueEtag === true) return `"${createHash('sha1').update(stored.file).digest('hex')}"`;
  return `"${stored.multipartEtag ?? stored.md5}"`;
}

export function answerHead(stored: StoredObject, bucket: Bucket): Answer {
  const headers = {
    'content-type': stored.contentType,
    'content-length': String(stored.sizeBytes),
    'accept-ranges': 'bytes',
    ...validatorsOf(stored, bucket),
    'x-cos-hash-crc64ecma': stored.crc64,
    ...stored.headers,
  };
  return { status: 200, headers, facts: { code: 'OK' } };
}

/** Headers of an object that are sent with a 304 too. */
export function validatorsOf(stored: StoredObject, bucket: Bucket): Record<string, string> {
  return {
    etag: etagOf(stored, bucket),
    'last-modified': new Date(stored.at).toUTCString(),
    ...(bucket.versioning === undefined ? {} : { 'x-cos-version-id': stored.versionId }),
  };
}

/**
 * The headers of a PUT, a copy or a completed upload. While versioning is suspended, COS does not report the `null` version
 * that it wrote.
 */
export function writtenHeaders(stored: StoredObject, bucket: Bucket): Record<string, string> {
  return {
    etag: etagOf(stored, bucket),
    'x-cos-hash-crc64ecma': stored.crc64,
    ...(bucket.versioning === 'Enabled' ? { 'x-cos-version-id': stored.versionId } : {}),
  };
}

export function answerEmpty(status: number, headers: Record<string, string> = {}): Answer {
  return { status, headers, facts: { code: 'OK' } };
}

export function answerXml(xml: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status: 200,
    headers: { 'content-type': 'application/xml', ...headers },
    body: Buffer.from(xml),
    facts: { code: 'OK' },
  };
}

/**
 * @param method the method of the request: the answer to a HEAD has no body.
 * @param resource host and path of the request.
 */
export function answerError(method: string | undefined, resource: string, error: CosError): Answer {
  const { status, code, message } = error;
  const requestId = randomUUID();
  const traceId = randomUUID();
  const fields = { Code: code, Message: message, Resource: resource, RequestId: requestId, TraceId: traceId };
  const inner = Object.entries(fields).map(([name, text]) => `\t<${name}>${escapeXml(text)}</${name}>\n`);
  const body = Buffer.from(`<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n${inner.join('')}</Error>\n`);
  const headers = {
    'content-type': 'application/xml',
    'x-cos-request-id': requestId,
    'x-cos-trace-id': traceId,
    ...error.headers,
  };
  return { status, headers, ...(method === 'HEAD' ? {} : { body }), facts: { code, requestId } };
}

/** Adds the headers that every answer of COS has, and writes the names of all headers with COS's capitals. */
export function finishAnswer(answer: Answer): Answer {
  const headers = { 'x-cos-request-id': randomUUID(), server: 'tencent-cos', ...answer.headers };
  return {
    ...answer,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [caseOf(name), value])),
    facts: { requestId: headers['x-cos-request-id'], ...answer.facts },
  };
}

function caseOf(name: string): string {
  if (name.startsWith('x-cos-')) return name;
  return SPECIAL_NAMES[name] ?? name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}
