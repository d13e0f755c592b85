/** Bytes that are counted and hashed on their way. */
import { createHash } from 'node:crypto';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import { HEAD_BYTES } from './content.ts';

export interface Digest {
  readonly sizeBytes: number;
  /** 32 hex digits. */
  readonly md5: string;
}

/** Collects size, MD5 and first bytes of what passes. */
export class Hasher {
  readonly #md5 = createHash('md5');
  readonly #head: Uint8Array[] = [];
  #headBytes = 0;
  sizeBytes = 0;

  add(piece: Uint8Array): void {
    this.#md5.update(piece);
    this.sizeBytes += piece.byteLength;
    if (this.#headBytes < HEAD_BYTES) {
      const part = Buffer.from(piece.subarray(0, HEAD_BYTES - this.#headBytes));
      this.#head.push(part);
      this.#headBytes += part.byteLength;
    }
  }

  head(): Uint8Array {
    return Buffer.concat(this.#head);
  }

  digest(): Digest {
    return { sizeBytes: this.sizeBytes, md5: this.#md5.digest('hex') };
  }
}

/**
 * Passes bytes on, and fails with SOURCE_CHANGED unless they are the very bytes that were hashed before. The last piece is
 * held back until that is known: a receiver that was promised a length never gets a whole body of the wrong bytes.
 */
export async function* unchanged(pieces: AsyncIterable<Uint8Array>, expected: Digest): AsyncGenerator<Uint8Array> {
  const hasher = new Hasher();
  let held: Uint8Array | null = null;
  for await (const piece of pieces) {
    if (piece.byteLength === 0) continue;
    hasher.add(piece);
    if (hasher.sizeBytes > expected.sizeBytes) throw sourceChanged();
    if (held !== null) yield held;
    held = piece;
  }
  if (hasher.sizeBytes !== expected.sizeBytes || hasher.digest().md5 !== expected.md5) throw sourceChanged();
  if (held !== null) yield held;
}

export function sourceChanged(): Failure {
  const message =
    'the source changed while it was read: write files under another name and rename them when they are complete';
  return new Failure({ service: 'source', channel: 'local', code: CODES.SOURCE_CHANGED, sent: 'no' }, message);
}
