/** Reads an image's format and pixel size from its first bytes, as FaceID's engine does before it looks for faces. */

export interface Picture {
  readonly kind: 'jpeg' | 'png';
  readonly width: number;
  readonly height: number;
}

/** @param head the first bytes of an image. @returns null unless they are a JPEG or PNG header with a size. */
export function readPicture(head: Buffer): Picture | null {
  if (head.subarray(0, 8).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]))) {
    return head.length < 24 ? null : { kind: 'png', width: head.readUInt32BE(16), height: head.readUInt32BE(20) };
  }
  if (head[0] !== 0xff || head[1] !== 0xd8) return null;
  let at = 2;
  while (at + 9 < head.length) {
    const marker = head.readUInt16BE(at);
    // Start-of-frame markers. The markers DHT, JPG and DAC lie in the same range, but do not start a frame.
    if (marker >= 0xffc0 && marker <= 0xffcf && marker !== 0xffc4 && marker !== 0xffc8 && marker !== 0xffcc) {
      return { kind: 'jpeg', height: head.readUInt16BE(at + 5), width: head.readUInt16BE(at + 7) };
    }
    if (marker < 0xff00) return null;
    if (marker === 0xffff) {
      at += 1; // any number of fill bytes may precede a marker
      continue;
    }
    at += 2 + head.readUInt16BE(at + 2);
  }
  return null;
}

/** Whether a picture is complete, that is, contains its end marker. @param content all bytes of the picture. */
export function isWhole({ kind }: Picture, content: Buffer): boolean {
  return kind === 'png' ? endsPng(content) : endsJpeg(content);
}

function endsPng(content: Buffer): boolean {
  for (let at = 8; at + 12 <= content.length; at += 12 + content.readUInt32BE(at)) {
    if (content.toString('latin1', at + 4, at + 8) === 'IEND') return true;
  }
  return false;
}

function endsJpeg(content: Buffer): boolean {
  let at = 2;
  for (;;) {
    at = content.indexOf(0xff, at);
    const marker = content[at + 1];
    if (at < 0 || marker === undefined) return false;
    if (marker === 0xd9) return true;
    const standsAlone = marker < 0x02 || (marker >= 0xd0 && marker <= 0xd8);
    if (marker === 0xff) at += 1;
    else if (standsAlone) at += 2;
    else if (at + 4 > content.length) return false;
    else at += 2 + content.readUInt16BE(at + 2);
  }
}

/** Whether the bytes are printable ASCII, such as Base64 sent in place of binary data. */
export function isText(head: Buffer): boolean {
  return head.length > 0 && /^[\x20-\x7e\r\n\t]+$/.test(head.toString('latin1'));
}
