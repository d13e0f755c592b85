/**
 * Frames as objects of the own bucket. Bytes lie in a private file without a name until all of them are there and have the
 * right MD5. What is removed is removed with all its versions.
 */
import { Failure } from '../domain/failure.ts';
import type { Bucket, LinkIo } from '../domain/ports.ts';
import { isRefusal } from '../transport/cos-answers.ts';
import type { Digest } from './hashing.ts';
import { readAll } from './reading.ts';
import { checkDigest, checkSize, limitedBy, type Shelf } from './shelf.ts';
import { spool } from './spool.ts';

export interface FrameBucketOptions {
  readonly bucket: Bucket;
  readonly links: LinkIo;
  /** A folder to keep bytes in meanwhile. */
  spoolDir(): Promise<string>;
}

const LINK_MS = 10 * 60_000;

export function frameBucket({ bucket, links, spoolDir }: FrameBucketOptions): Shelf {
  const { name: bucketName, region } = bucket;
  const pathOf = (key: string) => `cos:${region}/${bucketName}/${key}`;
  const getLink = (key: string) => bucket.signGet({ bucket: bucketName, region, key }, LINK_MS);

  return {
    pathOf,

    async write(key, { pieces, md5, contentType }, signal) {
      const { file, digest } = await spool(limitedBy(signal, pieces), await spoolDir(), checkSize);
      try {
        checkDigest(digest, md5);
        const head = { sizeBytes: digest.sizeBytes, md5: digest.md5, contentType };
        await links.put(await bucket.signPut(key, LINK_MS), () => readAll(file), head, signal);
      } finally {
        await file.close();
      }
      return { path: pathOf(key), md5: digest.md5, bytes: digest.sizeBytes };
    },

    read(key, limitBytes, signal) {
      return unlessRefused(async () => {
        const kept: Uint8Array[] = [];
        let sizeBytes = 0;
        for await (const piece of await links.get(await getLink(key), signal)) {
          kept.push(piece);
          sizeBytes += piece.byteLength;
          if (sizeBytes > limitBytes) return null;
        }
        return Buffer.concat(kept).toString('utf8');
      });
    },

    async holds(key, { sizeBytes, md5 }, signal) {
      const seen = await unlessRefused<Digest | null>(async () => {
        const link = await getLink(key);
        const probe = await links.probe(link, signal);
        if (probe.sizeBytes !== sizeBytes) return null;
        return probe.etagMd5 === null ? links.hash(link, signal) : { sizeBytes, md5: probe.etagMd5 };
      });
      return seen !== null && seen.sizeBytes === sizeBytes && seen.md5 === md5;
    },

    async open(key, bytes, signal) {
      const spooled = await unlessRefused(async () => {
        const pieces = await links.get(await getLink(key), signal);
        return spool(limitedBy(signal, pieces), await spoolDir(), checkSize);
      });
      if (spooled === null) return null;
      const { file, digest } = spooled;
      if (digest.sizeBytes === bytes.sizeBytes && digest.md5 === bytes.md5) return file;
      await file.close();
      return null;
    },

    /** By its key first: a list may be late with it. */
    async remove(key, signal) {
      await bucket.remove(key, signal);
      await bucket.removeVersions(key, signal);
    },

    async removeParts() {
      // There are none: a file that is spooled has no name, and an object is seen whole.
    },
  };
}

/** What is not there, or refused to these keys, counts for nothing; whatever else goes wrong may pass. */
async function unlessRefused<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Failure && isRefusal(error)) return null;
    throw error;
  }
}
