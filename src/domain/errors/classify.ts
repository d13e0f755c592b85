/**
 * From a failure's facts to its class. Total: what is in no table is `unknown`. The order is what matters:
 * the vendor's message where it names a fault that has no code, then the exact code, then the longest prefix.
 */
import type { FailureFacts } from '../failure.ts';
import { COMMON } from './common.ts';
import { COS_CODES } from './cos.ts';
import type { ErrorClass, ErrorEntry } from './entry.ts';
import { FACEID, FACEID_MESSAGES } from './faceid.ts';
import { LOCAL } from './local.ts';

export const ERROR_TABLE: readonly ErrorEntry[] = [
  ...FACEID_MESSAGES.map(({ pattern: _pattern, ...entry }) => entry),
  ...FACEID,
  ...COMMON,
  ...COS_CODES,
  ...LOCAL,
];

export interface Classified {
  readonly class: ErrorClass;
  readonly decision: ErrorEntry['decision'];
  readonly billed: ErrorEntry['billed'];
  /** Null where the code is in no table. */
  readonly entry: ErrorEntry | null;
}

export type Classifiable = Pick<FailureFacts, 'service' | 'channel' | 'code'> & { readonly message?: string };

export function classify(facts: Classifiable): Classified {
  const entry = find(facts);
  if (entry === null) return { class: 'unknown', decision: null, billed: 'unknown', entry };
  return { class: entry.class, decision: entry.decision, billed: entry.billed, entry };
}

/**
 * What a failure is called in records, logs and words: its code, or the fault that only its message names (`MD5 Error`,
 * `invalid resourceUrl`), whatever code the vendor put beside it.
 */
export function nameOf(facts: Classifiable): string {
  const entry = find(facts);
  return entry?.match.startsWith('/') ? entry.title : facts.code;
}

/** The words for a code, whoever said it; or for one of the messages that have no code, e.g. `MD5 Error`. */
export function explain(code: string): ErrorEntry | null {
  return (
    byCode(LOCAL, code) ?? byCode(FACEID, code) ?? byCode(COMMON, code) ?? byCode(COS_CODES, code) ?? byMessage(code)
  );
}

function find({ service, channel, code, message }: Classifiable): ErrorEntry | null {
  if (channel === 'local') return byCode(LOCAL, code);
  if (service === 'cos') return byCode(COS_CODES, code);
  return (
    byMessage(`${code} ${message ?? ''}`) ??
    byCode(FACEID, code) ??
    byCode(COMMON, code) ??
    // What we say of an answer that we cannot use (MALFORMED_REPLY) is seen on the answer's own channel.
    byCode(LOCAL, code)
  );
}

function byMessage(text: string): ErrorEntry | null {
  const found = FACEID_MESSAGES.find(({ pattern }) => pattern.test(text));
  return found === undefined ? null : (ERROR_TABLE.find((entry) => entry.match === found.match) ?? null);
}

function byCode(table: readonly ErrorEntry[], code: string): ErrorEntry | null {
  const exact = table.find((entry) => entry.match === code);
  if (exact !== undefined) return exact;
  const prefixes = table.filter((entry) => entry.match.endsWith('.*') && code.startsWith(entry.match.slice(0, -1)));
  return prefixes.sort((a, b) => b.match.length - a.match.length)[0] ?? null;
}
