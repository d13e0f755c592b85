/** Reads an open file by position, so that one descriptor can be read any number of times. */
import type { FileHandle } from 'node:fs/promises';

/** Small on purpose: a stream holds two pieces in memory, however large the file is. */
const PIECE_BYTES = 64 * 1024;

export function readAll(file: FileHandle): AsyncGenerator<Uint8Array> {
  return readRange(file, 0, Number.MAX_SAFE_INTEGER - 1);
}

/** @param from offset of the first byte. @param to offset of the last byte. */
export async function* readRange(file: FileHandle, from: number, to: number): AsyncGenerator<Uint8Array> {
  for (let position = from; position <= to; ) {
    const wanted = Math.min(PIECE_BYTES, to + 1 - position);
    const buffer = Buffer.allocUnsafeSlow(wanted);
    const { bytesRead } = await file.read(buffer, 0, wanted, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
