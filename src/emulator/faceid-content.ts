/** Checks the contents of FaceID's inputs: liveness packages, videos, photos, and the data that belongs to a video. */
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Outcome } from './cards.ts';
import type { StoredObject } from './object-store.ts';
import { isText, isWhole, readPicture } from './pictures.ts';

const MIB = 1024 * 1024;
/** Limits before Base64 encoding. Tencent documents them as 3 MB and 8 MB after the encoding. */
const MAX_BYTES = { image: 2.25 * MIB, video: 6 * MIB };
const MIN_PIXELS = 64;

/** FaceID reads this many leading bytes of a package, video or device data. */
export const HEAD_BYTES = 65_536;
/** FaceID reads a photo completely. The emulator stops at a size that no photo has. */
export const IMAGE_HEAD_BYTES = 32 * MIB;
/** At most this much of a package is unpacked. */
const MAX_UNPACKED_BYTES = 1_024 * MIB;

/** An object and its first bytes. */
export type Download = StoredObject & { readonly head: Buffer };
type Content = Pick<Download, 'head' | 'sizeBytes'>;

/** @returns why FaceID rejects the package, or null if it can be unpacked. */
export async function checkLiveData({ head }: Download, content: Readable): Promise<Outcome | null> {
  const isGzip = head[0] === 0x1f && head[1] === 0x8b;
  if (isGzip && (await canUnpack(content))) return null;
  content.destroy();
  return wrongContent('FailedOperation.LivessUnknownError');
}

async function canUnpack(content: Readable): Promise<boolean> {
  let bytes = 0;
  try {
    await pipeline(content, createGunzip(), async (pieces: AsyncIterable<Buffer>) => {
      for await (const piece of pieces) {
        bytes += piece.length;
        if (bytes > MAX_UNPACKED_BYTES) throw new Error('too large');
      }
    });
    return true;
  } catch (error) {
    // Other bytes may follow a complete package.
    return error instanceof Error && error.message === 'incorrect header check';
  }
}

/** Brands of files that look like MP4 and are something else: QuickTime, 3GP, audio, pictures. */
const OTHER_BRAND = /^(?:qt|3g|M4[ABP]|F4[AB]|hei|hev|avi|mif|msf|jp|crx)/;
/** The valid ValidateData for each LivenessType: nothing, four digits, or one or two actions. */
const VALIDATE_DATA: Readonly<Record<string, RegExp>> = { SILENT: /^$/, LIP: /^[0-9]{4}$/, ACTION: /^[1-4](,[1-4])?$/ };

/** Whether FaceID knows the type of liveness check and accepts this ValidateData for it. */
export function isValidateData(livenessType: string, data: string): boolean {
  return VALIDATE_DATA[livenessType]?.test(data) === true;
}

/** @returns why FaceID rejects the video, or null if it is usable. */
export function checkVideo({ head, sizeBytes }: Content): Outcome | null {
  if (sizeBytes > MAX_BYTES.video) return wrongContent('FailedOperation.LipSizeError');
  const text = head.toString('latin1', 0, 16);
  const isMp4 = text.slice(4, 8) === 'ftyp' && !OTHER_BRAND.test(text.slice(8, 12));
  const isFlv = text.startsWith('FLV\u0001');
  const isAvi = text.startsWith('RIFF') && text.slice(8, 12) === 'AVI ';
  return isMp4 || isFlv || isAvi ? null : wrongContent('FailedOperation.LipVideoInvalid');
}

/**
 * @param head all of the photo.
 * @param action the name of the called action. Tencent documents a size limit for VideoLivenessCompare only.
 * @returns why FaceID rejects the photo, or null if it is usable.
 */
export function checkPhoto({ head, sizeBytes }: Content, action: string): Outcome | null {
  // FaceID answers this code if it finds Base64 text in place of an image.
  if (isText(head.subarray(0, HEAD_BYTES))) return unusableImage('FailedOperation.LifePhotoDetectFaces');
  if (action === 'VideoLivenessCompare' && sizeBytes > MAX_BYTES.image)
    return unusableImage('FailedOperation.LifePhotoSizeError'); // Tencent lists no other code about size for this action
  const picture = readPicture(head);
  if (picture === null || !isWhole(picture, head)) return unusableImage('FailedOperation.ImageDecodeFailed');
  const isTooSmall = Math.min(picture.width, picture.height) < MIN_PIXELS;
  return isTooSmall ? unusableImage('FailedOperation.LifePhotoSizeError') : null;
}

function wrongContent(result: string): Outcome {
  return { result, similarity: 0, description: 'The content is not what this action takes.' };
}

function unusableImage(result: string): Outcome {
  return { result, similarity: 0, description: 'The image cannot be used.' };
}
