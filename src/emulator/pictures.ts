/** What FaceID's engine sees of an image before it looks at faces: format and size in pixels. */

export interface Picture {
  readonly kind: 'jpeg' | 'png';
  readonly width: number;
  readonly height: number;
}

/** @param head the first bytes of an image. @returns null where it is no JPEG or PNG with a size. */
export function readPicture(head: Buffer): Picture | null {
  if (head.subarray(0, 8).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]))) {
    return head.length < 24 ? null : { kind: 'png', width: head.readUInt32BE(16), height: head.readUInt32BE(20) };
  }
  if (head[0] !== 0xff || head[1] !== 0xd8) return null;
  let at = 2;
  while (at + 9 < head.length) {
    const marker = head.readUInt16BE(at);
    // Frame headers but those of tables (DHT, JPG, DAC), which share their range.
    if (marker >= 0xffc0 && marker <= 0xffcf && marker !== 0xffc4 && marker !== 0xffc8 && marker !== 0xffcc) {
      return { kind: 'jpeg', height: head.readUInt16BE(at + 5), width: head.readUInt16BE(at + 7) };
    }
    if (marker < 0xff00) return null;
    if (marker === 0xffff) {
      at += 1; // any number of these may stand before a marker
      continue;
    }
    at += 2 + head.readUInt16BE(at + 2);
  }
  return null;
}

/** Text where bytes belong. */
export function isText(head: Buffer): boolean {
  return head.length > 0 && /^[\x20-\x7e\r\n\t]+$/.test(head.toString('latin1'));
}
