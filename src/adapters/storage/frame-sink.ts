/**
 * Stores BestFrame and, next to it, the receipt of the decision.
 *
 * What must hold:
 * 1. A frame is complete with the right MD5, or absent.
 * 2. Every attempt stores the frame under the same name, so a repeated attempt replaces it.
 * 3. Only what the verification itself wrote is replaced or deleted.
 * 4. A receipt is valid only next to exactly its frame.
 * 5. Nothing outside the folder and the company's own buckets is written, read or removed.
 */
import { readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CODES } from '../../domain/errors/index.ts';
import { isWalled, tenantSubfolder } from '../../domain/operations/tenants.ts';
import type { Bucket, FramePlace, FrameSink, LinkIo } from '../../domain/ports.ts';
import { type FrameReceipt, RECEIPT_SUFFIX } from '../../domain/verification/frame-receipt.ts';
import { TENANT_PATTERN } from '../../domain/verification/names.ts';
import type { StoredFrame } from '../../domain/verification/outcomes.ts';
import type { FrameTarget } from '../../domain/verification/request.ts';
import type { Transport } from '../http/transport.ts';
import { diskFailure, isMissing } from './disk.ts';
import { FrameBucket } from './frame-bucket.ts';
import { FrameFolder, isPlainName } from './frame-folder.ts';
import { type FrameStore, MAX_RECEIPT_BYTES, parseReceipt, receiptName, sinkFailure } from './frame-store.ts';
import { createLinkIo } from './link-io.ts';
import { readRange } from './read-file.ts';

export interface FrameSinkOptions {
  /** Folder of the frames. Created if it is missing, for its owner only. */
  readonly dir: string;
  /** The company's own buckets, by region. */
  readonly buckets: ReadonlyMap<string, Bucket>;
  readonly transport: Transport;
}

export function createFrameSink(options: FrameSinkOptions): FrameSink {
  const places = new Places(options);
  return {
    async store({ id, tenant, target, frame, md5, receipt }, signal) {
      const place = places.forTarget({ id, tenant, target });
      if (place === null) throw noPlace(target);
      const receiptFor = ({ md5: stored, bytes }: StoredFrame) => {
        const full: FrameReceipt = { ...receipt, frame: { md5: stored, bytes } };
        return JSON.stringify(full);
      };
      const picture = { pieces: frame, md5: md5?.toLowerCase() ?? null, owner: id, receiptFor };
      return place.store.store(place.name, picture, signal);
    },

    async receipt(wanted, signal) {
      const place = places.forTarget(wanted);
      if (place === null) return null;
      const { store, name } = place;
      const receipt = parseReceipt(await store.read(receiptName(name), MAX_RECEIPT_BYTES, signal));
      if (receipt?.id !== wanted.id) return null;
      const { md5, bytes } = receipt.frame;
      if (!(await store.holds(name, { sizeBytes: bytes, md5 }, signal))) return null;
      return { receipt, stored: { path: store.pathOf(name), md5, bytes } };
    },

    receipts: (signal) => places.receipts(signal),

    pathFor(wanted) {
      const place = places.forTarget(wanted);
      return place === null ? null : place.store.pathOf(place.name);
    },

    async open({ path, md5, bytes: sizeBytes }, signal) {
      const { store, name } = places.forPath(path);
      const file = await store.open(name, { sizeBytes, md5 }, signal);
      if (file === null) return null;
      return { bytes: (from, to) => readRange(file, from, to), close: () => file.close() };
    },

    async remove({ path }, id, signal) {
      const { store, name } = places.forPath(path);
      await store.remove(name, id, signal);
    },

    async removeParts({ path }) {
      const { store, name } = places.forPath(path);
      await store.removeParts(name);
      await store.removeParts(receiptName(name));
    },
  };
}

interface Place {
  readonly store: FrameStore;
  readonly name: string;
}

/** Finds where a frame belongs: in the folder, or in one of the company's own buckets. */
class Places {
  readonly #dir: string;
  readonly #buckets: ReadonlyMap<string, Bucket>;
  readonly #links: LinkIo;
  readonly #folder: FrameFolder;
  /** The folders of tenants, by tenant. */
  readonly #folders = new Map<string, FrameFolder>();

  constructor({ dir, buckets, transport }: FrameSinkOptions) {
    this.#dir = dir;
    this.#buckets = buckets;
    this.#links = createLinkIo(transport);
    this.#folder = new FrameFolder(dir);
  }

  /** @returns null if no frame is wanted, or if the target's bucket is not configured. */
  forTarget({ id, tenant, target }: FramePlace): Place | null {
    switch (target.to) {
      case 'file':
        return { store: this.#folderOf(tenant), name: target.name ?? `${id}.jpg` };
      case 'cos': {
        const store = this.#bucketStore(target.region, target.bucket);
        return store === null ? null : { store, name: target.key };
      }
      case 'none':
        return null;
    }
  }

  /**
   * @param path as `store` returned it. @throws Failure NO_BUCKET or FRAME_ELSEWHERE if the path does not belong to this sink.
   */
  forPath(path: string): Place {
    const [, region, bucket = '', key = ''] = /^cos:([^/]+)\/([^/]+)\/(.+)$/s.exec(path) ?? [];
    if (region !== undefined) {
      const store = this.#bucketStore(region, bucket);
      if (store !== null) return { store, name: key };
      const message = `the frame lies in a bucket that is not configured for ${region}: it was not touched`;
      throw sinkFailure(CODES.NO_BUCKET, message);
    }
    const name = basename(path);
    const folder = this.#folderAt(resolve(dirname(path)));
    if (folder !== null && isPlainName(name)) return { store: folder, name };
    throw sinkFailure(
      CODES.FRAME_ELSEWHERE,
      'the frame does not lie in the configured frames folder: it was not touched',
    );
  }

  async *receipts(signal: AbortSignal): AsyncGenerator<{ path: string; receipt: FrameReceipt }> {
    const tenants = await listTenants(join(this.#dir, tenantSubfolder('')));
    for (const folder of [this.#folder, ...tenants.map((tenant) => this.#folderOf(tenant))]) {
      for await (const file of folder.names()) {
        if (!file.endsWith(RECEIPT_SUFFIX) || !isPlainName(file)) continue;
        signal.throwIfAborted();
        const receipt = parseReceipt(await folder.read(file, MAX_RECEIPT_BYTES));
        if (receipt !== null) yield { path: folder.pathOf(file.slice(0, -RECEIPT_SUFFIX.length)), receipt };
      }
    }
  }

  #folderOf(tenant: string | null): FrameFolder {
    if (!isWalled(tenant)) return this.#folder;
    const folder = this.#folders.get(tenant) ?? new FrameFolder(join(this.#dir, tenantSubfolder(tenant)));
    this.#folders.set(tenant, folder);
    return folder;
  }

  /** @returns null unless the folder is the frames folder, or the folder of a tenant in it. */
  #folderAt(dir: string): FrameFolder | null {
    if (dir === resolve(this.#dir)) return this.#folder;
    const tenant = basename(dir);
    const isTenants = TENANT_PATTERN.test(tenant) && dir === resolve(this.#dir, tenantSubfolder(tenant));
    return isTenants && isWalled(tenant) ? this.#folderOf(tenant) : null;
  }

  /** @returns null unless a bucket with this name is configured for the region. */
  #bucketStore(region: string, name: string): FrameStore | null {
    const bucket = this.#buckets.get(region);
    if (bucket?.name !== name) return null;
    const spoolDir = async () => {
      await this.#folder.prepare();
      return this.#dir;
    };
    return new FrameBucket({ bucket, links: this.#links, spoolDir });
  }
}

async function listTenants(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).filter((name) => TENANT_PATTERN.test(name));
  } catch (error) {
    if (isMissing(error)) return []; // no tenant has stored a frame
    throw diskFailure(error, 'frames');
  }
}

function noPlace(target: FrameTarget): Error {
  if (target.to !== 'cos') return new Error('a frame was downloaded although its target is none');
  const message = `frame.bucket is not the bucket configured for ${target.region}: use that one, or a file`;
  return sinkFailure(CODES.NO_BUCKET, message, 'frame.bucket');
}
