/** What COS answers: headers of an object and its version, and errors in XML. */
import { createHash, randomUUID } from 'node:crypto';
import type { CosError } from './cos-signature.ts';
import type { Answer } from './exchange.ts';
import type { StoredObject } from './objects.ts';
import type { Bucket } from './settings.ts';
import { escapeXml } from './xml.ts';

/** Of what a DELETE made or removed, and of what is gone by one. */
export const DELETED = { 'x-cos-delete-marker': 'true' };

export function etagOf(stored: StoredObject, bucket: Bucket): string {
  return bucket.opaqueEtag === true ? `"${createHash('sha1').update(stored.file).digest('hex')}"` : `"${stored.md5}"`;
}

export function headOf(stored: StoredObject, bucket: Bucket): Answer {
  const headers = {
    'content-type': stored.contentType,
    'content-length': String(stored.sizeBytes),
    etag: etagOf(stored, bucket),
    'last-modified': new Date(stored.at).toUTCString(),
    'accept-ranges': 'bytes',
    ...(bucket.versioning === undefined ? {} : { 'x-cos-version-id': stored.versionId }),
    'x-cos-request-id': randomUUID(),
  };
  return { status: 200, headers, facts: { code: 'OK' } };
}

/** While versioning is suspended, a PUT says nothing of the `null` version that it made. */
export function madeVersion(stored: StoredObject, { versioning }: Bucket): Record<string, string> {
  return versioning === 'Enabled' ? { 'x-cos-version-id': stored.versionId } : {};
}

export function plain(status: number, headers: Record<string, string> = {}): Answer {
  return { status, headers: { 'x-cos-request-id': randomUUID(), ...headers }, facts: { code: 'OK' } };
}

export function noSuchKey(): CosError {
  return { status: 404, code: 'NoSuchKey', message: 'The specified key does not exist.' };
}

export function noSuchVersion(): CosError {
  return { status: 404, code: 'NoSuchVersion', message: 'The specified version does not exist.' };
}

export function notDone(): CosError {
  return { status: 405, code: 'MethodNotAllowed', message: 'The emulator does not do this: see docs/emulator.md.' };
}

export function noSuchBucket(): CosError {
  return { status: 404, code: 'NoSuchBucket', message: 'The specified bucket does not exist.' };
}

/** @param method a HEAD is answered without a body. @param resource host and path of what was asked for. */
export function failed(method: string | undefined, resource: string, error: CosError): Answer {
  const { status, code, message } = error;
  const requestId = randomUUID();
  const fields = { Code: code, Message: message, Resource: resource, RequestId: requestId, TraceId: randomUUID() };
  const inner = Object.entries(fields).map(([name, text]) => `\t<${name}>${escapeXml(text)}</${name}>\n`);
  const body = Buffer.from(`<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n${inner.join('')}</Error>\n`);
  const headers = { 'content-type': 'application/xml', 'x-cos-request-id': requestId, ...error.headers };
  return { status, headers, ...(method === 'HEAD' ? {} : { body }), facts: { code, requestId } };
}
