/** Decodes the bytes of a manifest as editors and spreadsheets write them: UTF-8 or UTF-16, with or without a byte-order mark. */
import { inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';

/** @throws Failure INVALID_MANIFEST if the text is in another encoding. */
export function decodeManifest(bytes: Uint8Array): string {
  try {
    return new TextDecoder(encodingOf(bytes), { fatal: true }).decode(bytes);
  } catch {
    const message = 'the manifest is neither UTF-8 nor UTF-16: save it as "CSV UTF-8" or with encoding UTF-8';
    throw inputFailure(CODES.INVALID_MANIFEST, 'manifest', message);
  }
}

function encodingOf([first, second]: Uint8Array): 'utf-8' | 'utf-16le' | 'utf-16be' {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  // Without a byte-order mark: a manifest starts with an ASCII character, which has a zero byte only in UTF-16.
  if (second === 0) return 'utf-16le';
  return first === 0 ? 'utf-16be' : 'utf-8';
}
