/**
 * Follows the structure of a resource to its end while it streams. A resource that was truncated in transit is thus found before
 * a paid call.
 *
 * What must hold:
 * 1. Memory does not grow with the resource, nor with the unpacked size of a package.
 * 2. Bytes after the end are no problem: cameras and archivers append some.
 */
import { createGunzip, type Gunzip } from 'node:zlib';
import type { Structure } from './content-formats.ts';

/** What is wrong with a resource. Each value completes the sentence "the resource …". */
export type Damage = 'ends too early' | 'is damaged' | 'unpacks to too much';

export interface Walk {
  /** Processes the next bytes of the resource. */
  add(piece: Uint8Array): void | Promise<void>;
  /** Called after the last byte. @returns null if the resource is complete. */
  end(): Damage | null | Promise<Damage | null>;
  /** Frees what the walk has allocated. Idempotent. */
  close(): void;
}

/** Content that unpacks to more is no liveness package: a package contains pictures, which hardly compress. */
export const MAX_UNPACKED_BYTES = 512 * 1024 * 1024;

export function walkOf(structure: Structure): Walk {
  switch (structure) {
    case 'gzip':
      return new GzipWalk();
    case 'jpeg':
      return new ByteWalk(jpegSteps());
    case 'png':
      return new ByteWalk(pngSteps());
    case 'mp4':
      return new ByteWalk(mp4Steps());
  }
}

/**
 * zlib's default of 16 KiB makes at least four pieces of each piece that is read, and each piece is a task of its own for a thread.
 */
const UNPACKED_PIECE_BYTES = 128 * 1024;

/** Unpacks a package and keeps nothing: zlib checks structure, CRC and length. */
class GzipWalk implements Walk {
  readonly #gunzip: Gunzip = createGunzip({ chunkSize: UNPACKED_PIECE_BYTES });
  readonly #closed: Promise<void>;
  #unpackedBytes = 0;
  #damage: Damage | null = null;

  constructor() {
    this.#closed = new Promise((resolve) => this.#gunzip.once('close', resolve));
    this.#gunzip.on('data', (piece: Buffer) => {
      this.#unpackedBytes += piece.byteLength;
      if (this.#unpackedBytes <= MAX_UNPACKED_BYTES) return;
      this.#damage ??= 'unpacks to too much';
      this.#gunzip.destroy();
    });
    this.#gunzip.on('error', (error: NodeJS.ErrnoException) => {
      // The package is complete. Bytes that do not start with a gzip header were appended to it, and do no harm.
      if (error.message === 'incorrect header check') return;
      this.#damage ??= error.code === 'Z_BUF_ERROR' ? 'ends too early' : 'is damaged';
    });
  }

  async add(piece: Uint8Array): Promise<void> {
    if (this.#gunzip.destroyed) return;
    // After an error, zlib does not call back: the stream just closes.
    await Promise.race([new Promise<void>((resolve) => this.#gunzip.write(piece, () => resolve())), this.#closed]);
  }

  async end(): Promise<Damage | null> {
    if (!this.#gunzip.destroyed) this.#gunzip.end();
    await this.#closed;
    return this.#damage;
  }

  close(): void {
    this.#gunzip.destroy();
  }
}

/**
 * What to do next. `skip`: skip this many bytes. `read`: collect this many bytes. `find`: skip bytes up to and including the
 * first one with this value. `mayEnd`: the resource may also end here.
 */
type Step = { readonly skip: number } | { readonly read: number; readonly mayEnd?: true } | { readonly find: number };
/** Yields steps, and receives the bytes of each `read` step. Returns when the resource is complete. */
type Steps = Generator<Step, void, Buffer>;

function* jpegSteps(): Steps {
  yield { skip: 2 };
  for (;;) {
    yield { find: 0xff };
    let code = 0xff;
    while (code === 0xff) code = (yield { read: 1 }).readUInt8(0);
    if (code === 0xd9) return;
    // 0xff followed by 0 is a byte 0xff of the picture itself. 0xff followed by 1, or by d0 to d8, is a marker without content.
    if (code <= 1 || (code >= 0xd0 && code <= 0xd8)) continue;
    const length = (yield { read: 2 }).readUInt16BE(0);
    yield { skip: Math.max(0, length - 2) };
  }
}

function* pngSteps(): Steps {
  yield { skip: 8 };
  for (;;) {
    const header = yield { read: 8 };
    yield { skip: header.readUInt32BE(0) + 4 }; // content and CRC
    if (header.toString('latin1', 4, 8) === 'IEND') return;
  }
}

function* mp4Steps(): Steps {
  for (;;) {
    const header = yield { read: 8, mayEnd: true };
    const size = header.readUInt32BE(0);
    if (size === 1) {
      const largeSize = (yield { read: 8 }).readBigUInt64BE(0);
      if (largeSize < 16n || largeSize > Number.MAX_SAFE_INTEGER) return;
      yield { skip: Number(largeSize) - 16 };
      continue;
    }
    // A box of size 0 extends to the end. Any other bytes that are not a box were appended by an editor.
    if (size < 8 || !/^[\x20-\x7e]{4}$/.test(header.toString('latin1', 4, 8))) return;
    yield { skip: size - 8 };
  }
}

class ByteWalk implements Walk {
  readonly #steps: Steps;
  /** The current step. Undefined when the resource is complete. */
  #step: Step | undefined;
  #read: Buffer = Buffer.alloc(0);
  #skipped = 0;

  constructor(steps: Steps) {
    this.#steps = steps;
    this.#next();
  }

  add(piece: Uint8Array): void {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    for (let at = 0; at < bytes.length && this.#step !== undefined; ) at = this.#advance(this.#step, bytes, at);
  }

  end(): Damage | null {
    return this.#step === undefined || ('read' in this.#step && this.#step.mayEnd) ? null : 'ends too early';
  }

  close(): void {
    // There is nothing to free.
  }

  /** @returns the offset of the first byte that was not used. */
  #advance(step: Step, bytes: Buffer, at: number): number {
    if ('find' in step) {
      const found = bytes.indexOf(step.find, at);
      if (found < 0) return bytes.length;
      this.#next();
      return found + 1;
    }
    const wanted = 'skip' in step ? step.skip - this.#skipped : step.read - this.#read.length;
    const count = Math.min(wanted, bytes.length - at);
    if ('skip' in step) this.#skipped += count;
    else this.#read = Buffer.concat([this.#read, bytes.subarray(at, at + count)]);
    if (count === wanted) this.#next();
    return at + count;
  }

  #next(): void {
    const input = this.#read;
    this.#read = Buffer.alloc(0);
    this.#skipped = 0;
    let next = this.#steps.next(input);
    while (next.done !== true && 'skip' in next.value && next.value.skip === 0) next = this.#steps.next(input);
    this.#step = next.done === true ? undefined : next.value;
  }
}
