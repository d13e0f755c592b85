/** Files that hold the contents of objects and of parts of multipart uploads. Each file is written once, under its own name. */
import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Crc64 } from './crc64.ts';

/** A UUID in the format of `randomUUID`. */
const FILE_NAME = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface Content {
  readonly file: string;
  readonly sizeBytes: number;
  /** 32 hex digits. */
  readonly md5: string;
  /** Decimal, as in `x-cos-hash-crc64ecma`. */
  readonly crc64: string;
}

/** First and last byte, both inclusive. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** Inspects the received content. Throws to refuse it. */
export type Accept = (received: { sizeBytes: number; md5: string }) => void;

/**
 * Creates the folder, and removes the files of earlier runs: their indexes were in memory, so nothing refers to these files any
 * more.
 */
export async function openContentDir(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const stale = (await readdir(dir)).filter((name) => FILE_NAME.test(name));
  await Promise.all(stale.map((name) => rm(join(dir, name), { force: true })));
}

/** Writes the source's content to a new file. If the content is cut short or refused, no file is left. */
export async function receiveContent(dir: string, source: Readable | Buffer, accept?: Accept): Promise<Content> {
  const file = join(dir, randomUUID());
  const hash = createHash('md5');
  const crc = new Crc64();
  let sizeBytes = 0;
  try {
    await pipeline(
      Buffer.isBuffer(source) ? Readable.from([source]) : source,
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          crc.update(chunk);
          sizeBytes += chunk.length;
          yield chunk;
        }
      },
      createWriteStream(file, { mode: 0o600 }),
    );
    const md5 = hash.digest('hex');
    accept?.({ sizeBytes, md5 });
    return { file, sizeBytes, md5, crc64: crc.digest() };
  } catch (error) {
    await removeContent({ file });
    throw error;
  }
}

export async function removeContent({ file }: Pick<Content, 'file'>): Promise<void> {
  await rm(file, { force: true });
}

/** @returns null if the file was removed in the meantime. */
export async function openContent({ file }: Pick<Content, 'file'>): Promise<FileHandle | null> {
  try {
    return await open(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
