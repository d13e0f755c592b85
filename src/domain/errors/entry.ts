/** What the table says of one code. */
import type { Decision } from '../states.ts';

/**
 * `transient`: again in a while. `throttled`: again, and it costs no attempt. `reupload`: back to upload under fresh keys.
 * `rejected`: an answer about the person or the pictures. `account`: keys, contract or settings, to be mended by the
 * operator. `caller`: the request can never succeed. `unknown`: not in the table, tried a few times.
 */
export const ERROR_CLASSES = [
  'transient',
  'throttled',
  'reupload',
  'rejected',
  'account',
  'caller',
  'unknown',
] as const;
export type ErrorClass = (typeof ERROR_CLASSES)[number];

export interface ErrorEntry {
  /** An exact code, a prefix (`AuthFailure.*`), or a pattern of the vendor's message (between slashes). */
  readonly match: string;
  readonly service: 'faceid' | 'cos' | 'bestframe';
  /** Where it is seen: as an error answer, as the `Result` of a normal one, as either, or only on our side. */
  readonly channel: 'error' | 'both' | 'local';
  readonly class: ErrorClass;
  /** What it says about the person; only with `rejected`. */
  readonly decision: Decision | null;
  /** What Bestframe does by itself. */
  readonly retry: string;
  /** Whether the vendor bills the call: as documented, else `unknown`. */
  readonly billed: 'yes' | 'no' | 'unknown';
  /** Whom the advice is for: it may be shown to the person in front of the camera, or only to the operator or the caller. */
  readonly audience: 'person' | 'caller' | 'operator';
  readonly title: string;
  readonly explanation: string;
  readonly advice: string;
}

/** What Bestframe does by itself, by class. */
export const RETRIES: Readonly<Record<ErrorClass, string>> = {
  transient: 'later, a bounded number of times',
  throttled: 'later, as often as it takes before the deadline',
  reupload: 'from upload under fresh keys and links, at most twice; then it is held for a person',
  rejected: 'no',
  account: 'later, until it is mended or the deadline passes',
  caller: 'no',
  unknown: 'later, at most three attempts; then it is held for a person',
};
