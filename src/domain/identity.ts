/**
 * How a verification is known. The id is a keyed hash of the caller's key, so that the same key is the same verification
 * for as long as its record lives, and a key that happens to be a name or a number is in no job, log or file name; the
 * fingerprint tells the same payload from another one under the same key.
 */
import { createHash, createHmac } from 'node:crypto';
import { sourceIdentity } from './sources.ts';
import type { Verification } from './verification.ts';

/** `v` and 25 digits of base 36: 128 bits. BullMQ takes neither `:` nor digits only. */
export function verificationId(namespace: string, key: string): string {
  const digest = createHmac('sha256', namespace).update(key).digest('hex').slice(0, 32);
  return `v${BigInt(`0x${digest}`).toString(36).padStart(25, '0')}`;
}

/** A light sequence's place in Redis, of its caller's key. @param mode an answer of the emulator is never given for a real one. */
export function sequenceId(namespace: string, mode: string, key: string): string {
  return createHmac('sha256', `${namespace}/sequence/${mode}`).update(key).digest('base64url').slice(0, 22);
}

/** Of what was asked for under a key; keyed, so that nobody looks up device data by its MD5. */
export function sequenceFingerprint(namespace: string, asked: readonly string[]): string {
  return createHmac('sha256', `${namespace}/sequence`).update(JSON.stringify(asked)).digest('base64url').slice(0, 22);
}

/** Tenants of a deployment have namespaces of their own: the same key is another verification for each. Null: the deployment's. */
export function namespaceOf(namespace: string, tenant: string | null): string {
  return tenant === null ? namespace : JSON.stringify([namespace, tenant]);
}

/** A word for whoever shares a deployment with others. */
export const TENANT = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;

/** Whom it is about, as the index knows them. */
export function subjectHash(namespace: string, subject: string): string {
  return createHmac('sha256', `${namespace}/subject`).update(subject).digest('base64url').slice(0, 22);
}

/**
 * Of what is asked, not of when: query strings of URLs (signatures) and the deadline differ between two tries of the same
 * request and are left out.
 */
export function fingerprint(request: Verification): string {
  const { key: _key, deadline: _deadline, resources, ...rest } = request;
  const named = Object.entries(resources)
    .filter(([, source]) => source !== undefined)
    .map(([name, source]) => [name, source === undefined ? '' : sourceIdentity(source), source?.md5 ?? '']);
  const text = JSON.stringify([stable(rest), named.sort()]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

function stable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(stable);
  if (value === null || typeof value !== 'object') return value;
  return Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, inner]) => [name, stable(inner)]);
}

/** Where an upload lies in the company's bucket: found again from id and generation alone, so that it can be deleted. */
export function objectKey(folder: string, id: string, generation: number, resource: string): string {
  return `${folder}/${id}/${generation}/${resource}`;
}
