/**
 * Keys of COS objects that a caller names.
 *
 * What must hold: a key reaches COS exactly as it was signed. The key is sent as a URL path, and HTTP clients and proxies rewrite
 * paths with `.`, `..` or empty segments. COS would then answer `SignatureDoesNotMatch`, as if the account's keys were wrong.
 */
import { z } from 'zod';

/** COS's limit for the length of a key, in bytes of UTF-8. */
const MAX_KEY_BYTES = 850;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern must match control characters
const CONTROL = /[\u0000-\u001f\u007f]/;
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * @param suffixBytes length of the longest suffix that is added to the key.
 * @returns what is wrong with the key of an object, or null.
 */
export function objectKeyProblem(key: string, suffixBytes = 0): string | null {
  const maxBytes = MAX_KEY_BYTES - suffixBytes;
  if (key === '') return 'is empty: give the object key';
  if (key.startsWith('/')) return 'starts with a slash: object keys have none at the start, remove it';
  if (LONE_SURROGATE.test(key) || CONTROL.test(key)) {
    return 'has a control character or broken Unicode: use another key';
  }
  if (Buffer.byteLength(key) > maxBytes) return `is longer than ${maxBytes} bytes of UTF-8: give a shorter key`;
  const segments = key.split('/');
  if (segments.includes('')) return 'has an empty segment ("//", or a slash at the end): remove the extra slash';
  if (segments.some((segment) => segment === '.' || segment === '..')) {
    return 'has a segment "." or "..", which is rewritten on the way to COS: use another key';
  }
  return null;
}

/** @param suffixBytes see {@link objectKeyProblem} */
export function objectKeySchema(suffixBytes = 0) {
  return z
    .string()
    .superRefine((key, context) => {
      const problem = objectKeyProblem(key, suffixBytes);
      if (problem !== null) context.addIssue({ code: 'custom', message: problem });
    })
    .describe(
      `Object key: at most ${MAX_KEY_BYTES - suffixBytes} bytes of UTF-8, no slash at the start or end, no segment that is empty, "." or "..".`,
    );
}
