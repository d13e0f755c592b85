/**
 * A bucket with object lock. An object is written with its lock in one request; then its lock is read, so that a bucket that
 * ignores the request for a lock is noticed at once.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { LinkIo, LockedBucket, LockedContent, LockedObject } from '../../domain/ports.ts';
import type { Region } from '../../domain/verification/regions.ts';
import { withQuickRetries } from '../http/quick-retries.ts';
import { type CheckedBucket, createBucket, explainCheck, versionStore } from './bucket.ts';
import { type BucketAccess, type BucketRequest, readCosFailure, sendToBucket } from './cos-requests.ts';
import { parseXml } from './cos-xml.ts';
import type { ListedVersion, VersionStore } from './object-versions.ts';

const LINK_TTL_MS = 10 * 60_000;
const MAX_XML_BYTES = 64 * 1024;

const lockConfiguration = z.strictObject({
  ObjectLockConfiguration: z.object({ ObjectLockEnabled: z.string().trim().optional() }),
});
const retention = z.strictObject({ Retention: z.object({ RetainUntilDate: z.string().trim() }) });

export function createLockedBucket(access: BucketAccess, links: LinkIo): LockedBucket {
  return new CosLockedBucket(access, links);
}

class CosLockedBucket implements LockedBucket {
  readonly #access: BucketAccess;
  readonly #links: LinkIo;
  readonly #bucket: CheckedBucket;
  readonly #versions: VersionStore;

  constructor(access: BucketAccess, links: LinkIo) {
    this.#access = access;
    this.#links = links;
    this.#bucket = createBucket(access);
    this.#versions = versionStore(access);
  }

  get name(): string {
    return this.#access.name;
  }

  get region(): Region {
    return this.#access.region;
  }

  async isEnabled(signal: AbortSignal): Promise<boolean> {
    try {
      const xml = await this.#read({ query: { 'object-lock': '' } }, signal);
      return xml !== null && parseXml(xml, lockConfiguration)?.ObjectLockConfiguration.ObjectLockEnabled === 'Enabled';
    } catch (error) {
      throw error instanceof Failure ? explainCheck(error, this.region) : error;
    }
  }

  async keep(
    key: string,
    open: () => Promise<LockedContent>,
    { owner, until }: { readonly owner: string; readonly until: number },
    signal: AbortSignal,
  ): Promise<void> {
    const found = await this.#bucket.ownerOf(key, signal);
    if (found !== null && found.owner !== owner) throw taken();
    if (found === null) await this.#put(await open(), { key, owner, until, signal });
    if ((await this.#lockOf(key, '', signal)) >= until) return;
    await this.#lock(key, until, signal);
    if ((await this.#lockOf(key, '', signal)) < until) throw notLocked();
  }

  async read(key: string, limitBytes: number, signal: AbortSignal): Promise<string | null> {
    return this.#read({ key }, signal, limitBytes);
  }

  async list(prefix: string, signal: AbortSignal): Promise<LockedObject[]> {
    const listed = await this.#list(prefix, signal);
    return listed.filter(({ isMarker }) => !isMarker).map(({ key, until }) => ({ key, until }));
  }

  async removeUnlocked(prefix: string, now: number, signal: AbortSignal) {
    // An empty prefix would delete the whole bucket, and `folder/id` would also delete `folder/id2`.
    if (!/^[^/].*\/$/s.test(prefix))
      throw new Error('a prefix to delete under must name a folder and end with a slash');
    const listed = await this.#list(prefix, signal);
    const locked = listed.filter(({ until }) => until > now);
    // While an object has a locked version, its delete markers stay: without them, it would appear again.
    const isHidden = (version: ListedVersion) => version.isMarker && locked.some(({ key }) => key === version.key);
    const removable = listed.filter((version) => version.until <= now && !isHidden(version));
    for (const version of removable) await this.#versions.remove(version, signal);
    return { versions: removable.length, locked: locked.map(({ key, until }) => ({ key, until })) };
  }

  async #put(
    content: LockedContent,
    { key, owner, until, signal }: { key: string; owner: string; until: number; signal: AbortSignal },
  ): Promise<void> {
    const { sizeBytes, md5, contentType } = content;
    const head = { sizeBytes, md5, contentType, owner, ifAbsent: true, lockedUntil: until };
    try {
      const link = await this.#bucket.signPut(key, LINK_TTL_MS);
      await this.#links.put(link, () => content.stream(), head, signal);
    } catch (error) {
      // Either another process was faster, or the answer to our own PUT was lost and it was sent again.
      const isTwice = error instanceof Failure && (error.httpStatus === 409 || error.httpStatus === 403);
      if (!isTwice || (await this.#bucket.ownerOf(key, signal))?.owner !== owner) throw error;
    } finally {
      await content.close();
    }
  }

  async #list(prefix: string, signal: AbortSignal): Promise<(ListedVersion & LockedObject)[]> {
    const found: (ListedVersion & LockedObject)[] = [];
    for await (const version of this.#bucket.list(prefix, signal)) {
      const until = version.isMarker ? 0 : await this.#lockOf(version.key, version.versionId, signal);
      found.push({ ...version, until });
    }
    return found;
  }

  /** @returns until when the object is locked, ms since 1970; 0 if it is not. */
  async #lockOf(key: string, versionId: string, signal: AbortSignal): Promise<number> {
    const query = { retention: '', ...(versionId === '' ? {} : { versionId }) };
    const xml = await this.#read({ key, query }, signal);
    if (xml === null) return 0;
    const until = Date.parse(parseXml(xml, retention)?.Retention.RetainUntilDate ?? '');
    if (!Number.isNaN(until)) return until;
    const message = 'the lock of an object cannot be read: check the endpoint and the proxy';
    throw localFailure(CODES.MALFORMED_REPLY, message, { service: 'cos', sent: 'answered' });
  }

  async #lock(key: string, until: number, signal: AbortSignal): Promise<void> {
    const date = new Date(until).toISOString();
    const xml = `<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>${date}</RetainUntilDate></Retention>`;
    await withQuickRetries(async () => {
      const request = { method: 'PUT', key, query: { retention: '' }, ...bodyOf(xml) } as const;
      const response = await sendToBucket(this.#access, request, signal);
      if (response.status !== 200) throw await readCosFailure(response);
      await response.dump();
    }, signal);
  }

  /** @returns null if COS answers 404, unless the bucket is missing. */
  #read(
    request: Pick<BucketRequest, 'key' | 'query'>,
    signal: AbortSignal,
    limitBytes = MAX_XML_BYTES,
  ): Promise<string | null> {
    return withQuickRetries(async () => {
      const response = await sendToBucket(this.#access, { method: 'GET', ...request }, signal);
      if (response.status === 200) return response.text(limitBytes);
      const failure = await readCosFailure(response);
      if (response.status === 404 && failure.code !== 'NoSuchBucket') return null;
      throw failure;
    }, signal);
  }
}

function bodyOf(xml: string): Pick<BucketRequest, 'headers' | 'unsignedHeaders' | 'body'> {
  const bytes = Buffer.from(xml);
  return {
    headers: { 'content-md5': createHash('md5').update(bytes).digest('base64') },
    unsignedHeaders: { 'content-type': 'application/xml', 'content-length': String(bytes.byteLength) },
    body: Readable.from([bytes]),
  };
}

function taken(): Failure {
  const message =
    'the bucket of the evidence has another object under the name: give each deployment its own bucket or folder';
  return localFailure(CODES.EVIDENCE_TAKEN, message, { service: 'cos', sent: 'answered' });
}

function notLocked(): Failure {
  const message = 'the object was written and is not locked: enable object lock for the bucket of the evidence';
  return localFailure(CODES.EVIDENCE_UNLOCKED, message, { service: 'cos', sent: 'answered' });
}
