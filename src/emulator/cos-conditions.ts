/** Conditions on reads and copies: `If-Match`, `If-None-Match`, `If-Modified-Since` and `If-Unmodified-Since`. */

export interface Conditions {
  readonly match: string | undefined;
  readonly noneMatch: string | undefined;
  readonly modifiedSince: string | undefined;
  readonly unmodifiedSince: string | undefined;
}

export interface Conditioned {
  /** With quotes. */
  readonly etag: string;
  /** When it was written, ms since 1970. */
  readonly at: number;
}

/** @param read reads a header by its lower-case name, such as `if-match`. */
export function readConditions(read: (name: string) => string | undefined): Conditions {
  return {
    match: read('if-match'),
    noneMatch: read('if-none-match'),
    modifiedSince: read('if-modified-since'),
    unmodifiedSince: read('if-unmodified-since'),
  };
}

/** If an ETag condition is present, the date condition that belongs to it is ignored. An invalid date is ignored too. */
export function checkConditions(conditions: Conditions, { etag, at }: Conditioned): 'met' | 'not-modified' | 'failed' {
  const { match, noneMatch, modifiedSince, unmodifiedSince } = conditions;
  // Dates in headers are whole seconds, so the time of writing is cut to seconds before the comparison.
  const writtenAt = Math.floor(at / 1000) * 1000;
  if (match !== undefined ? !names(match, etag) : writtenAt > dateOf(unmodifiedSince)) return 'failed';
  const isUnmodified = noneMatch !== undefined ? names(noneMatch, etag) : writtenAt <= dateOf(modifiedSince);
  return isUnmodified ? 'not-modified' : 'met';
}

function names(list: string, etag: string): boolean {
  const bare = (text: string) => text.trim().replace(/^(?:W\/)?"|"$/g, '');
  return list.split(',').some((each) => each.trim() === '*' || bare(each) === bare(etag));
}

/** The time of a date, or NaN if the date is missing or invalid. Every comparison with NaN is false. */
function dateOf(text: string | undefined): number {
  return text === undefined ? Number.NaN : Date.parse(text);
}
