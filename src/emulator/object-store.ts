/**
 * The objects in COS buckets, with their versions. Contents are files; everything else is in memory.
 *
 * What must hold:
 * - A PUT becomes visible completely or not at all.
 * - A version that was written while versioning was not enabled has the version id `null`. Each object has at most one such version.
 */
import type { Readable } from 'node:stream';
import {
  type Accept,
  type ByteRange,
  type Content,
  openContent,
  openContentDir,
  receiveContent,
  removeContent,
} from './content-files.ts';
import type { Versioning } from './settings.ts';

const NULL_VERSION_ID = 'null';

interface Versioned {
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string;
  /** When it was written, ms since 1970. */
  readonly at: number;
}

/** What is stored with a content and returned with it. */
export interface ObjectInfo {
  readonly contentType: string;
  /** Other content headers and `x-cos-meta-*`, by lower-case name. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Until when it is locked, ms since 1970. Absent: it never was. */
  readonly lockedUntil?: number;
  /** The ETag of an object that a multipart upload created. The ETag of every other object is its MD5. */
  readonly multipartEtag?: string;
}

export interface StoredObject extends Versioned, Content, ObjectInfo {
  readonly kind: 'object';
}

/** Written by a DELETE in a bucket with versioning. It hides the older versions. */
export interface DeleteMarker extends Versioned {
  readonly kind: 'marker';
}

export type Version = StoredObject | DeleteMarker;

export interface NewObject extends ObjectInfo {
  readonly bucket: string;
  readonly key: string;
  readonly content: Readable | Buffer;
  /** Inspects the received content before it becomes visible. Throws to refuse it. */
  readonly accept?: Accept;
}

export class ObjectStore {
  readonly #dir: string;
  readonly #versioningOf: (bucket: string) => Versioning | undefined;
  /** Versions by bucket and key, the newest first. No list is empty. */
  readonly #histories = new Map<string, readonly Version[]>();
  #lastVersionMicros = 0;

  constructor(dir: string, versioningOf: (bucket: string) => Versioning | undefined) {
    this.#dir = dir;
    this.#versioningOf = versioningOf;
  }

  open(): Promise<void> {
    return openContentDir(this.#dir);
  }

  async put({ bucket, key, content, accept, ...info }: NewObject): Promise<StoredObject> {
    const received = await receiveContent(this.#dir, content, accept);
    const versioned = { bucket, key, versionId: this.#newVersionId(bucket), at: Date.now() };
    const stored: StoredObject = { kind: 'object', ...versioned, ...info, ...received };
    await this.#add(stored);
    return stored;
  }

  /** @returns the named version, or the newest if none is named; undefined if it does not exist. */
  find(bucket: string, key: string, versionId?: string): Version | undefined {
    const versions = this.#histories.get(`${bucket}/${key}`) ?? [];
    return versionId === undefined ? versions[0] : versions.find((version) => version.versionId === versionId);
  }

  /** Like `find`, but a delete marker counts as not found. */
  get(bucket: string, key: string, versionId?: string): StoredObject | undefined {
    const version = this.find(bucket, key, versionId);
    return version?.kind === 'object' ? version : undefined;
  }

  /** The current objects: those that a GET without a version id finds. */
  list(): StoredObject[] {
    return this.histories().flatMap(([latest]) => (latest?.kind === 'object' ? [latest] : []));
  }

  /** Whether the bucket has neither a version nor a delete marker. */
  isEmpty(bucket: string): boolean {
    return this.histories().every(([latest]) => latest?.bucket !== bucket);
  }

  /** All versions and delete markers, grouped by object, the newest first. */
  histories(): (readonly Version[])[] {
    return [...this.#histories.values()];
  }

  /**
   * Opens the content for reading. The file is open when this resolves, so an overwrite or removal during the read does no harm.
   *
   * @returns null if the object was removed in the meantime.
   */
  async stream(stored: StoredObject, range?: ByteRange): Promise<Readable | null> {
    const handle = await openContent(stored);
    return handle?.createReadStream(range === undefined ? {} : { start: range.first, end: range.last }) ?? null;
  }

  /** Reads the first bytes. @returns null if the object was removed in the meantime. */
  async head(stored: StoredObject, bytes: number): Promise<Buffer | null> {
    const handle = await openContent(stored);
    if (handle === null) return null;
    try {
      const most = Math.min(bytes, stored.sizeBytes);
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(most), 0, most, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  }

  /**
   * Removes the named version permanently. Without a version id, a bucket with versioning gets a delete marker instead.
   *
   * @returns the removed version or the new marker; null if there was nothing to remove.
   */
  async remove(bucket: string, key: string, versionId?: string): Promise<Version | null> {
    if (versionId === undefined && this.#versioningOf(bucket) !== undefined) {
      const marker: DeleteMarker = {
        kind: 'marker',
        bucket,
        key,
        versionId: this.#newVersionId(bucket),
        at: Date.now(),
      };
      await this.#add(marker);
      return marker;
    }
    const removed = this.find(bucket, key, versionId);
    if (removed === undefined) return null;
    const name = `${bucket}/${key}`;
    const remaining = (this.#histories.get(name) ?? []).filter((version) => version !== removed);
    if (remaining.length > 0) this.#histories.set(name, remaining);
    else this.#histories.delete(name);
    if (removed.kind === 'object') await removeContent(removed);
    return removed;
  }

  /** Locks a version for longer. @returns null if the version no longer exists. */
  lock(stored: StoredObject, lockedUntil: number): StoredObject | null {
    const name = `${stored.bucket}/${stored.key}`;
    const versions = this.#histories.get(name) ?? [];
    if (!versions.includes(stored)) return null;
    const locked = { ...stored, lockedUntil };
    this.#histories.set(
      name,
      versions.map((version) => (version === stored ? locked : version)),
    );
    return locked;
  }

  /** Adds a version as the newest. It replaces a version with the same id. */
  async #add(version: Version): Promise<void> {
    const name = `${version.bucket}/${version.key}`;
    const previous = this.#histories.get(name) ?? [];
    const replaced = previous.find(({ versionId }) => versionId === version.versionId);
    this.#histories.set(name, [version, ...previous.filter((each) => each !== replaced)]);
    if (replaced?.kind === 'object') await removeContent(replaced);
  }

  /** COS's version ids count down, and so do these: 2⁶⁴ minus the time in microseconds. */
  #newVersionId(bucket: string): string {
    if (this.#versioningOf(bucket) !== 'Enabled') return NULL_VERSION_ID;
    this.#lastVersionMicros = Math.max(this.#lastVersionMicros + 1, Date.now() * 1_000);
    return Buffer.from(String(2n ** 64n - BigInt(this.#lastVersionMicros))).toString('base64url');
  }
}
