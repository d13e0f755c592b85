/**
 * Multipart uploads that are under way. Contents of parts are files; everything else is in memory.
 *
 * What must hold: an upload is completed at most once, and no part outlives its upload.
 */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  type Accept,
  type Content,
  openContent,
  openContentDir,
  receiveContent,
  removeContent,
} from './content-files.ts';
import type { ObjectInfo } from './object-store.ts';

export interface Part extends Content {
  readonly number: number;
  /** When it was written, ms since 1970. */
  readonly at: number;
}

export interface Upload {
  readonly id: string;
  readonly bucket: string;
  readonly key: string;
  readonly info: ObjectInfo;
  /** When it began, ms since 1970. */
  readonly at: number;
  /** In ascending order of their numbers. */
  readonly parts: readonly Part[];
}

export class MultipartStore {
  readonly #dir: string;
  readonly #uploads = new Map<string, Upload>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  open(): Promise<void> {
    return openContentDir(this.#dir);
  }

  begin(bucket: string, key: string, info: ObjectInfo): Upload {
    const at = Date.now();
    const id = `${Math.floor(at / 1000)}${randomBytes(27).toString('hex')}`;
    const upload: Upload = { id, bucket, key, info, at, parts: [] };
    this.#uploads.set(id, upload);
    return upload;
  }

  /** @returns undefined if the object has no such upload. */
  find(bucket: string, key: string, id: string): Upload | undefined {
    const upload = this.#uploads.get(id);
    return upload?.bucket === bucket && upload.key === key ? upload : undefined;
  }

  list(bucket: string): Upload[] {
    return [...this.#uploads.values()].filter((upload) => upload.bucket === bucket);
  }

  /** Stores a part, in place of an earlier part with the same number. @returns null if the upload has ended in the meantime. */
  async addPart(id: string, number: number, source: Readable | Buffer, accept?: Accept): Promise<Part | null> {
    const part: Part = { ...(await receiveContent(this.#dir, source, accept)), number, at: Date.now() };
    const upload = this.#uploads.get(id);
    if (upload === undefined) {
      await removeContent(part);
      return null;
    }
    const others = upload.parts.filter((each) => each.number !== number);
    const replaced = upload.parts.find((each) => each.number === number);
    const parts = [...others, part].sort((one, other) => one.number - other.number);
    this.#uploads.set(id, { ...upload, parts });
    if (replaced !== undefined) await removeContent(replaced);
    return part;
  }

  /** Ends an upload, so that nobody else can complete or abort it. Its parts stay until `discard`. */
  end({ id }: Upload): boolean {
    return this.#uploads.delete(id);
  }

  async discard({ parts }: Upload): Promise<void> {
    await Promise.all(parts.map(removeContent));
  }

  /** The contents of the parts, one after the other. */
  join(parts: readonly Part[]): Readable {
    return Readable.from(readAll(parts), { objectMode: false });
  }
}

async function* readAll(parts: readonly Part[]): AsyncGenerator<Buffer> {
  for (const part of parts) {
    const handle = await openContent(part);
    if (handle === null) throw new Error('a part of an ended upload has disappeared');
    yield* handle.createReadStream() as AsyncIterable<Buffer>;
  }
}
