/** Samples that FaceID can open but that show no face: a gzip of a sentence, and a grey PNG. */
import { crc32, deflateSync, gzipSync } from 'node:zlib';

const SIDE = 96;

export function sampleLiveData(): Buffer {
  return gzipSync('bestframe doctor: a test of links, without a face\n'.repeat(20));
}

/** Neither a video nor device data. */
export function sampleText(): Buffer {
  return Buffer.from('bestframe doctor: no video, and no device data\n');
}

export function samplePhoto(): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(SIDE, 0);
  header.writeUInt32BE(SIDE, 4);
  header.set([8, 0, 0, 0, 0], 8); // 8-bit greyscale, no interlacing
  const rows = Buffer.alloc(SIDE * (SIDE + 1), 0x80);
  for (let row = 0; row < SIDE; row += 1) rows[row * (SIDE + 1)] = 0; // no filter
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(data.length, 0);
  ends.writeUInt32BE(crc32(typed), 4);
  return Buffer.concat([ends.subarray(0, 4), typed, ends.subarray(4)]);
}
