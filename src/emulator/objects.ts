/**
 * Objects as COS keeps them, with their versions: bytes in files, what is known of them in memory. A PUT is seen whole or
 * not at all.
 *
 * A version whose id is `null` is the one that was written while versioning was not on: there is one of an object at most.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Versioning } from './settings.ts';

/** As `randomUUID` makes them. */
const FILE_NAME = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

interface Versioned {
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string;
  readonly at: number;
}

export interface StoredObject extends Versioned {
  readonly kind: 'object';
  readonly sizeBytes: number;
  /** 32 hex digits. */
  readonly md5: string;
  readonly contentType: string;
  readonly file: string;
}

/** What a DELETE leaves where versions are kept. */
export interface DeleteMarker extends Versioned {
  readonly kind: 'marker';
}

export type Version = StoredObject | DeleteMarker;

const NULL = 'null';

export class Objects {
  readonly #dir: string;
  readonly #versioningOf: (bucket: string) => Versioning | undefined;
  /** By bucket and key, each with its versions, the newest first. None is empty. */
  readonly #known = new Map<string, readonly Version[]>();
  #lastMicros = 0;

  constructor(dir: string, versioningOf: (bucket: string) => Versioning | undefined) {
    this.#dir = dir;
    this.#versioningOf = versioningOf;
  }

  async open(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    // What an earlier run left: nothing knows of it any more.
    const left = (await readdir(this.#dir)).filter((name) => FILE_NAME.test(name));
    await Promise.all(left.map((name) => rm(join(this.#dir, name), { force: true })));
  }

  /** @param accept judges what arrived before it is seen; throws to refuse it. */
  async put(
    bucket: string,
    key: string,
    body: Readable | Buffer,
    contentType: string,
    accept: (seen: { sizeBytes: number; md5: string }) => void = () => undefined,
  ): Promise<StoredObject> {
    const file = join(this.#dir, randomUUID());
    const hash = createHash('md5');
    let sizeBytes = 0;
    try {
      await pipeline(
        Buffer.isBuffer(body) ? Readable.from([body]) : body,
        async function* (pieces: AsyncIterable<Buffer>) {
          for await (const piece of pieces) {
            hash.update(piece);
            sizeBytes += piece.length;
            yield piece;
          }
        },
        createWriteStream(file, { mode: 0o600 }),
      );
      const md5 = hash.digest('hex');
      accept({ sizeBytes, md5 });
      const versioned = { bucket, key, versionId: this.#idIn(bucket), at: Date.now() };
      const stored: StoredObject = { kind: 'object', ...versioned, sizeBytes, md5, contentType, file };
      await this.#add(stored);
      return stored;
    } catch (error) {
      await rm(file, { force: true });
      throw error;
    }
  }

  /** @returns undefined where there is no such version, or no object at all; the newest where none is named. */
  find(bucket: string, key: string, versionId?: string): Version | undefined {
    const versions = this.#known.get(`${bucket}/${key}`) ?? [];
    return versionId === undefined ? versions[0] : versions.find((version) => version.versionId === versionId);
  }

  /** @returns undefined where it is deleted, too. */
  get(bucket: string, key: string, versionId?: string): StoredObject | undefined {
    const version = this.find(bucket, key, versionId);
    return version?.kind === 'object' ? version : undefined;
  }

  /** What a GET of each would see. */
  list(): StoredObject[] {
    return this.histories().flatMap(([latest]) => (latest?.kind === 'object' ? [latest] : []));
  }

  /** All versions and delete markers, object by object, the newest first. */
  histories(): (readonly Version[])[] {
    return [...this.#known.values()];
  }

  /**
   * Open already, so that it is read whole even when the object is overwritten or removed meanwhile.
   *
   * @param range first and last byte, inclusive.
   * @returns null where it was removed just now.
   */
  async stream(stored: StoredObject, range?: { first: number; last: number }): Promise<Readable | null> {
    const handle = await opened(stored);
    return handle?.createReadStream(range === undefined ? {} : { start: range.first, end: range.last }) ?? null;
  }

  /** @returns null where it was removed just now. */
  async head(stored: StoredObject, bytes: number): Promise<Buffer | null> {
    const handle = await opened(stored);
    if (handle === null) return null;
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  }

  /**
   * Removes one version for good; where none is named, what the bucket's versioning makes of it.
   *
   * @returns the version that is gone, or the marker that was made; null where there was nothing to remove.
   */
  async remove(bucket: string, key: string, versionId?: string): Promise<Version | null> {
    if (versionId === undefined && this.#versioningOf(bucket) !== undefined) {
      const marker: DeleteMarker = { kind: 'marker', bucket, key, versionId: this.#idIn(bucket), at: Date.now() };
      await this.#add(marker);
      return marker;
    }
    const gone = this.find(bucket, key, versionId);
    if (gone === undefined) return null;
    const name = `${bucket}/${key}`;
    const left = (this.#known.get(name) ?? []).filter((version) => version !== gone);
    if (left.length > 0) this.#known.set(name, left);
    else this.#known.delete(name);
    await removeFile(gone);
    return gone;
  }

  /** As the newest; one of the same id is replaced. */
  async #add(version: Version): Promise<void> {
    const name = `${version.bucket}/${version.key}`;
    const before = this.#known.get(name) ?? [];
    const replaced = before.find(({ versionId }) => versionId === version.versionId);
    this.#known.set(name, [version, ...before.filter((each) => each !== replaced)]);
    if (replaced !== undefined) await removeFile(replaced);
  }

  /** Made like COS's, which count down: 2⁶⁴ less the time in microseconds. */
  #idIn(bucket: string): string {
    if (this.#versioningOf(bucket) !== 'Enabled') return NULL;
    this.#lastMicros = Math.max(this.#lastMicros + 1, Date.now() * 1_000);
    return Buffer.from(String(2n ** 64n - BigInt(this.#lastMicros))).toString('base64url');
  }
}

async function removeFile(version: Version): Promise<void> {
  if (version.kind === 'object') await rm(version.file, { force: true });
}

async function opened(stored: StoredObject): Promise<FileHandle | null> {
  try {
    return await open(stored.file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
