/**
 * Checks a resource's size, MD5 and content: its format, and that it is complete. Wrong bytes that are found here cost nothing.
 * The vendor would charge for a call with them and answer with an obscure error code.
 */

import { type Failure, inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { ContentKind, ResourceRule } from '../../domain/verification/actions.ts';
import { type Format, recognizeFormat } from './content-formats.ts';
import { type Damage, MAX_UNPACKED_BYTES, type Walk, walkOf } from './content-walk.ts';

/** The kind of content is recognised from this many leading bytes. */
export const HEAD_BYTES = 4096;

const EXPECTED: Readonly<Record<ContentKind, string>> = {
  gzip: 'a gzip package from the liveness SDK',
  image: 'a JPEG or PNG picture',
  video: 'an MP4, AVI or FLV video',
};

const CONVERT: Readonly<Record<ContentKind, string>> = {
  gzip: 'give the right file',
  image: 'convert it to JPEG or PNG',
  video: 'record or convert it as MP4',
};

export interface Expectation {
  readonly rule: ResourceRule;
  /** The field of the caller's input, for messages. */
  readonly field: string;
}

/**
 * Checks a resource while it streams. Pass its bytes through `watch`, then call `conclude`.
 *
 * What must hold: `watch` fails as soon as the size or format is wrong. `conclude` checks what is known only after the last byte.
 * Between the two calls, the caller can report a source that changed during the read.
 */
export class ContentCheck {
  readonly #expected: Expectation;
  #sizeBytes = 0;
  /** The first bytes, which are collected until they suffice to recognise the format. */
  #head: Uint8Array[] = [];
  #walk: Walk | null = null;
  #isRecognized = false;
  #damage: Damage | null = null;

  constructor(expected: Expectation) {
    this.#expected = expected;
  }

  /** @throws Failure SOURCE_TOO_LARGE, SOURCE_NOT_BYTES, SOURCE_WRONG_KIND */
  async *watch(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of pieces) {
        this.#sizeBytes += piece.byteLength;
        checkMaxSize(this.#sizeBytes, this.#expected);
        if (this.#isRecognized) await this.#walk?.add(piece);
        else {
          this.#head.push(piece);
          if (this.#sizeBytes >= HEAD_BYTES) await this.#recognize();
        }
        yield piece;
      }
      if (!this.#isRecognized && this.#sizeBytes > 0) await this.#recognize();
      this.#damage = (await this.#walk?.end()) ?? null;
    } finally {
      this.#walk?.close();
    }
  }

  /**
   * @param digest size and MD5 of the bytes that `watch` passed on. @param md5 the MD5 that the caller stated, if any.
   * @throws Failure SOURCE_EMPTY, SOURCE_MD5_MISMATCH, SOURCE_CUT
   */
  conclude(digest: { readonly sizeBytes: number; readonly md5: string }, md5?: string): void {
    const { field } = this.#expected;
    checkSize(digest.sizeBytes, this.#expected);
    checkMd5(digest.md5, { field, md5 });
    if (this.#damage !== null) throw damaged(field, this.#damage);
  }

  async #recognize(): Promise<void> {
    const head = Buffer.concat(this.#head);
    this.#head = [];
    this.#isRecognized = true;
    const { structure } = checkContent(head, this.#expected);
    if (structure === null) return;
    this.#walk = walkOf(structure);
    await this.#walk.add(head);
  }
}

function damaged(field: string, damage: Damage): Failure {
  if (damage === 'unpacks to too much') {
    const message = `${field} unpacks to more than ${MAX_UNPACKED_BYTES} bytes: give the package of the liveness SDK`;
    return inputFailure(CODES.SOURCE_TOO_LARGE, field, message);
  }
  const message = `${field} ${damage}: send the complete file again, its upload was probably interrupted`;
  return inputFailure(CODES.SOURCE_CUT, field, message);
}

/** @throws Failure SOURCE_NOT_BYTES or SOURCE_WRONG_KIND unless `head` starts a resource of the expected kind. */
export function checkContent(head: Uint8Array, { rule, field }: Expectation): Format {
  const bytes = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, HEAD_BYTES));
  const format = recognizeFormat(bytes);
  if (format !== null && format.kind === rule.content) return format;
  if (isDataUrl(bytes)) {
    const message = `${field} is a data: URL, not bytes: remove everything up to the comma, decode the Base64, and give the raw bytes`;
    throw inputFailure(CODES.SOURCE_NOT_BYTES, field, message);
  }
  if (format === null && isBase64OfKnownFormat(bytes)) {
    throw inputFailure(
      CODES.SOURCE_NOT_BYTES,
      field,
      `${field} is Base64 text, not bytes: decode it first and give the raw bytes`,
    );
  }
  const cure = format?.convertible === rule.content ? CONVERT[rule.content] : 'give the right file';
  const message = `${field} should be ${EXPECTED[rule.content]}, but is ${format?.name ?? 'something else'}: ${cure}`;
  throw inputFailure(CODES.SOURCE_WRONG_KIND, field, message);
}

/** @throws Failure SOURCE_EMPTY or SOURCE_TOO_LARGE */
export function checkSize(sizeBytes: number, expected: Expectation): void {
  const { field } = expected;
  if (sizeBytes === 0)
    throw inputFailure(CODES.SOURCE_EMPTY, field, `${field} is empty: give the file with its content`);
  checkMaxSize(sizeBytes, expected);
}

/** Checks the upper limit while bytes are still arriving. @throws Failure SOURCE_TOO_LARGE */
export function checkMaxSize(sizeBytes: number, { rule, field }: Expectation): void {
  if (sizeBytes <= rule.maxBytes) return;
  const message = `${field} is larger than the maximum of ${rule.maxBytes} bytes: give a smaller one`;
  throw inputFailure(CODES.SOURCE_TOO_LARGE, field, message);
}

/** @throws Failure SOURCE_MD5_MISMATCH if the caller gave an MD5 that differs from the actual one. */
export function checkMd5(
  md5: string,
  { field, md5: expected }: { readonly field: string; readonly md5?: string | undefined },
): void {
  if (expected === undefined || md5 === expected.toLowerCase()) return;
  const message = `${field}.md5 is not the MD5 of the resource: correct it (the digest of the raw bytes), or give the right resource`;
  throw inputFailure(CODES.SOURCE_MD5_MISMATCH, `${field}.md5`, message);
}

function isDataUrl(head: Buffer): boolean {
  return /^\s*["']?data:[\w.+-]*\/?[\w.+-]*[;,]/i.test(decodeText(head));
}

function isBase64OfKnownFormat(head: Buffer): boolean {
  const text = decodeText(head)
    .replace(/^\s*["']|["']\s*$/g, '')
    .replace(/\s+/g, '');
  return /^[A-Za-z0-9+/_-]{8,}={0,2}$/.test(text) && recognizeFormat(Buffer.from(text, 'base64')) !== null;
}

/** Decodes text and drops a byte-order mark. */
function decodeText(head: Buffer): string {
  return head.toString('latin1').replace(/^\u00ef\u00bb\u00bf/, '');
}
