/** Reads an open file from end to end by position, so that one descriptor serves any number of passes. */
import type { FileHandle } from 'node:fs/promises';

/** Small on purpose: this, times two, is what a stream holds in memory, however large the file is. */
const PIECE_BYTES = 64 * 1024;

export async function* readAll(file: FileHandle): AsyncGenerator<Uint8Array> {
  for (let position = 0; ; ) {
    const buffer = Buffer.allocUnsafeSlow(PIECE_BYTES);
    const { bytesRead } = await file.read(buffer, 0, PIECE_BYTES, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
