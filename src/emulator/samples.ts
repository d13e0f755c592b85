/**
 * Sample inputs for the demo, the tests and users' own CI: liveness packages, videos and device data that carry a test
 * card, and a photo of a drawn face.
 */
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type Card, cardText } from './cards.ts';
import { FACE } from './face.ts';

export type { Card } from './cards.ts';

export type SampleOptions = Card & {
  /** Number of random bytes to append, so that the sample has a realistic size. */
  readonly padBytes?: number;
};

/** A gzip package, like the one that the SDK on the phone creates. */
export function sampleLiveData({ padBytes = 20_000, ...card }: SampleOptions): Buffer {
  return gzipSync(Buffer.concat([Buffer.from(cardText(card)), randomBytes(padBytes)]), { level: 1 });
}

/** An MP4 without pictures: a file type box, then a free-space box that holds the card. */
export function sampleVideo({ padBytes = 20_000, ...card }: SampleOptions): Buffer {
  const brand = Buffer.concat([Buffer.from('isom'), Buffer.alloc(4), Buffer.from('isommp42')]);
  return Buffer.concat([
    box('ftyp', brand),
    box('free', Buffer.from(cardText(card))),
    box('mdat', randomBytes(padBytes)),
  ]);
}

/** Device data as Base64 text, as the SDK on the phone returns it before a liveness check. */
export function sampleDeviceData({ padBytes = 1_500, ...card }: SampleOptions): Buffer {
  return Buffer.from(Buffer.concat([Buffer.from(cardText(card)), randomBytes(padBytes)]).toString('base64'));
}

/**
 * A JPEG of a drawn face.
 * @param nonce makes this sample's bytes differ from other samples.
 * @param card makes the picture one about which DetectAIFakeFaces answers as the card says.
 */
export function sampleImage(nonce = randomBytes(8).toString('hex'), card?: Card['card']): Buffer {
  const comment = Buffer.from(card === undefined ? `bestframe ${nonce}` : cardText({ card, nonce }));
  const segment = Buffer.alloc(4);
  segment.writeUInt16BE(0xfffe, 0);
  segment.writeUInt16BE(comment.length + 2, 2);
  return Buffer.concat([FACE.subarray(0, 2), segment, comment, FACE.subarray(2)]);
}

function box(kind: string, content: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(content.length + 8, 0);
  head.write(kind, 4, 'latin1');
  return Buffer.concat([head, content]);
}
