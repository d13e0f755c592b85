/** Recognises the format of a resource by its first bytes, and names it in refusals. */
import type { ContentKind } from '../../domain/verification/actions.ts';

/** Formats whose end Bestframe can find in the bytes. */
export type Structure = 'gzip' | 'jpeg' | 'png' | 'mp4';

export interface Format {
  /** The name in messages, with its article: "a HEIC picture". */
  readonly name: string;
  /** The kind of content for which the vendor accepts this format. Null if no call accepts it. */
  readonly kind: ContentKind | null;
  /** The structure by which the end of the content is found. Null if the end cannot be found or is not checked. */
  readonly structure: Structure | null;
  /** For a format that no call accepts: the kind of content that it can be converted to. */
  readonly convertible?: ContentKind;
}

const GZIP: Format = { name: 'a gzip package', kind: 'gzip', structure: 'gzip' };
const JPEG: Format = { name: 'a JPEG picture', kind: 'image', structure: 'jpeg' };
const PNG: Format = { name: 'a PNG picture', kind: 'image', structure: 'png' };
const MP4: Format = { name: 'an MP4 video', kind: 'video', structure: 'mp4' };
const AVI: Format = { name: 'an AVI video', kind: 'video', structure: null };
const FLV: Format = { name: 'an FLV video', kind: 'video', structure: null };
const MOV = other('a QuickTime (MOV) video', 'video');

function other(name: string, convertible?: ContentKind): Format {
  return { name, kind: null, structure: null, ...(convertible === undefined ? {} : { convertible }) };
}

function picture(name: string): Format {
  return other(`a ${name} picture`, 'image');
}

/** Formats by their first bytes, in latin1. `?` stands for any byte. */
const SIGNATURES: readonly (readonly [string, Format])[] = [
  ['\x1f\x8b', GZIP],
  ['\xff\xd8\xff', JPEG],
  ['\x89PNG\r\n\x1a\n', PNG],
  ['FLV\x01', FLV],
  ['RIFF????AVI ', AVI],
  ['RIFF????WEBP', picture('WebP')],
  ['GIF87a', picture('GIF')],
  ['GIF89a', picture('GIF')],
  ['II*\0', picture('TIFF')],
  ['MM\0*', picture('TIFF')],
  ['BM????\0\0\0\0', picture('BMP')],
  ['\x1aE\xdf\xa3', other('a WebM or Matroska video', 'video')],
  ['PK\x03\x04', other('a ZIP archive')],
  ['%PDF-', other('a PDF document')],
  // Old QuickTime files, which do not begin with `ftyp`.
  ['????moov', MOV],
  ['????mdat', MOV],
  ['????wide', MOV],
];

/** Formats by the brand of an ISO media file. The first pattern that matches decides. */
const BRANDS: readonly (readonly [RegExp, Format])[] = [
  [/^avi[fs]$/, picture('AVIF')],
  [/^(?:hei[cxms]|hev[cxms])$/, picture('HEIC')],
  [/^qt {2}$/, MOV],
  [/^(?:M4[ABP]|F4[AB]) $/, other('an M4A audio file')],
  [/^3g[2gpers]/, other('a 3GP video', 'video')],
  [/^(?:jp2 |jpx |jpm )$/, picture('JPEG 2000')],
  [/^jxl $/, picture('JPEG XL')],
  [/^crx $/, picture('Canon raw')],
  [/^(?:iso[m2-9a-c]|mp4[12]|mp71|avc1|hvc1|dash|cmf[c2]|M4V[HP ]|F4V |f4v |MSNV|mmp4|ndas|ND[SX][CHMPS]|XAVC)$/, MP4],
];

/** A brand that says only that the file is a picture. The file's further brands say which format it has. */
const GENERIC_PICTURE = /^(?:mif[12]|msf1|miaf)$/;

/** @returns null for a format that is not known. */
export function recognizeFormat(head: Uint8Array): Format | null {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  if (bytes.toString('latin1', 4, 8) === 'ftyp') return formatOfBrand(bytes);
  const start = bytes.toString('latin1', 0, 16);
  return SIGNATURES.find(([signature]) => startsLike(start, signature))?.[1] ?? null;
}

function startsLike(text: string, signature: string): boolean {
  return [...signature].every((char, index) => char === '?' || char === text[index]);
}

function formatOfBrand(bytes: Buffer): Format {
  const end = Math.min(bytes.readUInt32BE(0), bytes.length);
  const major = bytes.toString('latin1', 8, 12);
  const compatible: string[] = [];
  for (let at = 16; at + 4 <= end; at += 4) compatible.push(bytes.toString('latin1', at, at + 4));
  const brands = GENERIC_PICTURE.test(major) ? compatible : [major, ...compatible];
  for (const brand of brands) {
    const format = BRANDS.find(([pattern]) => pattern.test(brand))?.[1];
    if (format !== undefined) return format;
  }
  if (GENERIC_PICTURE.test(major)) return picture('HEIF');
  return other('an ISO media file of an unknown brand', 'video');
}
