/** Reads an open file from end to end by position, so that one descriptor serves any number of passes. */
import type { FileHandle } from 'node:fs/promises';

/** Small on purpose: this, times two, is what a stream holds in memory, however large the file is. */
const PIECE_BYTES = 64 * 1024;

export function readAll(file: FileHandle): AsyncGenerator<Uint8Array> {
  return readPart(file, 0, Number.MAX_SAFE_INTEGER - 1);
}

/** @param from of the first byte, and @param to of the last. */
export async function* readPart(file: FileHandle, from: number, to: number): AsyncGenerator<Uint8Array> {
  for (let position = from; position <= to; ) {
    const wanted = Math.min(PIECE_BYTES, to + 1 - position);
    const buffer = Buffer.allocUnsafeSlow(wanted);
    const { bytesRead } = await file.read(buffer, 0, wanted, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
