/** Counts and hashes bytes while they stream. */
import { createHash } from 'node:crypto';
import { type Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';

export interface Digest {
  readonly sizeBytes: number;
  /** 32 hex digits. */
  readonly md5: string;
}

export function isSameDigest(one: Digest, other: Digest): boolean {
  return one.sizeBytes === other.sizeBytes && one.md5 === other.md5;
}

/** Collects size and MD5 of a stream. */
export class Hasher {
  readonly #md5 = createHash('md5');
  sizeBytes = 0;

  add(piece: Uint8Array): void {
    this.#md5.update(piece);
    this.sizeBytes += piece.byteLength;
  }

  digest(): Digest {
    return { sizeBytes: this.sizeBytes, md5: this.#md5.digest('hex') };
  }
}

/**
 * Passes bytes on, and fails with SOURCE_CHANGED unless they are the bytes that were hashed before. The last piece is held
 * back until the hash is verified, so a receiver that expects a length never gets a complete body of wrong bytes.
 */
export async function* verifyUnchanged(
  pieces: AsyncIterable<Uint8Array>,
  expected: Digest,
): AsyncGenerator<Uint8Array> {
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
    'the source changed while it was read: write files under a temporary name and rename them when they are complete';
  return localFailure(CODES.SOURCE_CHANGED, message, { service: 'source' });
}
