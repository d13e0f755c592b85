/**
 * Turns the facts of a failure into its class. Every failure gets a class: a code that is in no table is `unknown`. The order of
 * the lookups matters: the exact code, then the longest prefix. The vendor's message is read only if the code is in no table or
 * says no more than "invalid parameter": the message may state a fault that has no code of its own.
 */

import { type Billed, documentedBilling } from './billing.ts';
import { COS_CODES } from './cos.ts';
import { type ErrorClass, type ErrorEntry, hintWords, type Language } from './entry.ts';
import { CARRIES_MESSAGE, FACEID, FACEID_MESSAGES } from './faceid.ts';
import type { FailureFacts } from './failure.ts';
import { LOCAL } from './local.ts';
import { TENCENT_CLOUD } from './tencent-cloud.ts';
import { findChinese } from './zh.ts';

/** Every code that Bestframe knows. Entries that match a message come first. */
export const ERROR_TABLE: readonly ErrorEntry[] = [
  ...FACEID_MESSAGES.map(({ pattern: _pattern, ...entry }) => entry),
  ...FACEID,
  ...TENCENT_CLOUD,
  ...COS_CODES,
  ...LOCAL,
];

/** What the table says about a failure. */
export interface Classified {
  readonly class: ErrorClass;
  readonly decision: ErrorEntry['decision'];
  readonly billed: ErrorEntry['billed'];
  /** Null if the code is in no table. */
  readonly entry: ErrorEntry | null;
}

/** The facts of a failure that its class depends on. */
export type Classifiable = Pick<FailureFacts, 'service' | 'channel' | 'code'> & { readonly message?: string };

export function classify(facts: Classifiable): Classified {
  const entry = find(facts);
  if (entry === null) return { class: 'unknown', decision: null, billed: billedAs(facts.code), entry };
  // If the entry was found by the message, its `billed` does not count: only the vendor's code says whether a call is billed.
  const billed = isMessage(entry) ? billedAs(facts.code) : entry.billed;
  return { class: entry.class, decision: entry.decision, billed, entry };
}

/** Tencent sells every paid call that this error table covers as one product: `pure-api`, see `billing.ts`. */
function billedAs(code: string): Billed {
  return documentedBilling(code, 'pure-api');
}

function isMessage(entry: ErrorEntry): boolean {
  return entry.match.startsWith('/');
}

/**
 * The code of a failure for records, logs and messages. If the vendor's message names a fault that has no code (`MD5 Error`,
 * `invalid resourceUrl`), these words replace the code that the vendor sent.
 */
export function failureCode(facts: Classifiable): string {
  const entry = find(facts);
  return entry !== null && isMessage(entry) ? entry.title : facts.code;
}

/**
 * Looks up a code of any service, or a message that has no code (`MD5 Error`).
 *
 * @param language language of title and advice; the other texts are always English.
 */
export function explain(code: string, language: Language = 'en'): ErrorEntry | null {
  const entry =
    findByCode(LOCAL, code) ??
    findByCode(FACEID, code) ??
    findByCode(TENCENT_CLOUD, code) ??
    findByCode(COS_CODES, code) ??
    findByMessage(code);
  if (entry === null || language === 'en') return entry;
  return translate(entry);
}

function translate(entry: ErrorEntry): ErrorEntry {
  const words = findChinese(entry);
  if (words === null) return entry;
  const [title, advice] = words;
  return { ...entry, title, advice: hintWords(entry.class, advice) };
}

function find({ service, channel, code, message }: Classifiable): ErrorEntry | null {
  if (channel === 'local') return findByCode(LOCAL, code);
  if (service === 'cos') return findByCode(COS_CODES, code);
  const byCode =
    findByCode(FACEID, code) ??
    findByCode(TENCENT_CLOUD, code) ??
    // MALFORMED_REPLY is Bestframe's own code, but its failure has the channel of the unusable answer. So search the local table,
    // too.
    findByCode(LOCAL, code);
  if (byCode !== null && !CARRIES_MESSAGE.test(code)) return byCode;
  return findByMessage(message ?? '') ?? byCode ?? findByMessage(code);
}

function findByMessage(text: string): ErrorEntry | null {
  const found = FACEID_MESSAGES.find(({ pattern }) => pattern.test(text.trim()));
  return found === undefined ? null : (ERROR_TABLE.find((entry) => entry.match === found.match) ?? null);
}

function findByCode(table: readonly ErrorEntry[], code: string): ErrorEntry | null {
  const exact = table.find((entry) => entry.match === code);
  if (exact !== undefined) return exact;
  const prefixes = table.filter((entry) => entry.match.endsWith('.*') && code.startsWith(entry.match.slice(0, -1)));
  return prefixes.sort((a, b) => b.match.length - a.match.length)[0] ?? null;
}
