/** FaceID's own output in COS: BestFrames, light sequences, and the media of sessions. Each link to it lives for a limited time. */
import { hostOf } from './cos-hosts.ts';
import { createSignedLink } from './cos-signature.ts';
import type { ObjectStore, StoredObject } from './object-store.ts';
import { resultBucketName, VENDOR_CREDENTIALS } from './settings.ts';

export interface NewOutput {
  readonly key: string;
  readonly content: Buffer;
  readonly contentType: string;
}

/** An object of FaceID's. */
export type Output = Pick<StoredObject, 'bucket' | 'key' | 'md5' | 'sizeBytes'>;

export class OutputStore {
  readonly #objects: ObjectStore;
  /** The vendor's clock. */
  readonly #now: () => number;

  constructor(objects: ObjectStore, now: () => number) {
    this.#objects = objects;
    this.#now = now;
  }

  put(region: string, output: NewOutput): Promise<Output> {
    return this.#objects.put({ bucket: resultBucketName(region), ...output });
  }

  /** A link that lives from now. Its host differs from the inputs' hosts, as the documentation allows. */
  link({ bucket, key }: Output, region: string, ttlMs: number): string {
    const validFrom = this.#now();
    const host = hostOf({ bucket, region });
    const validUntil = validFrom + ttlMs;
    return createSignedLink({ method: 'GET', host, key, credentials: VENDOR_CREDENTIALS, validFrom, validUntil });
  }

  /** @returns null if somebody removed the object. */
  async base64({ bucket, key }: Output): Promise<string | null> {
    const stored = this.#objects.get(bucket, key);
    const content = stored === undefined ? null : await this.#objects.stream(stored);
    return content === null ? null : Buffer.concat(await content.toArray()).toString('base64');
  }
}
