/** The shape of an entry in the error table. */
import type { Billed } from './billing.ts';

/**
 * `transient`: may succeed later. `machine`: a fault of one machine; other machines can continue. `throttled`: may succeed later,
 * and the attempt does not count. `reupload`: must start again from upload, under fresh keys. `rejected`: an answer about the
 * person or the pictures. `account`: keys, contract or settings that the operator must fix. `caller`: the request can never
 * succeed. `unknown`: the code is not in the table.
 */
export const ERROR_CLASSES = [
  'transient',
  'throttled',
  'reupload',
  'rejected',
  'account',
  'machine',
  'caller',
  'unknown',
] as const;
export type ErrorClass = (typeof ERROR_CLASSES)[number];

/** The decisions that can follow from an error answer. An error answer is never a match. */
export type RejectedDecision =
  | ('no_match' | 'not_live' | 'recapture')
  | ('not_started' | 'abandoned' | 'expired' | 'retry_limit');

/** Language of titles and advice. */
export type Language = 'en' | 'zh';

/**
 * Readers of advice. `person`: in front of the camera. `caller`: the engineer of the backend, who sees neither settings nor
 * commands of the deployment. `operator`: runs Bestframe.
 */
export const AUDIENCES = ['person', 'caller', 'operator'] as const;
export type Audience = (typeof AUDIENCES)[number];

/** A text for each reader; '' if that reader has nothing to do. */
export type Words = Readonly<Record<Audience, string>>;

/** What the person must take again. */
export const RETAKES = ['none', 'photo', 'liveness', 'both'] as const;
export type Retake = (typeof RETAKES)[number];

/** What the table says about one code. */
export interface ErrorEntry {
  /** An exact code, a prefix (`AuthFailure.*`), or a pattern for the vendor's message (between slashes). */
  readonly match: string;
  readonly service: 'faceid' | 'cos' | 'bestframe';
  /** `error`: an error answer. `both`: an error answer or the `Result` of a normal answer. `local`: reported by Bestframe. */
  readonly channel: 'error' | 'both' | 'local';
  readonly class: ErrorClass;
  /** The decision about the person; null unless the class is `rejected`. */
  readonly decision: RejectedDecision | null;
  /** What Bestframe does on its own. */
  readonly retry: string;
  /** Whether the vendor bills the call; `unknown` if the vendor does not document it. */
  readonly billed: Billed;
  readonly retake: Retake;
  /** What happened. */
  readonly title: string;
  /** Why it happened. */
  readonly explanation: string;
  /**
   * What to do about the cause. The text applies in every state of a verification, so it promises nothing.
   * `verification/advice.ts` adds what the state means.
   */
  readonly advice: Words;
}

/** Advice in the tables: one text for the reader who can fix the cause, or a text for each reader. */
export type Hint = string | Partial<Words>;

/** Title and advice of an entry in another language. */
export type TranslatedWords = readonly [title: string, advice: Hint];

/** If a hint is a single text, it is for the caller when the class is `caller` or `rejected`, and otherwise for the operator. */
export function hintWords(kind: ErrorClass, hint: Hint): Words {
  const none = { person: '', caller: '', operator: '' };
  if (typeof hint !== 'string') return { ...none, ...hint };
  return { ...none, [kind === 'caller' || kind === 'rejected' ? 'caller' : 'operator']: hint };
}

/** What Bestframe does on its own, by class. */
export const RETRIES: Readonly<Record<ErrorClass, string>> = {
  transient: 'later, a limited number of times',
  throttled: 'later, as often as the deadline allows',
  reupload: 'from upload under fresh keys and links, at most twice; then held for an operator',
  rejected: 'no',
  account: 'later, until the problem is fixed or the deadline passes',
  machine: 'at once by another worker; the faulty one stops until its machine is mended',
  caller: 'no',
  unknown: 'later, at most three attempts; then held for an operator',
};
