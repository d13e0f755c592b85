/**
 * Test cards: the input itself determines how the emulated FaceID answers, like the test card numbers of a payment sandbox. An
 * input without a card counts as `match`, so that users' own files pass.
 */
import { createGunzip } from 'node:zlib';
import { z } from 'zod';

export interface Outcome {
  /** `Success`, or FaceID's error code. */
  readonly result: string;
  /** 0–100. */
  readonly similarity: number;
  /** FaceID's `Description`, unless the result is `Success`. */
  readonly description: string;
}

export interface NamedCard extends Outcome {
  /** The result code of a session that ends with this card. */
  readonly sessionCode: string;
}

export const CARDS: Readonly<Record<string, NamedCard>> = {
  match: { result: 'Success', sessionCode: '0', similarity: 92.61, description: 'a live person, the one in the photo' },
  lowSimilarity: {
    result: 'Success',
    sessionCode: '2016',
    similarity: 41.27,
    description: 'a live person, but not the one in the photo',
  },
  compareLowSimilarity: {
    result: 'FailedOperation.CompareLowSimilarity',
    sessionCode: '2016',
    similarity: 41.27,
    description: 'the same outcome, reported by a code',
  },
  spoof: {
    result: 'FailedOperation.LivessDetectFake',
    sessionCode: '1002',
    similarity: 0,
    description: 'a recording of a recording',
  },
  screenReplay: {
    result: 'FailedOperation.SilentPictureLiveFail',
    sessionCode: '1002',
    similarity: 0,
    description: 'a picture held to the camera',
  },
  notLive: {
    result: 'FailedOperation.SilentThreshold',
    sessionCode: '1005',
    similarity: 0,
    description: 'liveness below the standard',
  },
  badLight: { result: 'FailedOperation.ActionLightDark', sessionCode: '1201', similarity: 0, description: 'too dark' },
  strongLight: {
    result: 'FailedOperation.ActionLightStrong',
    sessionCode: '1201',
    similarity: 0,
    description: 'too bright',
  },
  noFace: {
    result: 'FailedOperation.SilentFaceDetectFail',
    sessionCode: '1004',
    similarity: 0,
    description: 'no face in the picture',
  },
  manyFaces: {
    result: 'FailedOperation.SilentMultiFaceFail',
    sessionCode: '2012',
    similarity: 0,
    description: 'more than one face',
  },
  poorFace: {
    result: 'FailedOperation.SilentFaceQualityFail',
    sessionCode: '2014',
    similarity: 0,
    description: 'a face of low quality',
  },
  blurred: {
    result: 'FailedOperation.ImageBlur',
    sessionCode: '2014',
    similarity: 0,
    description: 'a blurred picture',
  },
  poorPhoto: {
    result: 'InternalError.LifePhotoPoorQuality',
    sessionCode: '2014',
    similarity: 0,
    description: 'a photo of too low resolution',
  },
  engineFault: {
    result: 'FailedOperation.LivessSystemError',
    sessionCode: '1001',
    similarity: 0,
    description: 'FaceID’s engine fails, always',
  },
};

const times = z.int().min(0).exactOptional();
const code = z.string().regex(/^[A-Z][A-Za-z]*(\.[A-Z][A-Za-z]*)*$/);

const cardSchema = z.strictObject({
  /** A key of `CARDS`, or any code. */
  card: z.union([z.enum(Object.keys(CARDS)), code]),
  similarity: z.number().min(0).max(100).exactOptional(),
  /** Distinguishes inputs whose cards are otherwise equal. */
  nonce: z.string().exactOptional(),
  /** Whether a code other than Success is reported as a Result or as an Error. @default 'result' */
  channel: z.enum(['result', 'error']).exactOptional(),
  /** Makes the first calls for this input fail. Each field says how many calls fail in that way. */
  first: z
    .strictObject({
      /** FaceID cannot read the links: DownLoadError. */
      unreadable: times,
      /** The object is overwritten just before FaceID reads it: MD5 Error. */
      overwritten: times,
      throttled: times,
      /** FaceID answers this code. */
      error: z.strictObject({ code, times: z.int().min(0) }).exactOptional(),
    })
    .exactOptional(),
  /** The card of the BestFrame that the answer leads to, which DetectAIFakeFaces reads. Default: none. */
  frame: z.union([z.enum(Object.keys(CARDS)), code]).exactOptional(),
  /** Extra time that the answer takes. */
  slowMs: z.number().min(0).exactOptional(),
});

export type Card = z.infer<typeof cardSchema>;

const CARD_PREFIX = 'bestframe-card ';
/** How many bytes of a package's unpacked content are searched for a card. */
const CARD_SEARCH_BYTES = 8_192;

export function cardText(card: Card): string {
  return `${CARD_PREFIX}${JSON.stringify(card)}\n`;
}

/**
 * @param head the first bytes of a package, video or device data.
 * @returns null for an invalid card, because a misspelt card must not count as `match`.
 */
export async function readCard(head: Buffer): Promise<Card | null> {
  const text = await decodeHead(head);
  const from = text.indexOf(CARD_PREFIX);
  if (from < 0) return { card: 'match' };
  const [line = ''] = text.slice(from + CARD_PREFIX.length).split('\n', 1);
  try {
    return cardSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

/** Unpacks gzip and decodes Base64, because a card is readable in neither form. */
async function decodeHead(head: Buffer): Promise<string> {
  if (head[0] === 0x1f && head[1] === 0x8b) return inflateHead(head);
  const text = head.toString('latin1');
  return isBase64(text) ? Buffer.from(text, 'base64').toString('latin1') : text;
}

export function isBase64(text: string): boolean {
  return /^[A-Za-z0-9+/\s]+={0,2}$/.test(text.trimEnd());
}

/** Unpacks as much of a gzip package as its first bytes contain. */
function inflateHead(head: Buffer): Promise<string> {
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
      if (length > CARD_SEARCH_BYTES) done();
    });
    gunzip.on('end', done).on('error', done); // a truncated stream is expected: the head is only the start of the package
    gunzip.end(head);
  });
}

export function resolveOutcome(card: Card): Outcome {
  const named = CARDS[card.card] ?? { result: card.card, similarity: 0, description: '' };
  return { ...named, similarity: card.similarity ?? named.similarity };
}
