/** A place where frames lie, each with its receipt: a folder, a bucket. And what each holds a picture to. */
import type { FileHandle } from 'node:fs/promises';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { StoredFrame } from '../domain/outcomes.ts';
import { abortFailure } from '../transport/abort.ts';
import type { Digest } from './hashing.ts';

export type Pieces = AsyncIterable<Uint8Array>;

export interface ToShelve {
  readonly pieces: Pieces;
  /** 32 hex digits, or null where nobody knows. */
  readonly md5: string | null;
  readonly contentType: string;
}

/** Names are plain file names, or keys. */
export interface Shelf {
  /** Whole and right, in place of what was there, or not at all. */
  write(name: string, what: ToShelve, signal: AbortSignal): Promise<StoredFrame>;
  /** A text of at most `limitBytes`; null where there is none, or none that can be read. */
  read(name: string, limitBytes: number, signal: AbortSignal): Promise<string | null>;
  /** Whether these very bytes lie there. */
  holds(name: string, bytes: Digest, signal: AbortSignal): Promise<boolean>;
  /** These very bytes, open to be read; null where they do not lie there. The caller closes the file. */
  open(name: string, bytes: Digest, signal: AbortSignal): Promise<FileHandle | null>;
  /** Confirmed. What is away already is fine. */
  remove(name: string, signal: AbortSignal): Promise<void>;
  /** What killed processes left of it half written. */
  removeParts(name: string): Promise<void>;
  /** As `write` tells it. */
  pathOf(name: string): string;
}

/** A guard against a link that yields anything but a picture. */
const MAX_FRAME_BYTES = 32 * 1024 * 1024;

export function checkSize(sizeBytes: number): void {
  if (sizeBytes <= MAX_FRAME_BYTES) return;
  throw sinkFailure(CODES.MALFORMED_REPLY, 'the link yields more bytes than any picture has: it was not stored');
}

export function checkDigest({ sizeBytes, md5 }: Digest, expected: string | null): void {
  if (sizeBytes === 0) throw sinkFailure(CODES.FRAME_MISSING, 'the picture is empty: there is none under this link');
  if (expected === null || expected === md5) return;
  throw sinkFailure(
    CODES.FRAME_MD5_MISMATCH,
    'the picture does not have the MD5 that the vendor gave: it will be fetched again',
  );
}

export async function* limitedBy(signal: AbortSignal, pieces: Pieces): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    if (signal.aborted) throw abortFailure(signal, 'maybe');
    yield piece;
  }
}

export function sinkFailure(code: string, message: string, field?: string): Failure {
  return new Failure(
    { service: 'sink', channel: 'local', code, sent: 'no', ...(field === undefined ? {} : { field }) },
    message,
  );
}
