/** Objects as COS keeps them: bytes in files, what is known of them in memory. A PUT is seen whole or not at all. */
import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** As `randomUUID` makes them. */
const FILE_NAME = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface StoredObject {
  readonly bucket: string;
  readonly key: string;
  readonly sizeBytes: number;
  /** 32 hex digits. */
  readonly md5: string;
  readonly contentType: string;
  readonly at: number;
  readonly file: string;
}

export class Objects {
  readonly #dir: string;
  readonly #known = new Map<string, StoredObject>();

  constructor(dir: string) {
    this.#dir = dir;
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
      const stored: StoredObject = { bucket, key, sizeBytes, md5, contentType, at: Date.now(), file };
      const before = this.get(bucket, key);
      this.#known.set(`${bucket}/${key}`, stored);
      if (before !== undefined) await rm(before.file, { force: true });
      return stored;
    } catch (error) {
      await rm(file, { force: true });
      throw error;
    }
  }

  get(bucket: string, key: string): StoredObject | undefined {
    return this.#known.get(`${bucket}/${key}`);
  }

  list(): StoredObject[] {
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

  async remove(bucket: string, key: string): Promise<void> {
    const stored = this.get(bucket, key);
    if (stored === undefined) return;
    this.#known.delete(`${bucket}/${key}`);
    await rm(stored.file, { force: true });
  }
}

async function opened(stored: StoredObject): Promise<FileHandle | null> {
  try {
    return await open(stored.file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
