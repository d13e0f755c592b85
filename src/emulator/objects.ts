/** Objects as COS keeps them: bytes in files, what is known of them in memory. A PUT is seen whole or not at all. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

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
      await this.remove(bucket, key);
      this.#known.set(`${bucket}/${key}`, stored);
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

  /** @param range first and last byte, inclusive. */
  stream(stored: StoredObject, range?: { first: number; last: number }): Readable {
    return createReadStream(stored.file, range === undefined ? {} : { start: range.first, end: range.last });
  }

  async head(stored: StoredObject, bytes: number): Promise<Buffer> {
    const handle = await open(stored.file, 'r');
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
