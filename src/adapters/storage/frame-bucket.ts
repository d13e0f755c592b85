/**
 * Stores frames as objects in the company's own bucket. Bytes stay in a private unnamed file until all of them have
 * arrived with the right MD5. The metadata of an object names the verification that wrote it; no other object is replaced, and
 * removal deletes all versions with that name alone.
 */
import type { FileHandle } from 'node:fs/promises';
import { Failure } from '../../domain/errors/failure.ts';
import type { Bucket, LinkIo, PutHead } from '../../domain/ports.ts';
import type { StoredFrame } from '../../domain/verification/outcomes.ts';
import { isPermanentRefusal } from '../http/answer-failures.ts';
import {
  checkFrameDigest,
  checkFrameSize,
  type FrameStore,
  frameTaken,
  type NewPicture,
  receiptName,
  untilAborted,
} from './frame-store.ts';
import { type Digest, Hasher, isSameDigest } from './hashing.ts';
import { readAll } from './read-file.ts';
import { type Spooled, spool } from './spool.ts';

export interface FrameBucketOptions {
  readonly bucket: Bucket;
  readonly links: LinkIo;
  /** Prepares and returns the folder that bytes are spooled to. */
  spoolDir(): Promise<string>;
}

const LINK_TTL_MS = 10 * 60_000;

export class FrameBucket implements FrameStore {
  readonly #bucket: Bucket;
  readonly #links: LinkIo;
  readonly #spoolDir: () => Promise<string>;

  constructor({ bucket, links, spoolDir }: FrameBucketOptions) {
    this.#bucket = bucket;
    this.#links = links;
    this.#spoolDir = spoolDir;
  }

  pathOf(key: string): string {
    return `cos:${this.#bucket.region}/${this.#bucket.name}/${key}`;
  }

  async store(key: string, { pieces, md5, owner, receiptFor }: NewPicture, signal: AbortSignal): Promise<StoredFrame> {
    const { file, digest } = await this.#spool(pieces, signal);
    try {
      checkFrameDigest(digest, md5);
      const isNew = await this.#isFree(key, owner, signal);
      const isReceiptNew = await this.#isFree(receiptName(key), owner, signal);
      const head = { ...digest, contentType: 'image/jpeg', owner, ifAbsent: isNew };
      await this.#put(key, () => readAll(file), head, signal);
      const stored = { path: this.pathOf(key), md5: digest.md5, bytes: digest.sizeBytes };
      const receipt = Buffer.from(receiptFor(stored));
      const hasher = new Hasher();
      hasher.add(receipt);
      const receiptHead = { ...hasher.digest(), contentType: 'application/json', owner, ifAbsent: isReceiptNew };
      await this.#put(receiptName(key), () => onePiece(receipt), receiptHead, signal);
      return stored;
    } finally {
      await file.close();
    }
  }

  read(key: string, limitBytes: number, signal: AbortSignal): Promise<string | null> {
    return nullIfRefused(async () => {
      const pieces: Uint8Array[] = [];
      let sizeBytes = 0;
      for await (const piece of await this.#get(key, signal)) {
        pieces.push(piece);
        sizeBytes += piece.byteLength;
        if (sizeBytes > limitBytes) return null;
      }
      return Buffer.concat(pieces).toString('utf8');
    });
  }

  async holds(key: string, expected: Digest, signal: AbortSignal): Promise<boolean> {
    const digest = await nullIfRefused<Digest | null>(async () => {
      const link = await this.#signGet(key);
      const { sizeBytes, etagMd5 } = await this.#links.probe(link, signal);
      if (sizeBytes !== expected.sizeBytes) return null;
      return etagMd5 === null ? this.#links.hash(link, signal) : { sizeBytes, md5: etagMd5 };
    });
    return digest !== null && isSameDigest(digest, expected);
  }

  async open(key: string, expected: Digest, signal: AbortSignal): Promise<FileHandle | null> {
    const spooled = await nullIfRefused(async () => this.#spool(await this.#get(key, signal), signal));
    if (spooled === null) return null;
    const { file, digest } = spooled;
    if (isSameDigest(digest, expected)) return file;
    await file.close();
    return null;
  }

  async remove(key: string, owner: string, signal: AbortSignal): Promise<void> {
    await this.#bucket.removeOwned(key, owner, signal);
    await this.#bucket.removeOwned(receiptName(key), owner, signal);
  }

  async removeParts(): Promise<void> {
    // Killed processes leave nothing behind here: the spool file has no name, and an object appears only when it is complete.
  }

  /** @returns whether there is no object yet. @throws Failure FRAME_TAKEN if there is one that the owner did not write */
  async #isFree(key: string, owner: string, signal: AbortSignal): Promise<boolean> {
    const existing = await this.#bucket.ownerOf(key, signal);
    if (existing !== null && existing.owner !== owner) throw frameTaken();
    return existing === null;
  }

  async #put(
    key: string,
    body: () => AsyncIterable<Uint8Array>,
    head: PutHead & { readonly owner: string },
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#links.put(await this.#bucket.signPut(key, LINK_TTL_MS), body, head, signal);
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'FileAlreadyExists') throw error;
      // Either somebody else was faster, or the answer to our own PUT was lost and it was sent again.
      await this.#isFree(key, head.owner, signal);
      await this.#links.put(await this.#bucket.signPut(key, LINK_TTL_MS), body, { ...head, ifAbsent: false }, signal);
    }
  }

  #signGet(key: string): Promise<string> {
    const { name, region } = this.#bucket;
    return this.#bucket.signGet({ bucket: name, region, key }, LINK_TTL_MS);
  }

  async #get(key: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    return this.#links.get(await this.#signGet(key), signal);
  }

  async #spool(pieces: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Spooled> {
    const folder = { path: await this.#spoolDir(), kind: 'frames' } as const;
    return spool(untilAborted(pieces, signal), folder, checkFrameSize);
  }
}

/**
 * Null if the object is missing or the account's keys lack permission to read it. Other failures may be temporary, and are
 * thrown.
 */
async function nullIfRefused<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Failure && isPermanentRefusal(error)) return null;
    throw error;
  }
}

async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
