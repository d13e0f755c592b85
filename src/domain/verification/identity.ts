/**
 * Ids, hashes and object keys of a verification. The id is a keyed hash of the caller's key: as long as a record exists, the same
 * key gives the same verification. A caller's key may contain a name or a number, so it never appears in a job, log or file name.
 * The fingerprint detects a different payload under the same key.
 */
import { createHash, createHmac } from 'node:crypto';
import type { Order, Verification } from './request.ts';
import type { Session } from './session-request.ts';
import { sourceIdentity } from './sources.ts';

/** @returns `v` and 25 base-36 digits (128 bits). BullMQ accepts neither `:` nor an id of digits only. */
export function verificationId(namespace: string, key: string): string {
  const digest = createHmac('sha256', namespace).update(key).digest('hex').slice(0, 32);
  return `v${BigInt(`0x${digest}`).toString(36).padStart(25, '0')}`;
}

/**
 * Redis id of the light sequence for a caller's key.
 *
 * @param mode mode of the deployment. It is part of the hash, so that an answer of the emulator is never returned as a real one.
 */
export function sequenceId(namespace: string, mode: string, key: string): string {
  return createHmac('sha256', `${namespace}/sequence/${mode}`).update(key).digest('base64url').slice(0, 22);
}

/** Fingerprint of a sequence request. It is keyed, so that nobody can look up device data by its MD5. */
export function sequenceFingerprint(namespace: string, request: readonly string[]): string {
  return createHmac('sha256', `${namespace}/sequence`).update(JSON.stringify(request)).digest('base64url').slice(0, 22);
}

/**
 * Each tenant has its own namespace, so that the same key means a different verification for each tenant.
 *
 * @param tenant null for the deployment's own verifications.
 */
export function tenantNamespace(namespace: string, tenant: string | null): string {
  return tenant === null ? namespace : JSON.stringify([namespace, tenant]);
}

/** Keyed hash of the subject, as the index stores it. */
export function subjectHash(namespace: string, subject: string): string {
  return createHmac('sha256', `${namespace}/subject`).update(subject).digest('base64url').slice(0, 22);
}

/**
 * Keyed hash of the payload: nobody who reads Redis can guess a path, a subject or metadata and check the guess. It ignores the key,
 * the deadline and the query strings of URLs (signatures), because they may differ when a caller repeats a request.
 */
export function fingerprint(namespace: string, request: Verification | Session): string {
  const { key: _key, deadline: _deadline, resources, ...rest } = request;
  const payload = JSON.stringify([sortKeys(rest), sourceIdentities(resources)]);
  return createHmac('sha256', `${namespace}/payload`).update(payload).digest('base64url').slice(0, 22);
}

/**
 * Hash of the fields that affect the vendor's answer: action, resources and liveness. A receipt is valid for every request with
 * the same hash, even if threshold, lane, metadata, webhook or other fields differ.
 */
export function questionFingerprint({
  action,
  resources,
  liveness,
  session,
}: Pick<Order, 'action' | 'resources' | 'liveness' | 'session'>): string {
  const asked = session === undefined ? [] : [sortKeys(session.parameters)];
  return shortHash(['question', action, sortKeys(liveness ?? null), sourceIdentities(resources), ...asked]);
}

function sourceIdentities(resources: Verification['resources']): string[][] {
  return Object.entries(resources)
    .flatMap(([name, source]) => (source === undefined ? [] : [[name, sourceIdentity(source), source.md5 ?? '']]))
    .sort();
}

function shortHash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, 22);
}

/** Makes the JSON text independent of the order of fields. */
function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== 'object') return value;
  const fields = value as Readonly<Record<string, unknown>>;
  const sorted: [string, unknown][] = [];
  for (const name of Object.keys(fields).sort())
    if (fields[name] !== undefined) sorted.push([name, sortKeys(fields[name])]);
  return sorted;
}

/**
 * Key of an upload in the company's own bucket. The key is computed from folder, id, generation and resource, so that the object
 * can be deleted later without a stored key.
 */
export function objectKey(folder: string, id: string, generation: number, resource: string): string {
  return `${folder}/${id}/${generation}/${resource}`;
}
