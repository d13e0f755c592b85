/**
 * The interface of a place that stores frames and their receipts (a folder, a bucket), and the checks that all such places share.
 */
import type { FileHandle } from 'node:fs/promises';
import { type Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { type FrameReceipt, frameReceipt, RECEIPT_SUFFIX } from '../../domain/verification/frame-receipt.ts';
import type { StoredFrame } from '../../domain/verification/outcomes.ts';
import { abortFailure } from '../http/abort-failure.ts';
import type { Digest } from './hashing.ts';

export interface NewPicture {
  readonly pieces: AsyncIterable<Uint8Array>;
  /** 32 hex digits, or null if unknown. */
  readonly md5: string | null;
  /** Id of the verification that stores the frame. */
  readonly owner: string;
  /** The text of the receipt. */
  receiptFor(stored: StoredFrame): string;
}

/** Names are plain file names or object keys. */
export interface FrameStore {
  /**
   * Stores a frame completely and verified, or not at all, with its receipt. Replaces only what the owner wrote.
   * @throws Failure FRAME_TAKEN if anything else has the name of the frame or of its receipt
   */
  store(name: string, picture: NewPicture, signal: AbortSignal): Promise<StoredFrame>;
  /** Reads an entry as text, at most `limitBytes`. Null if the entry is missing, unreadable or longer. */
  read(name: string, limitBytes: number, signal: AbortSignal): Promise<string | null>;
  /** Whether the entry has exactly these bytes. */
  holds(name: string, bytes: Digest, signal: AbortSignal): Promise<boolean>;
  /** Opens the entry for reading; null unless it has exactly these bytes. The caller closes the file. */
  open(name: string, bytes: Digest, signal: AbortSignal): Promise<FileHandle | null>;
  /** Removes the frame and its receipt, if the owner wrote them, and confirms it. */
  remove(name: string, owner: string, signal: AbortSignal): Promise<void>;
  /** Removes partial files of the entry that killed processes left behind. */
  removeParts(name: string): Promise<void>;
  /** The path that `write` returns. */
  pathOf(name: string): string;
}

export const MAX_RECEIPT_BYTES = 4 * 1024;

/** Guards against a link that yields something other than a picture. */
const MAX_FRAME_BYTES = 32 * 1024 * 1024;

export function checkFrameSize(sizeBytes: number): void {
  if (sizeBytes <= MAX_FRAME_BYTES) return;
  throw sinkFailure(CODES.MALFORMED_REPLY, 'the link yields more bytes than a picture can have: it was not stored');
}

export function checkFrameDigest({ sizeBytes, md5 }: Digest, expectedMd5: string | null): void {
  if (sizeBytes === 0) throw sinkFailure(CODES.FRAME_MISSING, 'the link yields an empty picture: nothing was stored');
  if (expectedMd5 === null || expectedMd5 === md5) return;
  const message = 'the picture does not have the MD5 that the vendor gave: it will be downloaded again';
  throw sinkFailure(CODES.FRAME_MD5_MISMATCH, message);
}

export function receiptName(name: string): string {
  return `${name}${RECEIPT_SUFFIX}`;
}

/** Null if the text is not a receipt: other programs may write to the folder or the bucket too. */
export function parseReceipt(text: string | null): FrameReceipt | null {
  try {
    return frameReceipt.safeParse(JSON.parse(text ?? 'null')).data ?? null;
  } catch {
    return null; // not JSON
  }
}

export function frameTaken(): Failure {
  const message =
    'something that this verification did not write has the name of its frame: it was not replaced, give another name';
  return sinkFailure(CODES.FRAME_TAKEN, message, 'frame');
}

/** Passes pieces on. Throws when the signal fires. */
export async function* untilAborted(
  pieces: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    if (signal.aborted) throw abortFailure(signal, 'maybe');
    yield piece;
  }
}

export function sinkFailure(code: string, message: string, field?: string): Failure {
  return localFailure(code, message, { service: 'sink', ...(field === undefined ? {} : { field }) });
}
