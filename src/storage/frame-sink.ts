/**
 * Where BestFrame ends up, with its receipt beside it.
 *
 * 1. A frame is there whole, with the right MD5, or not at all.
 * 2. The name is the same for every attempt, so that a repeated one replaces, and never multiplies.
 * 3. A receipt is written when its frame is in place, and counts only beside that very frame.
 * 4. Nothing is written, read or removed outside the folder and the own buckets.
 */
import { basename, dirname, resolve } from 'node:path';
import { CODES } from '../domain/errors/index.ts';
import type { Bucket, FrameSink } from '../domain/ports.ts';
import { type FrameReceipt, frameReceipt, RECEIPT_ENDING } from '../domain/receipt.ts';
import type { FrameTarget } from '../domain/verification.ts';
import { createLinkIo } from '../transport/link-io.ts';
import type { Transport } from '../transport/transport.ts';
import { frameBucket } from './frame-bucket.ts';
import { frameFolder, isPlainName } from './frame-folder.ts';
import { readPart } from './reading.ts';
import { type Pieces, type Shelf, sinkFailure } from './shelf.ts';

export interface FrameSinkOptions {
  /** Folder of the frames; made where it is missing, for its owner only. */
  readonly dir: string;
  /** By region. */
  readonly buckets: ReadonlyMap<string, Bucket>;
  readonly transport: Transport;
}

interface Place {
  readonly shelf: Shelf;
  readonly name: string;
}

const MAX_RECEIPT_BYTES = 4 * 1024;

export function createFrameSink({ dir, buckets, transport }: FrameSinkOptions): FrameSink {
  const links = createLinkIo(transport);
  const folder = frameFolder(dir);

  async function spoolDir(): Promise<string> {
    await folder.prepare();
    return dir;
  }

  /** @returns null where it is not the one that is configured. */
  function shelfIn(region: string, name: string): Shelf | null {
    const bucket = buckets.get(region);
    return bucket?.name === name ? frameBucket({ bucket, links, spoolDir }) : null;
  }

  /** @returns null where nobody wants a frame, or where it cannot go. */
  function placeOf(id: string, target: FrameTarget): Place | null {
    switch (target.to) {
      case 'file':
        return { shelf: folder, name: target.name ?? `${id}.jpg` };
      case 'cos': {
        const shelf = shelfIn(target.region, target.bucket);
        return shelf === null ? null : { shelf, name: target.key };
      }
      case 'none':
        return null;
    }
  }

  return {
    async store(id, target, frame, md5, receipt, signal) {
      const place = placeOf(id, target);
      if (place === null) throw nowhere(target);
      const { shelf, name } = place;
      const picture = { pieces: frame, md5: md5?.toLowerCase() ?? null, contentType: 'image/jpeg' };
      const stored = await shelf.write(name, picture, signal);
      const whole: FrameReceipt = { ...receipt, frame: { md5: stored.md5, bytes: stored.bytes } };
      const text = { pieces: once(JSON.stringify(whole)), md5: null, contentType: 'application/json' };
      await shelf.write(receiptOf(name), text, signal);
      return stored;
    },

    async receipt(id, target, signal) {
      const place = placeOf(id, target);
      if (place === null) return null;
      const { shelf, name } = place;
      const receipt = parseReceipt(await shelf.read(receiptOf(name), MAX_RECEIPT_BYTES, signal));
      if (receipt?.id !== id) return null;
      const { md5, bytes } = receipt.frame;
      if (!(await shelf.holds(name, { sizeBytes: bytes, md5 }, signal))) return null;
      return { receipt, stored: { path: shelf.pathOf(name), md5, bytes } };
    },

    pathFor(id, target) {
      const place = placeOf(id, target);
      return place === null ? null : place.shelf.pathOf(place.name);
    },

    async open({ path, md5, bytes: sizeBytes }, signal) {
      const { shelf, name } = placeAt(path);
      const file = await shelf.open(name, { sizeBytes, md5 }, signal);
      if (file === null) return null;
      return { bytes: (from, to) => readPart(file, from, to), close: () => file.close() };
    },

    async remove({ path }, signal) {
      const { shelf, name } = placeAt(path);
      await shelf.remove(name, signal);
      await shelf.remove(receiptOf(name), signal);
    },

    async removeParts({ path }) {
      const { shelf, name } = placeAt(path);
      await shelf.removeParts(name);
      await shelf.removeParts(receiptOf(name));
    },
  };

  /** Where `store` said that it is. */
  function placeAt(path: string): Place {
    const [, region, bucket = '', key = ''] = /^cos:([^/]+)\/([^/]+)\/(.+)$/s.exec(path) ?? [];
    if (region !== undefined) {
      const shelf = shelfIn(region, bucket);
      if (shelf !== null) return { shelf, name: key };
      const message = `the frame lies in a bucket that is not the one configured for ${region}: it was not touched`;
      throw sinkFailure(CODES.NO_BUCKET, message);
    }
    const name = basename(path);
    if (resolve(dirname(path)) === resolve(dir) && isPlainName(name)) return { shelf: folder, name };
    throw sinkFailure(CODES.FRAME_ELSEWHERE, 'the frame does not lie in this frames folder: it was not touched');
  }
}

function nowhere(target: FrameTarget): Error {
  if (target.to !== 'cos') return new Error('a frame that nobody wants was downloaded');
  const message = `frame.bucket is not the bucket that is configured for ${target.region}: use that one, or a file`;
  return sinkFailure(CODES.NO_BUCKET, message, 'frame.bucket');
}

function receiptOf(name: string): string {
  return `${name}${RECEIPT_ENDING}`;
}

/** Whoever can write beside frames may have written anything. */
function parseReceipt(text: string | null): FrameReceipt | null {
  try {
    return frameReceipt.safeParse(JSON.parse(text ?? 'null')).data ?? null;
  } catch {
    return null; // no JSON, so no receipt
  }
}

async function* once(text: string): Pieces {
  yield Buffer.from(text);
}
