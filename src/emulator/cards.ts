/**
 * Test cards: what FaceID answers is in the liveness package or video itself, as with the card numbers of a payment
 * sandbox. A package without a card is answered like `match`, so that one's own files go through.
 */
import { createGunzip } from 'node:zlib';
import { z } from 'zod';

export interface Outcome {
  /** `Success`, or the code that FaceID answers. */
  readonly result: string;
  /** 0–100. */
  readonly similarity: number;
  readonly what: string;
}

export const CARDS: Readonly<Record<string, Outcome>> = {
  match: { result: 'Success', similarity: 92.61, what: 'a live person, the one in the photo' },
  lowSimilarity: { result: 'Success', similarity: 41.27, what: 'a live person, another one than in the photo' },
  compareLowSimilarity: {
    result: 'FailedOperation.CompareLowSimilarity',
    similarity: 0,
    what: 'the same, said by code',
  },
  spoof: { result: 'FailedOperation.LivessDetectFake', similarity: 0, what: 'a recording of a recording' },
  screenReplay: {
    result: 'FailedOperation.SilentPictureLiveFail',
    similarity: 0,
    what: 'a picture held to the camera',
  },
  notLive: { result: 'FailedOperation.SilentThreshold', similarity: 0, what: 'liveness below the standard' },
  badLight: { result: 'FailedOperation.ActionLightDark', similarity: 0, what: 'too dark' },
  strongLight: { result: 'FailedOperation.ActionLightStrong', similarity: 0, what: 'too bright' },
  noFace: { result: 'FailedOperation.SilentFaceDetectFail', similarity: 0, what: 'no face in the picture' },
  manyFaces: { result: 'FailedOperation.SilentMultiFaceFail', similarity: 0, what: 'more than one face' },
  poorFace: { result: 'FailedOperation.SilentFaceQualityFail', similarity: 0, what: 'a face of low quality' },
  blurred: { result: 'FailedOperation.ImageBlur', similarity: 0, what: 'a blurred picture' },
  poorPhoto: { result: 'InternalError.LifePhotoPoorQuality', similarity: 0, what: 'a photo of too low resolution' },
  engineFault: { result: 'FailedOperation.LivessSystemError', similarity: 0, what: 'FaceID’s engine fails, always' },
};

const times = z.int().min(0).exactOptional();
const code = z.string().regex(/^[A-Z][A-Za-z]*(\.[A-Z][A-Za-z]*)*$/);

const cardSchema = z.strictObject({
  /** A name from the table, or any code. */
  card: z.union([z.enum(Object.keys(CARDS)), code]),
  similarity: z.number().min(0).max(100).exactOptional(),
  /** Tells packages apart that are otherwise the same. */
  nonce: z.string().exactOptional(),
  /** Which channel says a code that is not Success; default `result`. */
  channel: z.enum(['result', 'error']).exactOptional(),
  /** What goes wrong with the first calls for this package. */
  first: z
    .strictObject({
      /** FaceID cannot read the links so many times: DownLoadError. */
      unreadable: times,
      /** Somebody overwrites the object just before FaceID reads it, so many times: MD5 Error. */
      overwritten: times,
      throttled: times,
      /** So many times this code. */
      error: z.strictObject({ code, times: z.int().min(0) }).exactOptional(),
    })
    .exactOptional(),
  /** The answer takes so much longer. */
  slowMs: z.number().min(0).exactOptional(),
});

export type Card = z.infer<typeof cardSchema>;

const MARK = 'bestframe-card ';
const LOOK_BYTES = 8_192;

export function cardText(card: Card): string {
  return `${MARK}${JSON.stringify(card)}\n`;
}

/**
 * @param head the first bytes of a package, video or device data.
 * @returns null for a card that is misspelt: it must not pass for `match`.
 */
export async function readCard(head: Buffer): Promise<Card | null> {
  const text = await readable(head);
  const from = text.indexOf(MARK);
  if (from < 0) return { card: 'match' };
  const [line = ''] = text.slice(from + MARK.length).split('\n', 1);
  try {
    return cardSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

/** Base64 text without what it stands for would have no card that could be read. */
async function readable(head: Buffer): Promise<string> {
  if (head[0] === 0x1f && head[1] === 0x8b) return inflated(head);
  const text = head.toString('latin1');
  return isBase64(text) ? Buffer.from(text, 'base64').toString('latin1') : text;
}

export function isBase64(text: string): boolean {
  return /^[A-Za-z0-9+/\s]+={0,2}$/.test(text.trimEnd());
}

/** As much of the package as its first bytes give. */
function inflated(head: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const gunzip = createGunzip();
    const pieces: Buffer[] = [];
    let length = 0;
    const done = () => {
      gunzip.destroy();
      resolve(Buffer.concat(pieces).toString('latin1'));
    };
    gunzip.on('data', (piece: Buffer) => {
      pieces.push(piece);
      length += piece.length;
      if (length > LOOK_BYTES) done();
    });
    gunzip.on('end', done).on('error', done); // a head ends in the middle: that is no error here
    gunzip.end(head);
  });
}

export function outcomeOf(card: Card): Outcome {
  const named = CARDS[card.card] ?? { result: card.card, similarity: 0, what: '' };
  return { ...named, similarity: card.similarity ?? named.similarity };
}
