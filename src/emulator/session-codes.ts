/** The result codes of sessions: their descriptions, and the code with which each test card ends an attempt. */
import { CARDS } from './cards.ts';

/** Codes of attempts. Those from 2000 on are about the comparison, and the liveness check before it has succeeded. */
const ATTEMPT_CODES: Readonly<Record<string, string>> = {
  '0': 'Success',
  '1001': 'Failed to call the liveness engine',
  '1002': 'Suspected spoofed recording',
  '1004': 'Face detection failed',
  '1005': 'Liveness detection failed',
  '1201': 'Lighting is too dark or overexposed',
  '2004': 'The image passed in is too large or too small',
  '2012': 'Multiple faces detected',
  '2013': 'No face was detected, or the face detected was incomplete',
  '2014': 'The image resolution is too low or the quality does not meet the requirements',
  '2015': 'Face comparison failed',
  '2016': 'The similarity did not reach the standard passing threshold',
  '2017': 'Facial occlusion detected',
};

/** Codes of sessions on web pages that no attempt has. */
const WEB_CODES: Readonly<Record<string, string>> = {
  '15': 'Token expired',
  '16': 'Retry limit has been reached',
  '1409': 'Verification process timed out',
  '1410': 'User exited voluntarily',
};

export const UNFINISHED = { code: '-999', description: "The verification process wasn't finished" };

export function describeCode(code: string): string {
  return ATTEMPT_CODES[code] ?? WEB_CODES[code] ?? 'Failed';
}

export interface AttemptOutcome {
  /** The final code. */
  readonly code: string;
  readonly liveness: string;
  /** Null: the attempt did not get as far as the comparison, or the session compares nothing. */
  readonly comparison: string | null;
  /** Null where nothing was compared. */
  readonly similarity: number | null;
}

/** The default tags of an attempt that a card ends, for the editions that answer them. */
export const CARD_TAGS: Readonly<Record<string, readonly string[]>> = {
  spoof: ['05'],
  screenReplay: ['03'],
  notLive: ['02'],
  badLight: ['09'],
  strongLight: ['09'],
  noFace: ['10'],
};

/** Named cards whose code is about the photo, so that it does not matter where nothing is compared. */
const ABOUT_PHOTO = ['lowSimilarity', 'compareLowSimilarity', 'poorPhoto'];

/**
 * @param card a named card or a result code.
 * @param compares whether the session compares with a photo.
 * @param photoFault the code for a photo that cannot be used; null if it can.
 */
export function outcomeOf(
  card: string,
  {
    compares,
    photoFault,
    similarity,
  }: { compares: boolean; photoFault: string | null; similarity: number | undefined },
): AttemptOutcome {
  const named = CARDS[card];
  const wanted = named?.sessionCode ?? card;
  if (!compares) return withoutComparison(named === undefined ? wanted : livenessCodeOf(card, wanted));
  const isLive = wanted === '0' || Number(wanted) >= 2000;
  if (!isLive) return { code: wanted, liveness: wanted, comparison: null, similarity: null };
  const code = photoFault ?? wanted;
  const scored = photoFault === null && ['0', '2016'].includes(code);
  const defaultSimilarity = code === '0' ? CARDS.match?.similarity : CARDS.lowSimilarity?.similarity;
  return { code, liveness: '0', comparison: code, similarity: scored ? (similarity ?? defaultSimilarity ?? 0) : 0 };
}

function withoutComparison(code: string): AttemptOutcome {
  return { code, liveness: code, comparison: null, similarity: null };
}

/** The code of a named card for a session that checks liveness only. */
function livenessCodeOf(card: string, code: string): string {
  if (ABOUT_PHOTO.includes(card)) return '0';
  return Number(code) >= 2000 ? '1004' : code;
}
