/**
 * What a resource's first bytes say it is. Wrong bytes cost nothing here; at the vendor they cost a call and an obscure code.
 */
import type { ContentKind, ResourceRule } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import { type Failure, inputFailure } from '../domain/failure.ts';

/** As many of the first bytes as are looked at. */
export const HEAD_BYTES = 4096;

const WANTED: Readonly<Record<ContentKind, string>> = {
  gzip: 'a gzip package as the liveness SDK makes it',
  image: 'a JPEG or PNG picture',
  video: 'an MP4, AVI or FLV video',
};

/** @returns what is wrong with a resource that begins with `head`, or null. */
export function contentProblem(head: Uint8Array, rule: ResourceRule, field: string): Failure | null {
  const bytes = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, HEAD_BYTES));
  const seen = kindOf(bytes);
  if (seen === rule.content) return null;
  if (isDataUrl(bytes)) {
    const message = `${field} is a data: URL, not bytes: cut off everything to the comma, decode the Base64, and give the raw bytes`;
    return inputFailure(CODES.SOURCE_NOT_BYTES, field, message);
  }
  if (seen === null && isBase64OfKnownKind(bytes)) {
    return inputFailure(
      CODES.SOURCE_NOT_BYTES,
      field,
      `${field} is Base64 text, not bytes: decode it first and give the raw bytes`,
    );
  }
  const found = seen === null ? 'something else' : WANTED[seen];
  return inputFailure(
    CODES.SOURCE_WRONG_KIND,
    field,
    `${field} should be ${WANTED[rule.content]}, but is ${found}: give the right file`,
  );
}

/** The ways in which a size is wrong before a byte is looked at. */
export function sizeProblem(sizeBytes: number, rule: ResourceRule, field: string): Failure | null {
  if (sizeBytes === 0)
    return inputFailure(CODES.SOURCE_EMPTY, field, `${field} is empty: give the file with its content`);
  return sizeBytes > rule.maxBytes ? tooLarge(rule, field) : null;
}

export function tooLarge(rule: ResourceRule, field: string): Failure {
  const message = `${field} is larger than ${rule.maxBytes} bytes, the most that is taken: give a smaller one`;
  return inputFailure(CODES.SOURCE_TOO_LARGE, field, message);
}

export function md5Problem(md5: string, expected: string | undefined, field: string): Failure | null {
  if (expected === undefined || md5 === expected.toLowerCase()) return null;
  const message = `${field}.md5 is not the MD5 of the bytes that were found: correct it (the digest of the raw bytes), or give the right resource`;
  return inputFailure(CODES.SOURCE_MD5_MISMATCH, `${field}.md5`, message);
}

function kindOf(head: Buffer): ContentKind | null {
  if (begins(head, [0x1f, 0x8b])) return 'gzip';
  if (begins(head, [0xff, 0xd8, 0xff]) || begins(head, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]))
    return 'image';
  const tag = (from: number, to: number) => head.toString('latin1', from, to);
  if (tag(4, 8) === 'ftyp' || tag(0, 4) === 'FLV\u0001') return 'video';
  if (tag(0, 4) === 'RIFF' && tag(8, 12) === 'AVI ') return 'video';
  return null;
}

function begins(head: Buffer, magic: readonly number[]): boolean {
  return magic.every((byte, index) => head[index] === byte);
}

function isDataUrl(head: Buffer): boolean {
  return /^\s*["']?data:[\w.+-]*\/?[\w.+-]*[;,]/i.test(textOf(head));
}

function isBase64OfKnownKind(head: Buffer): boolean {
  const text = textOf(head)
    .replace(/^\s*["']|["']\s*$/g, '')
    .replace(/\s+/g, '');
  return /^[A-Za-z0-9+/_-]{8,}={0,2}$/.test(text) && kindOf(Buffer.from(text, 'base64')) !== null;
}

/** Text without a byte-order mark. */
function textOf(head: Buffer): string {
  return head.toString('latin1').replace(/^\u00ef\u00bb\u00bf/, '');
}
